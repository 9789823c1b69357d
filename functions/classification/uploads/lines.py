"""Outcomes of a chunk's rows to the lines that are stored for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.classification.files import FileError, RowError
from functions.classification.files.results import error_line, refusal_line
from functions.classification.uploads.item_writer import Itemised, Verdict
from trending_core.telemetry import MetricUnit, get_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.classification.files.results import ResultFormat
    from functions.classification.uploads.item_writer import Outcome


@dataclass(slots=True)
class ChunkLines:
    """What came of a chunk's rows.

    Parameters
    ----------
    results, errors : bytearray
        Lines, each with its end.
    count, failed : int
        Rows, and how many of them are errors.
    items, refused : int
        Rows that became items, and rows that were classified and did not, though they were to.
    reason : str or None
        Why the file ends here before its end.
    """

    results: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    count: int = 0
    failed: int = 0
    items: int = 0
    refused: int = 0
    reason: str | None = None

    def count_metrics(self) -> None:
        """Count the rows, once they are stored."""
        metrics = get_metrics()
        metrics.add_metric(name="UploadRows", unit=MetricUnit.Count, value=self.count)
        metrics.add_metric(name="UploadRowErrors", unit=MetricUnit.Count, value=self.failed)
        metrics.add_metric(name="UploadItems", unit=MetricUnit.Count, value=self.items)
        metrics.add_metric(name="UploadItemsRefused", unit=MetricUnit.Count, value=self.refused)

    def add(self, outcome: Outcome, results: ResultFormat) -> None:
        """Write what came of a row."""
        self.count += 1
        if isinstance(outcome, RowError):
            self.failed += 1
            self.errors += error_line(outcome)
            return
        verdict = outcome.verdict if isinstance(outcome, Itemised) else Verdict(None)
        self.results += results.line(outcome.row, outcome.prediction, item_id=verdict.item_id)
        self.items += verdict.item_id is not None
        if verdict.reason is not None:
            self.refused += 1
            self.errors += refusal_line(outcome.row, f"classified, but no item: {verdict.reason}")


def chunk_lines(outcomes: Iterable[Outcome], results: ResultFormat) -> ChunkLines:
    """Write the outcomes of a chunk's rows, in order."""
    lines = ChunkLines()
    try:
        for outcome in outcomes:
            lines.add(outcome, results)
    except FileError as error:
        lines.reason = error.detail
    return lines
