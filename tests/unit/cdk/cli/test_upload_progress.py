"""What `upload --wait` shows of a file that one worker has, and of one that the state machine has."""

from __future__ import annotations

import pytest

from cdk.cli.upload import shown
from functions.classification.uploads.progress import Progress, Status

CHUNK = 512


def record(status: Status, **values: object) -> Progress:
    return Progress("id", "uploads/a.csv", CHUNK, 0.0, status, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (record(Status.RUNNING, chunks=2, rows=1_024), ("classifying uploads/a.csv", 1_024, None)),
        (record(Status.STAGING, chunks=8, rows=4_096), ("reading uploads/a.csv", 4_096, None)),
        (record(Status.MAPPED, chunks=4, rows=1_600), ("classifying uploads/a.csv", 0, 1_600)),
        (
            record(Status.MAPPED, chunks=4, rows=1_600, done=frozenset({0, 2})),
            ("classifying uploads/a.csv", 1_024, 1_600),
        ),
        (
            record(Status.MAPPED, chunks=4, rows=1_600, done=frozenset({3})),
            ("classifying uploads/a.csv", 64, 1_600),
        ),
        (
            record(Status.MAPPED, chunks=4, rows=1_600, done=frozenset(range(4))),
            ("classifying uploads/a.csv", 1_600, 1_600),
        ),
        (record(Status.DONE, chunks=4, rows=1_600), ("classifying uploads/a.csv", 1_600, None)),
    ],
)
def test_rows_are_counted_once(found: Progress, wanted: tuple[str, int, int | None]) -> None:
    assert shown(found) == wanted
