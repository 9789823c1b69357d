"""``trending-now rollout``: begin a rollout in the running service, watch it, go back."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from cdk.cli.control_client import ControlClient

app = typer.Typer(
    name="rollout",
    help="Bring a new version of a function beside the live one, shift traffic to it, go back.",
    no_args_is_help=True,
)

REFRESH_S: Final = 0.5
EXIT_ROLLED_BACK: Final = 1
_PROMOTED: Final = "promoted"

FunctionArgument = Annotated[str, typer.Argument(help="Name of a function, such as classification.")]
DataOption = Annotated[Path, typer.Option(help="Data folder of the running service.")]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Show it until it ends; exit with 1 if it is rolled back.")
]


@app.command()
def start(
    function: FunctionArgument,
    version: Annotated[
        list[str] | None,
        typer.Option(
            help="What the new version is: MODEL=VERSION, the version of the function's only model, or a folder with "
            "another checkout's code. Repeat it for a model and code."
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A variable of the new version. Repeatable."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Compress the strategy's time by this factor.")] = 1.0,
    data: DataOption = Path(".data"),
    watch: WatchOption = False,
) -> None:
    """Publish a second version beside the live one and shift traffic to it.

    Its environments start before traffic arrives, golden requests test it, then the alias moves by the spec's strategy.
    Errors, latency and memory of the new version are watched: it is promoted, or rolled back by itself.
    """
    client = _client(data)
    versions = [str(Path(text).resolve()) if Path(text).is_dir() else text for text in version or ()]
    record = client.start(function, versions, _variables(env or []), speed)
    typer.echo(
        f"version {record['new']} of {function} ({record['description']}) beside version {record['old']}"
    )
    if watch:
        _watch(client, function)
    else:
        typer.echo(f"  follow it: trending-now rollout status {function} --watch --data {data}")


@app.command()
def status(
    function: Annotated[
        str | None, typer.Argument(help="Name of a function; all functions without it.")
    ] = None,
    *,
    data: DataOption = Path(".data"),
    watch: WatchOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the service says, as JSON.")] = False,
) -> None:
    """Show each version's weight, requests, error rate and p99.

    The figures are those since the rollout's first shift; ``spill`` counts requests beyond the provisioned environments.
    """
    client = _client(data)
    if watch:
        _watch(client, function)
        return
    found = client.status(function)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console  # noqa: PLC0415 -- start-up of the other commands

    console = Console()
    console.print(_table(found))
    for sentence in _sentences(found):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


@app.command()
def rollback(function: FunctionArgument, data: DataOption = Path(".data")) -> None:
    """Go back: end the rollout that is under way, or take back the last one that was promoted."""
    record = _client(data).roll_back(function)
    typer.echo(f"version {record['old']} of {function} serves again; version {record['new']} is rolled back")


def _client(data: Path) -> ControlClient:
    from cdk.cli.control_client import ControlClient  # noqa: PLC0415 -- start-up of the other commands

    return ControlClient(data)


def _variables(texts: list[str]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            message = f"{text!r} is not NAME=VALUE"
            raise typer.BadParameter(message, param_hint="--env")
        variables[name] = value
    return variables


def _watch(client: ControlClient, function: str | None) -> None:
    """Follow until no rollout is under way: a table on a terminal, elsewhere a line for each change."""
    from rich.console import Console, Group  # noqa: PLC0415 -- start-up of the other commands
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
    said: dict[str, tuple[str, float]] = {}
    with live or nullcontext():
        while True:
            found = [entry for entry in client.status(function) if function or entry["rollout"] is not None]
            if live is None:
                for entry in found:
                    _say_change(entry, said)
            else:
                live.update(Group(_table(found), *(Text(sentence) for sentence in _sentences(found))))
            if not any(entry["under_way"] for entry in found):
                break
            time.sleep(REFRESH_S)
    if any(entry["rollout"] is not None and entry["rollout"]["phase"] != _PROMOTED for entry in found):
        raise typer.Exit(EXIT_ROLLED_BACK)


def _say_change(entry: dict[str, Any], said: dict[str, tuple[str, float]]) -> None:
    rollout = entry["rollout"]
    if rollout is None:
        return
    stage = (rollout["phase"], rollout["weight"])
    if said.get(entry["function"]) != stage:
        said[entry["function"]] = stage
        typer.echo(_sentence(entry))


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Table  # noqa: PLC0415 -- start-up of the other commands

    table = Table(box=None, pad_edge=False)
    table.add_column("function", no_wrap=True)
    for heading in ("version", "weight", "requests", "error rate", "p99 ms", "spill"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in found:
        for version in entry["versions"]:
            p99_ms = version["p99_ms"]
            table.add_row(
                entry["function"],
                version["version"],
                f"{version['weight']:.0%}",
                f"{version['requests']:,}",
                f"{version['error_rate']:.2%}",
                "" if p99_ms is None else f"{p99_ms:.0f}",
                f"{version['spillover']:,}" if version["provisioned"] else "",
            )
    return table


def _sentences(found: list[dict[str, Any]]) -> list[str]:
    """Give where each rollout stands, then what the versions on the table are."""
    stand = [_sentence(entry) for entry in found if entry["rollout"] is not None]
    versions = [
        f"{entry['function']} version {version['version']}: {version['description']}"
        for entry in found
        if entry["rollout"] is not None
        for version in entry["versions"]
    ]
    return stand + versions


def _sentence(entry: dict[str, Any]) -> str:
    rollout = entry["rollout"]
    text = f"{entry['function']}: version {rollout['new']} beside {rollout['old']}: {rollout['phase']}"
    if entry["under_way"] and rollout["weight"]:
        text += f", {rollout['weight']:.0%} of the requests"
    if rollout["reason"]:
        text += f" because {rollout['reason']}"
    if rollout["requests"]:
        text += (
            f"; {rollout['failed']:,} of {rollout['requests']:,} client requests failed "
            f"({rollout['failed_share']:.2%})"
        )
    return text
