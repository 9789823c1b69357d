"""One upload, from where the last worker left it to its end or to the end of the invocation's time.

Owns the order of the steps; knows the model only as something that gives probabilities for rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from functions.classification.batches import classify_in_order
from functions.classification.files import FileError, RowError, read_rows
from functions.classification.files.results import error_line
from functions.classification.uploads.chunks import ChunkMissing, put_chunk
from functions.classification.uploads.errors import Superseded, TimeIsUp, UploadFailed
from functions.classification.uploads.progress import FINAL, Progress, ProgressTable, Status
from functions.classification.uploads.source import Source
from trending_core.telemetry import MetricUnit, get_logger, get_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_s3.client import S3Client

    from functions.classification.files import Row
    from functions.classification.files.results import ResultFormat
    from functions.classification.uploads.publish import Publisher
    from functions.classification.uploads.upload import Upload

MAX_STARTS: Final = 6
"""Starts without a finished chunk after which an upload is given up: its next rows end every worker."""
_PUBLISH_MS: Final = 10_000
_PUBLISH_CHUNK_MS: Final = 20
"""What is left to the invocation when the chunks are joined, at least: a fixed part and one per chunk."""


@dataclass(frozen=True, slots=True)
class Model:
    """The model as the worker needs it.

    Parameters
    ----------
    predict : callable
        Gives for each row of a batch one probability per label. What it gives for a row must not depend on the others.
    results : ResultFormat
        Writes what it gives.
    """

    predict: Callable[[Sequence[Row]], Sequence[Sequence[float]]]
    results: ResultFormat


class Worker:
    """Works on uploads, one at a time.

    Parameters
    ----------
    client : S3Client
    table : ProgressTable
    publisher : Publisher
    model : Model
    chunk_rows : int
        Rows between two checkpoints.
    reserve_ms : int
        What must be left of an invocation when a batch of rows goes to the model.
    max_bytes : int
        A larger object is refused.
    """

    def __init__(
        self,
        client: S3Client,
        table: ProgressTable,
        publisher: Publisher,
        model: Model,
        *,
        chunk_rows: int,
        reserve_ms: int,
        max_bytes: int,
    ) -> None:
        self.table = table
        self._client = client
        self._publisher = publisher
        self._model = model
        self._chunk_rows = chunk_rows
        self._reserve_ms = reserve_ms
        self._max_bytes = max_bytes

    def run(
        self,
        upload: Upload,
        *,
        again: bool,
        remaining_ms: Callable[[], int],
        bury: Callable[[str], None],
    ) -> None:
        """Work on an upload; when this returns, nothing is left to do.

        Parameters
        ----------
        again : bool
            Somebody asked for it again after it had failed.
        remaining_ms : callable
            Milliseconds until the invocation times out.
        bury : callable
            Called with the reason if it can never succeed, before that is recorded.

        Raises
        ------
        TimeIsUp
            If an invocation with more time has to go on.
        Busy
            If another worker has it.
        Unavailable
            If S3 or DynamoDB does not answer.
        """
        progress = self.table.claim(upload, chunk_rows=self._chunk_rows, again=again)
        if progress.status in FINAL:
            return
        source = Source(self._client, upload)
        run = _Run(upload, source, progress)
        try:
            self._finish_chunks(run, remaining_ms)
            self._publish(run, remaining_ms, bury)
        except Superseded as error:
            self._publisher.publish_superseded(upload, source, run.progress, error.detail)
            self._end(run, Status.SUPERSEDED, error.detail)
        except UploadFailed as error:
            self._fail(run, error.detail, bury)
        except (TimeIsUp, ChunkMissing) as error:
            fresh = {"chunks": 0, "rows": 0, "failed": 0, "status": Status.RUNNING}
            changes = fresh if isinstance(error, ChunkMissing) else {}
            run.progress = self.table.advance(run.progress, lease_until=0.0, **changes)
            raise TimeIsUp from error

    def _finish_chunks(self, run: _Run, remaining_ms: Callable[[], int]) -> None:
        """Classify what is not classified yet, a chunk at a time, each recorded when it is stored."""
        progress = run.progress
        if progress.starts > MAX_STARTS:
            first = progress.chunks * progress.chunk_rows + 1
            message = (
                f"The worker ended {progress.starts - 1} times while it was at rows {first} to "
                f"{first + progress.chunk_rows - 1}."
            )
            raise UploadFailed(message)
        run.source.check()
        if run.source.size > self._max_bytes:
            message = f"{run.upload.key} has {run.source.size} bytes, more than {self._max_bytes}."
            raise UploadFailed(message)
        if progress.status is Status.READ:
            return
        rows = read_rows(run.source, name=run.upload.key)
        try:
            for _ in islice(rows, progress.chunks * progress.chunk_rows):
                pass
        except FileError as error:
            self._end_of_file(run, error.detail)
            return
        while run.progress.status is Status.RUNNING:
            self._one_chunk(run, rows, remaining_ms)
            run.source.check()

    def _one_chunk(self, run: _Run, rows: Iterator[Row | RowError], remaining_ms: Callable[[], int]) -> None:
        def predict(batch: Sequence[Row]) -> Sequence[Sequence[float]]:
            if remaining_ms() < self._reserve_ms:
                raise TimeIsUp
            return self._model.predict(batch)

        results, errors = bytearray(), bytearray()
        count = failed = 0
        reason: str | None = None
        wanted = run.progress.chunk_rows
        try:
            for outcome in classify_in_order(islice(rows, wanted), predict):
                count += 1
                if isinstance(outcome, RowError):
                    failed += 1
                    errors += error_line(outcome)
                else:
                    results += self._model.results.line(outcome.row, outcome.prediction)
        except FileError as error:
            reason = error.detail
        progress = run.progress
        if count:
            put_chunk(self._client, run.upload, progress.chunks, bytes(results), bytes(errors))
        at_end = count < wanted
        run.progress = self.table.advance(
            progress,
            chunks=progress.chunks + bool(count),
            rows=progress.rows + count,
            failed=progress.failed + failed,
            status=Status.READ if at_end else Status.RUNNING,
            reason=reason,
            starts=0,
        )
        run.worked = True
        metrics = get_metrics()
        metrics.add_metric(name="UploadRows", unit=MetricUnit.Count, value=count)
        metrics.add_metric(name="UploadRowErrors", unit=MetricUnit.Count, value=failed)

    def _end_of_file(self, run: _Run, reason: str) -> None:
        run.progress = self.table.advance(run.progress, status=Status.READ, reason=reason, starts=0)

    def _publish(self, run: _Run, remaining_ms: Callable[[], int], bury: Callable[[str], None]) -> None:
        progress = run.progress
        # A fresh invocation has all the time there is: it does not hand over.
        if run.worked and remaining_ms() < _PUBLISH_MS + _PUBLISH_CHUNK_MS * progress.chunks:
            raise TimeIsUp
        self._publisher.publish(run.upload, run.source, progress)
        if progress.reason is None:
            self._end(run, Status.DONE, None)
        else:
            bury(progress.reason)
            self._end(run, Status.FAILED, progress.reason)

    def _fail(self, run: _Run, reason: str, bury: Callable[[str], None]) -> None:
        """Say that nothing can come of it: in the summary if S3 lets us, in the dead-letter queue, in the record."""
        try:
            self._publisher.publish_failure(run.upload, run.source, run.progress, reason)
        except Superseded as error:
            self._end(run, Status.SUPERSEDED, error.detail)
            return
        except UploadFailed:
            get_logger().warning("a summary may not be written", key=run.upload.key)
        bury(reason)
        self._end(run, Status.FAILED, reason)

    def _end(self, run: _Run, status: Status, reason: str | None) -> None:
        run.progress = self.table.advance(run.progress, status=status, reason=reason, lease_until=0.0)
        get_logger().info(
            "an upload ended",
            key=run.upload.key,
            version=run.upload.version,
            status=str(status),
            rows=run.progress.rows,
            failed=run.progress.failed,
            runs=run.progress.runs,
        )
        get_metrics().add_metric(name=f"Uploads.{status}", unit=MetricUnit.Count, value=1)


@dataclass(slots=True)
class _Run:
    """What one `Worker.run` is about.

    Parameters
    ----------
    progress : Progress
        The record as this worker last wrote it.
    worked : bool
        Whether a chunk was done in this run.
    """

    upload: Upload
    source: Source
    progress: Progress
    worked: bool = False
