"""A large file, from its bytes to rows laid out for the state machine: a chunk an object.

The file is read by the same reader as any other, so quoting, broken rows, row numbers, gzip and byte order marks mean the
same; Step Functions' own readers of CSV and JSONL know none of that. A worker that runs out of time is followed by one that
reads on from the last checkpoint.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from functions.classification.files import FileError, Row, RowError, read_rows
from functions.classification.uploads.errors import TimeIsUp, UploadFailed
from functions.classification.uploads.progress import Status
from functions.classification.uploads.staged import put_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.ending import Run
    from functions.classification.uploads.progress import ProgressTable

    Chunk = list[Row | RowError]

CHECKPOINT_CHUNKS: Final = 8
"""Chunks laid out between two checkpoints, which are stored at the same time."""
CHECKPOINT_CHARS: Final = 16 * 1024 * 1024
"""Characters after which a checkpoint is made with fewer: a chunk of the longest rows fills memory enough."""
MAX_CHUNKS: Final = 10_000
"""One invocation joins the results of so many (`functions.classification.uploads.worker` has the time it needs for one)."""


class Staging:
    """Lays out rows.

    Parameters
    ----------
    client : S3Client
    table : ProgressTable
    reserve_ms : int
        What must be left of an invocation when the next chunks are read.
    """

    def __init__(self, client: S3Client, table: ProgressTable, *, reserve_ms: int) -> None:
        self._client = client
        self._table = table
        self._reserve_ms = reserve_ms

    def run(self, run: Run, remaining_ms: Callable[[], int]) -> None:
        """Lay out what is not yet; the record is ``MAPPED`` then, or ``READ`` where there is no row at all.

        Raises
        ------
        TimeIsUp
            If the next invocation has to go on.
        Superseded, UploadFailed, Unavailable
            As `Source.check`; `UploadFailed` also if there are too many rows.
        """
        rows = read_rows(run.source, name=run.upload.key)
        skipped = run.progress.chunks * run.progress.chunk_rows
        reason: str | None = None
        try:
            for number, _ in enumerate(islice(rows, skipped)):
                if not number % run.progress.chunk_rows:
                    self._check(remaining_ms)
        except FileError as error:
            reason = error.detail
        with ThreadPoolExecutor(CHECKPOINT_CHUNKS, thread_name_prefix="staging") as pool:
            while run.progress.status is Status.STAGING:
                self._check(remaining_ms)
                chunks: list[Chunk] = []
                if reason is None:
                    chunks, reason = _read(rows, run.progress.chunk_rows)
                self._store(run, chunks, reason, pool)
                run.source.check()

    def _check(self, remaining_ms: Callable[[], int]) -> None:
        if remaining_ms() < self._reserve_ms:
            raise TimeIsUp

    def _store(self, run: Run, chunks: list[Chunk], reason: str | None, pool: ThreadPoolExecutor) -> None:
        progress = run.progress
        first, wanted = progress.chunks, progress.chunk_rows
        if first + len(chunks) > MAX_CHUNKS:
            message = f"{run.upload.key} has more than {MAX_CHUNKS * wanted} rows."
            raise UploadFailed(message)
        for _ in pool.map(
            lambda placed: put_rows(self._client, run.upload, first + placed[0], placed[1]), enumerate(chunks)
        ):
            pass
        at_end = reason is not None or not chunks or len(chunks[-1]) < wanted
        count = first + len(chunks)
        changes: dict[str, Any] = {}
        if at_end and count:
            # From here on it is the state machine's, so the lease ends.
            changes = {
                "status": Status.MAPPED,
                "generation": progress.generation + 1,
                "executions": progress.executions + 1,
                "lease_until": 0.0,
            }
        elif at_end:
            changes = {"status": Status.READ}
        run.progress = self._table.advance(
            progress,
            chunks=count,
            rows=progress.rows + sum(map(len, chunks)),
            failed=progress.failed + sum(isinstance(row, RowError) for chunk in chunks for row in chunk),
            reason=reason,
            starts=0,
            **changes,
        )


def _read(rows: Iterator[Row | RowError], wanted: int) -> tuple[list[Chunk], str | None]:
    """Read chunks up to the next checkpoint; the second is why the file ends before its end, if it does."""
    chunks: list[Chunk] = []
    chars = 0
    reason: str | None = None
    while len(chunks) < CHECKPOINT_CHUNKS and chars < CHECKPOINT_CHARS and reason is None:
        chunk: Chunk = []
        try:
            for row in islice(rows, wanted):
                chunk.append(row)
                chars += len(row.text) if isinstance(row, Row) else 0
        except FileError as error:
            reason = error.detail
        if chunk:
            chunks.append(chunk)
        if len(chunk) < wanted:
            break
    return chunks, reason
