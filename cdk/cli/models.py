"""``trending-now models``: what the registry holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from model_artifacts.registry import CHAMPION, ROOT, Registry

app = typer.Typer(
    name="models",
    help="List, show, promote and roll back registered models.",
    no_args_is_help=True,
)

RegistryOption = Annotated[
    Path, typer.Option("--registry", help="Folder with registry.json.", file_okay=False)
]


@app.command("list")
def list_models(registry: RegistryOption = ROOT) -> None:
    """List every version with its aliases and headline figures."""
    from rich.console import Console  # noqa: PLC0415 -- start-up of the other commands
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for heading in ("model", "version", "aliases"):
        table.add_column(heading)
    for heading in ("micro-F1", "macro-F1", "mAP", "MB"):
        table.add_column(heading, justify="right")
    for name, model in sorted(Registry.load(registry).models.items()):
        for version, record in sorted(model["versions"].items()):
            aliases = sorted(alias for alias, v in model["aliases"].items() if v == version)
            metrics = record["metrics"]
            table.add_row(
                name,
                version,
                ", ".join(aliases),
                *(f"{metrics[k]:.3f}" for k in ("micro_f1", "macro_f1", "mean_average_precision")),
                f"{metrics.get('artifact_size', metrics['network_size']) / 1e6:.1f}",
            )
    Console().print(table)


@app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(help="A model's name, such as genre-bert.")],
    version: Annotated[str, typer.Argument(help="A version or an alias.")] = CHAMPION,
    registry: RegistryOption = ROOT,
) -> None:
    """Print all that the registry knows of one version, as JSON."""
    content = Registry.load(registry)
    number = content.version(model, version)
    record: dict[str, Any] = content.models[model]["versions"][number]
    typer.echo(json.dumps({"model": model, "version": number, **record}, indent=2, ensure_ascii=False))


@app.command("promote")
def promote_model(
    model: Annotated[str, typer.Argument(help="A model's name, such as genre-bert.")],
    version: Annotated[str, typer.Argument(help="The version or alias that shall serve.")],
    registry: RegistryOption = ROOT,
) -> None:
    """Make a version champion, if it passes every gate; the change to registry.json is yours to commit.

    Exit code 1 with the reasons, and nothing changed, if it does not.
    """
    from model_artifacts.gates import promote  # noqa: PLC0415 -- loads models

    promoted, gates = promote(Registry.load(registry), model, version)
    promoted.save()
    for gate in gates:
        typer.echo(f"  {gate.name}: {gate.detail}")
    typer.echo(f"{model} {promoted.version(model)} is champion; commit registry.json to deploy it.")


@app.command("rollback")
def roll_back_model(
    model: Annotated[str, typer.Argument(help="A model's name, such as genre-bert.")],
    registry: RegistryOption = ROOT,
) -> None:
    """Make the champion before the present one champion again; no gate is asked."""
    before = Registry.load(registry).rolled_back(model)
    before.save()
    typer.echo(f"{model} {before.version(model)} is champion again; commit registry.json to deploy it.")
