"""``trending-now pipeline``: one command a step, and ``all``.

Errors of the pipeline pass through; ``cdk/cli/main.py`` turns them into one sentence.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from model_artifacts.pipeline.errors import RecipeError
from model_artifacts.pipeline.recipe import BertRecipe, load_recipe
from model_artifacts.registry import ROOT

RECIPES: Final = Path(__file__).parent / "recipes"
DEFAULT_RECIPE: Final = RECIPES / "genre-bert-0.2.0.toml"

CORES: Final = os.cpu_count() or 1

app = typer.Typer(
    name="pipeline",
    help="Make a model from a corpus, step by step; a finished step is not run again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CorpusOption = Annotated[
    Path,
    typer.Option(help="Folder with train.jsonl.gz and validation.jsonl.gz.", exists=True, file_okay=False),
]
RecipeOption = Annotated[Path, typer.Option(help="What to make: a TOML file.", dir_okay=False)]
OutOption = Annotated[
    Path | None,
    typer.Option(help="Working folder; build/pipeline/MODEL-VERSION by default.", file_okay=False),
]
RegistryOption = Annotated[
    Path, typer.Option(help="Folder whose registry.json the model is entered in.", file_okay=False)
]
ThreadsOption = Annotated[
    int,
    typer.Option(
        min=1, help="Compute threads; the transformer's training takes what torch is given (OMP_NUM_THREADS)."
    ),
]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Skip flawed corpus lines instead of stopping.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run even what is up to date.")]

_HELP: Final = {
    "prepare": "Read the corpus, tokenize it, find which labels each source knows.",
    "cross-fit": "Ask the linear model about texts it has not seen; for training beside it.",
    "teach": "Train a larger network on folds, and ask it about the texts it has not seen.",
    "train": "Train the model the recipe names; goes on from its last checkpoint.",
    "export": "Write the trained model as ONNX and hold it against the original.",
    "quantize": "Turn the transformer into INT8 that saturates on no processor.",
    "wide": "Fit the linear model that stands beside the transformer.",
    "calibrate": "Fit probabilities and thresholds on the validation file.",
    "evaluate": "Measure the finished artifact, and what quantization cost it.",
    "report": "Draw the plots and write the model card.",
    "register": "Copy the artifact into the registry.",
    "all": "Run every step that is not up to date.",
}


def _command(name: str) -> None:
    def command(
        corpus: CorpusOption,
        recipe: RecipeOption = DEFAULT_RECIPE,
        out: OutOption = None,
        registry: RegistryOption = ROOT,
        threads: ThreadsOption = CORES,
        skip_bad_lines: SkipOption = False,
        force: ForceOption = False,
    ) -> None:
        from model_artifacts.pipeline.steps import Run, run_steps, steps_of  # noqa: PLC0415 -- slow import

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
        chosen = load_recipe(recipe)
        run = Run(
            recipe=chosen,
            corpus=corpus,
            out=out or Path("build/pipeline") / f"{chosen.model}-{chosen.version}",
            registry=registry,
            threads=threads,
            skip_bad_lines=skip_bad_lines,
        )
        run_steps(run, list(steps_of(run)) if name == "all" else [name], force=force)

    app.command(name, help=_HELP[name])(command)


for _name in _HELP:
    _command(_name)


@app.command("study")
def study(
    corpus: CorpusOption,
    recipe: RecipeOption = DEFAULT_RECIPE,
    out: OutOption = None,
    titles: Annotated[int, typer.Option(min=20, help="Titles every variant is scored on.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds, about two seconds each.")] = 100,
    skip_bad_lines: SkipOption = False,
) -> None:
    """Compare the trained network's variants: runtimes, quantization, pruning; `report` then draws them."""
    from model_artifacts.pipeline.prepare import corpus_file  # noqa: PLC0415 -- slow imports
    from model_artifacts.pipeline.stamps import STAMP  # noqa: PLC0415
    from model_artifacts.pipeline.steps import Run, require  # noqa: PLC0415
    from model_artifacts.pipeline.study.step import study as compare  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    chosen = load_recipe(recipe)
    if not isinstance(chosen, BertRecipe):
        message = f"recipe {recipe} makes {chosen.model}; only the transformer is studied"
        raise RecipeError(message)
    folder = out or Path("build/pipeline") / f"{chosen.model}-{chosen.version}"
    run = Run(recipe=chosen, corpus=corpus, out=folder, registry=ROOT, skip_bad_lines=skip_bad_lines)
    require(run, "quantize")
    compare(
        run=folder,
        corpus_file=corpus_file(corpus, "validation"),
        recipe=chosen,
        titles=titles,
        rounds=rounds,
        skip_bad_lines=skip_bad_lines,
    )
    # The report shows the study: it is due again.
    (run.folder("report") / STAMP).unlink(missing_ok=True)


@app.command("score")
def score(
    results: Annotated[Path, typer.Argument(help="What `trending-now classify` wrote.", dir_okay=False)],
    corpus_file: Annotated[
        Path, typer.Argument(help="The corpus file with the true genres.", dir_okay=False)
    ],
) -> None:
    """Hold the results of `trending-now classify` against a corpus file, and print F1 as JSON."""
    from model_artifacts.pipeline.score import score_results  # noqa: PLC0415 -- slow import

    typer.echo(json.dumps(score_results(results, corpus_file)))
