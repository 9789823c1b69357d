"""The entry point `trending-now`: which subcommands there are, and how an expected error ends.

Adding a subcommand: write its function or `typer.Typer` in a module of its own and add a `Mount` below. Nothing is
imported before the subcommand is called, so ``trending-now --help`` stays fast; the module may import what it likes.

A function is mounted as one command (its parameters are typer-annotated, its docstring is the help); a `typer.Typer`
as a group. An expected error (see `ERROR_TREES`) that leaves a subcommand ends as its own sentence on stderr and exit
code 1, so subcommands need not catch them; for another code raise `typer.Exit`. Wrong usage exits with 2, as typer does.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import typer

from cdk.cli.lazy import LazyGroup, Mount

MOUNTS: Final = {
    "serve": Mount("cdk.cli.serve:serve", "Run the whole service on this machine."),
    "classify": Mount("cdk.cli.classify:classify", "Classify the rows of a file."),
    "upload": Mount("cdk.cli.upload:upload", "Upload a file to be classified by the service."),
    "uploads": Mount("cdk.cli.uploads:app", "Show and redrive uploads that failed."),
    "models": Mount("cdk.cli.models:app", "List, show, promote and roll back registered models."),
    "rollout": Mount(
        "cdk.cli.rollout:app",
        "Bring a new version of a function beside the live one, shift traffic to it, go back.",
    ),
    "pipeline": Mount("model_artifacts.pipeline.cli:app", "Make a model from a corpus, step by step."),
}

ERROR_TREES: Final = (
    ("trending_core.errors", "TrendingError"),
    ("genre_model.errors", "ArtifactError"),
    ("model_artifacts.registry", "RegistryError"),
    ("model_artifacts.pipeline.errors", "PipelineError"),
    ("cdk.service", "SpecError"),
    ("cdk.local.errors", "LocalServiceError"),
    ("cdk.cli.output", "OutputError"),
    ("cdk.cli.place", "PlaceError"),
)
"""Module and class at the root of each tree of errors that are meant for a person. Only loaded modules count:
an error cannot come from a module that was never imported."""

EXIT_ERROR: Final = 1
EXIT_BROKEN_PIPE: Final = 141
"""What a shell reports for a process that SIGPIPE ended."""


def expected_errors() -> tuple[type[Exception], ...]:
    """Give the roots of the error trees that are loaded now."""
    loaded = ((sys.modules.get(module), name) for module, name in ERROR_TREES)
    return tuple(getattr(module, name) for module, name in loaded if hasattr(module, name))


class _Root(LazyGroup):
    mounts = MOUNTS

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- typer's private types
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output is gone (`| head`): nothing can be said, and Python must not try at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_BROKEN_PIPE) from None
        except Exception as error:
            if not isinstance(error, expected_errors()):
                raise
            typer.echo(f"trending-now: {error}", err=True)
            raise typer.Exit(EXIT_ERROR) from error


app = typer.Typer(
    cls=_Root,
    name="trending-now",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main() -> None:
    """Film plots and reviews in; genres, summaries, scores and what is trending now out."""
