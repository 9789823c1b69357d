"""`trending-now classify`: the rows of a file through the champion, in this process.

Owns the command's options, messages and exit codes. Formats are `functions.classification.files`' business, the order
of the results is that of `functions.classification.batches`.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from cdk.cli.output import Output, OutputError, open_output
from cdk.cli.progress import Counted, RowProgress, row_progress
from functions.classification.batches import classify_in_order
from functions.classification.files import FileError, Format, RowError, read_rows
from functions.classification.files.results import ResultFormat, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.classification.files import Row

EXIT_SOME_ROWS: Final = 3
"""The results are complete, but for rows that could not be read; each of those was reported."""
EXIT_INTERRUPTED: Final = 130
"""What a shell reports for a process that Ctrl-C ended."""

STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True)
class Classifier:
    """A loaded model, as this command needs it.

    Parameters
    ----------
    predict : callable
        Gives for each row of a batch one probability per label.
    results : ResultFormat
        Writes what it gives.
    """

    predict: Callable[[Sequence[Row]], Sequence[Sequence[float]]]
    results: ResultFormat


def load_champion(model: str, threads: int) -> Classifier:
    """Load the champion of a model of the registry.

    Parameters
    ----------
    model : str
        As in the API: ``bert`` is ``genre-bert`` in the registry.
    threads : int
        Compute threads.

    Raises
    ------
    RegistryError
        If the registry has no such model.
    ArtifactError
        If the model cannot be loaded.
    """
    from genre_model import (  # noqa: PLC0415 -- numpy and ONNX Runtime come with it
        GENRES,
        Document,
        GenreModel,
    )
    from model_artifacts.registry import Registry  # noqa: PLC0415 -- only needed here

    loaded = GenreModel.load(Registry.load().resolve(f"genre-{model}"), threads=threads)

    def predict(rows: Sequence[Row]) -> Sequence[Sequence[float]]:
        probabilities: list[list[float]] = loaded.predict(
            [Document(row.text, row.title) for row in rows]
        ).tolist()
        return probabilities

    return Classifier(predict, ResultFormat(GENRES, loaded.thresholds.tolist(), loaded.name, loaded.version))


@dataclass(slots=True)
class Tally:
    """What came of the rows so far."""

    classified: int = 0
    failed: int = 0


def classify(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="CSV or JSONL, gzipped or not; - is standard input.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Where results go, written whole or not at all."),
    ] = None,
    model: Annotated[str, typer.Option(help="Which model: its champion is taken.")] = "bert",
    errors: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Where unreadable rows are listed as JSONL, instead of on stderr."),
    ] = None,
    file_format: Annotated[
        Format, typer.Option("--format", help="Told by the name or the content if auto.")
    ] = Format.AUTO,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Compute threads.", show_default="all cores")
    ] = None,
) -> None:
    """Classify the rows of a file.

    A CSV file needs a header with a column text; id and title are optional. A JSONL file has one object a line with
    text, and optionally id and title. Each row gives one line: {"id", "genres", "scores", "model"}; id is the
    number of the row's line where it has none of its own. The results have the order of the rows.

    Exit codes: 0 every row was classified, 3 some rows could not be read (each is reported with its line), 1 the
    file, the model or the output cannot be used.
    """
    name = "standard input" if file == STANDARD_INPUT else file
    started = time.monotonic()
    tally = Tally()
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(_open_input(file))
            _refuse_same_file(stream, output, errors)
            results = stack.enter_context(open_output(output))
            error_list = stack.enter_context(open_output(errors)) if errors else None
            classifier = load_champion(model, threads or _cores())
            bar = stack.enter_context(
                row_progress(
                    f"classifying {Path(name).name}",
                    total_bytes=_size(stream),
                    shown=output is not None or not sys.stdout.isatty(),
                )
            )
            _classify_rows(stream, name, file_format, classifier, results, error_list, bar, tally)
    except KeyboardInterrupt:
        typer.echo(f"trending-now: stopped after {_rows(tally.classified)}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    typer.echo(_summary(tally, time.monotonic() - started, classifier.results), err=True)
    if tally.failed:
        raise typer.Exit(EXIT_SOME_ROWS)


def _classify_rows(
    stream: BinaryIO,
    name: str,
    file_format: Format,
    classifier: Classifier,
    results: Output,
    error_list: Output | None,
    bar: RowProgress,
    tally: Tally,
) -> None:
    source = Counted(stream)

    def predict(batch: Sequence[Row]) -> Sequence[Sequence[float]]:
        results.flush()  # nothing waits in a buffer while the model computes
        probabilities = classifier.predict(batch)
        bar.add_rows(len(batch))
        return probabilities

    try:
        for outcome in classify_in_order(read_rows(source, name=name, file_format=file_format), predict):
            if not isinstance(outcome, RowError):
                results.write(classifier.results.line(outcome.row, outcome.prediction))
                tally.classified += 1
            else:
                tally.failed += 1
                if error_list:
                    error_list.write(error_line(outcome))
                else:
                    bar.say(f"{name}:{outcome.number}: {outcome.reason}")
            bar.at_byte(source.bytes_read)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        message = f"{name} cannot be read: {error.strerror or error}"
        raise FileError(message) from error


def _open_input(file: str) -> BinaryIO:
    if file == STANDARD_INPUT:
        if sys.stdin is None:  # a shell closes it with <&-
            message = "standard input is closed"
            raise FileError(message)
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        message = f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise FileError(message) from error


def _refuse_same_file(stream: BinaryIO, output: Path | None, errors: Path | None) -> None:
    if output and errors and output.resolve() == errors.resolve():
        message = f"results and errors cannot both be written to {errors}"
        raise OutputError(message)
    read = os.fstat(stream.fileno())
    for target in (output, errors):
        if target and target.is_file() and os.path.samestat(read, target.stat()):
            message = f"{target} cannot be written: it is the file that is read"
            raise OutputError(message)


def _size(stream: BinaryIO) -> int | None:
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what this process may use, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"


def _summary(tally: Tally, seconds: float, results: ResultFormat) -> str:
    unreadable = f", {_rows(tally.failed)} could not be read" if tally.failed else ""
    rate = tally.classified / seconds
    return (
        f"{_rows(tally.classified)} classified by {results.model} {results.version}{unreadable}; "
        f"{seconds:.1f} s, {rate:.1f} rows/s"
    )
