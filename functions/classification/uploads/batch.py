"""A batch of messages: each worked on by itself, and those that failed named so that only they come back.

Owns what an ending means for the message. Done or superseded: it goes. Time is up, or another worker has the upload: a
new message is sent and this one goes, so that waiting uses up no delivery. S3, SQS or DynamoDB does not answer: it comes
back soon, and after the last delivery is buried. Can never succeed: it is buried at once. Buried means in the dead-letter
queue, with the reason. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.errors import Busy, TimeIsUp, UploadFailed
from functions.classification.uploads.messages import read_message, write_message
from functions.classification.uploads.progress import FINAL
from functions.classification.uploads.queue import asks_again
from trending_core.errors import TrendingError, Unavailable
from trending_core.telemetry import MetricUnit, error_places, get_logger, get_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.classification.uploads.queue import UploadQueue
    from functions.classification.uploads.upload import Upload
    from functions.classification.uploads.worker import Worker

BACK_OFF_S: Final = 30
"""Seconds until a message returns after its first failure."""
BACK_OFF_FACTOR: Final = 8
"""How many times as long it takes after each further one: with three deliveries, an outage of four minutes needs nobody."""


class Batches:
    """Works on batches.

    Parameters
    ----------
    worker : Worker
    queue : UploadQueue
    bucket : str
        The only one whose objects are uploads.
    max_receives : int
        Deliveries before SQS moves a message to the dead-letter queue.
    """

    def __init__(self, worker: Worker, queue: UploadQueue, *, bucket: str, max_receives: int) -> None:
        self._worker = worker
        self._queue = queue
        self._bucket = bucket
        self._max_receives = max_receives

    def work(
        self, event: Mapping[str, Any], *, remaining_ms: Callable[[], int]
    ) -> dict[str, list[dict[str, str]]]:
        """Work on an SQS event.

        Parameters
        ----------
        remaining_ms : callable
            Milliseconds until the invocation times out.

        Returns
        -------
        dict
            ``{"batchItemFailures": [{"itemIdentifier": message id}, ...]}``.
        """
        failures = [
            {"itemIdentifier": record["messageId"]}
            for record in event["Records"]
            if not self._message(record, remaining_ms)
        ]
        metrics = get_metrics()
        metrics.add_metric(name="FailedMessages", unit=MetricUnit.Count, value=len(failures))
        metrics.flush_metrics()
        return {"batchItemFailures": failures}

    def _message(self, record: dict[str, Any], remaining_ms: Callable[[], int]) -> bool:
        """Work on one message; tell whether it may go."""
        try:
            self._uploads(record, remaining_ms)
        except Unavailable as error:
            return self._later(record, error.detail)
        except Exception as error:  # noqa: BLE001 -- one broken message must not fail its neighbours; logged, and it comes back
            get_logger().error("an upload broke", error_places=error_places(error))
            return self._later(record, f"An unexpected error ended the work ({type(error).__name__}).")
        return True

    def _uploads(self, record: dict[str, Any], remaining_ms: Callable[[], int]) -> None:
        try:
            uploads = read_message(record["body"])
        except UploadFailed as error:
            self._queue.bury(record["body"], error.detail)
            return
        for upload in uploads:
            self._upload(upload, record, remaining_ms)

    def _upload(self, upload: Upload, record: dict[str, Any], remaining_ms: Callable[[], int]) -> None:
        if upload.bucket != self._bucket:
            self._queue.bury(write_message(upload), f"{upload.bucket} is not the bucket of uploads.")
            return
        if self._is_last(record) and self._has_advanced(upload):
            # The deliveries were spent by workers that ended, but each got further: it gets all of them anew.
            self._queue.send(upload)
            return
        try:
            self._worker.run(
                upload,
                again=asks_again(record),
                remaining_ms=remaining_ms,
                bury=lambda reason: self._queue.bury(write_message(upload), reason),
            )
        except TimeIsUp:
            self._queue.send(upload)
        except Busy as error:
            self._queue.send(upload, delay_s=error.seconds)

    def _is_last(self, record: dict[str, Any]) -> bool:
        return int(record["attributes"]["ApproximateReceiveCount"]) >= self._max_receives

    def _has_advanced(self, upload: Upload) -> bool:
        progress = self._worker.table.get(upload.id)
        return progress is not None and progress.status not in FINAL and progress.starts == 0

    def _later(self, record: dict[str, Any], reason: str) -> bool:
        """Let a message come back, or bury it after its last delivery; tell whether it may go."""
        received = int(record["attributes"]["ApproximateReceiveCount"])
        get_logger().warning("a message failed", reason=reason, received=received)
        try:
            if received >= self._max_receives:
                self._queue.bury(record["body"], reason)
                return True
            self._queue.hide(record["receiptHandle"], BACK_OFF_S * BACK_OFF_FACTOR ** (received - 1))
        except TrendingError as error:
            get_logger().warning("a message is left to the queue", reason=error.detail)
        return False
