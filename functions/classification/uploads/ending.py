"""How an upload ends: results, or a summary that says why there are none; the dead-letter queue; the record.

The same for uploads that the queue's worker finishes and for those that the state machine does. The record comes last: who
dies before it leaves an upload that somebody ends again, to the same objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.classification.uploads.errors import Superseded, UploadFailed
from functions.classification.uploads.progress import Progress, ProgressTable, Status
from trending_core.telemetry import MetricUnit, get_logger, get_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.classification.uploads.publish import Publisher
    from functions.classification.uploads.source import Source
    from functions.classification.uploads.upload import Upload


@dataclass(slots=True)
class Run:
    """What one worker is about.

    Parameters
    ----------
    progress : Progress
        The record as this worker last wrote it; it is this worker's.
    worked : bool
        Whether a chunk was done in this run.
    """

    upload: Upload
    source: Source
    progress: Progress
    worked: bool = False


class Ending:
    """Ends uploads.

    Parameters
    ----------
    table : ProgressTable
    publisher : Publisher
    """

    def __init__(self, table: ProgressTable, publisher: Publisher) -> None:
        self._table = table
        self._publisher = publisher

    def publish(self, run: Run, bury: Callable[[str], None]) -> None:
        """Join the chunks into results; a file that could not be read to its end has failed all the same.

        Raises
        ------
        Superseded
            If there is a newer version.
        ChunkMissing
            If a chunk is gone.
        UploadFailed, Unavailable
            If S3 refuses or does not answer.
        """
        reason = run.progress.reason
        self._publisher.publish(run.upload, run.source, run.progress)
        if reason is None:
            self._end(run, Status.DONE, None)
        else:
            bury(reason)
            self._end(run, Status.FAILED, reason)

    def supersede(self, run: Run, reason: str) -> None:
        """Leave the results to the newer version.

        Raises
        ------
        UploadFailed, Unavailable
            If S3 refuses or does not answer.
        """
        self._publisher.publish_superseded(run.upload, run.source, run.progress, reason)
        self._end(run, Status.SUPERSEDED, reason)

    def fail(self, run: Run, reason: str, bury: Callable[[str], None]) -> None:
        """Say that nothing can come of it: in the summary if S3 lets us, in the dead-letter queue, in the record.

        Raises
        ------
        Unavailable
            If S3, SQS or DynamoDB does not answer.
        """
        try:
            self._publisher.publish_failure(run.upload, run.source, run.progress, reason)
        except Superseded as error:
            self._end(run, Status.SUPERSEDED, error.detail)
            return
        except UploadFailed:
            get_logger().warning("a summary may not be written", key=run.upload.key)
        bury(reason)
        self._end(run, Status.FAILED, reason)

    def _end(self, run: Run, status: Status, reason: str | None) -> None:
        run.progress = self._table.advance(run.progress, status=status, reason=reason, lease_until=0.0)
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
