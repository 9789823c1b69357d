"""What the state machine asks of the function: classify a batch, note why one was given up, publish, fail.

``cdk.service.upload_map`` has the order of the steps and who asks again when. An event is ``{"step", "upload",
"generation"}`` and what the step needs besides. Every step may be asked for twice, and late: one that an execution asks for
that does not have the upload any more changes nothing.

What follows from the upload (replaced, deleted, unreadable) is an answer, not an error: errors are for what another try may
mend, and Lambda's count of them says something of the function.
"""

from __future__ import annotations

import json
from contextlib import closing
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.chunks import put_chunk
from functions.classification.uploads.ending import Run
from functions.classification.uploads.errors import Superseded, TimeIsUp, UploadFailed
from functions.classification.uploads.items import wish_of
from functions.classification.uploads.lines import chunk_lines
from functions.classification.uploads.messages import write_message
from functions.classification.uploads.outcomes import Outcomes
from functions.classification.uploads.progress import Progress, ProgressTable, Status
from functions.classification.uploads.source import Source
from functions.classification.uploads.staged import get_rows
from functions.classification.uploads.upload import Upload
from trending_core.errors import TrendingError
from trending_core.telemetry import MetricUnit, error_places, get_logger, get_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.ending import Ending
    from functions.classification.uploads.item_writer import ItemWriter
    from functions.classification.uploads.queue import UploadQueue
    from functions.classification.uploads.worker import Model

STEPS: Final = ("classify", "note", "publish", "fail")


class StepBroke(TrendingError):  # noqa: N818 -- says what it is without the suffix
    """An unexpected error; only its type is told, because the execution's history is no place for a row's text."""

    title = "Step broke"
    slug = "step-broke"


class Steps:
    """Takes the steps.

    Parameters
    ----------
    client : S3Client
    table : ProgressTable
    ending : Ending
    queue : UploadQueue
    model : Model
    items : ItemWriter
    bucket : str
        The only one whose objects are uploads.
    reserve_ms : int
        What must be left of an invocation when a batch of rows goes to the model.
    """

    def __init__(
        self,
        client: S3Client,
        table: ProgressTable,
        ending: Ending,
        queue: UploadQueue,
        model: Model,
        items: ItemWriter,
        *,
        bucket: str,
        reserve_ms: int,
    ) -> None:
        self._client = client
        self._table = table
        self._ending = ending
        self._queue = queue
        self._model = model
        self._outcomes = Outcomes(model, items, reserve_ms)
        self._bucket = bucket

    def take(self, event: Mapping[str, Any], *, remaining_ms: Callable[[], int]) -> dict[str, Any]:
        """Take one step.

        Parameters
        ----------
        remaining_ms : callable
            Milliseconds until the invocation times out.

        Returns
        -------
        dict
            Of ``classify``: ``left``, the chunks of the batch still to be done, and ``stopped`` if nothing can come of
            it. Of ``publish`` and ``fail``: ``status`` and ``reason``.

        Raises
        ------
        TimeIsUp
            If an invocation is too short for a single chunk.
        Busy
            If another worker ends the upload.
        Unavailable
            If S3, SQS or DynamoDB does not answer.
        ChunkMissing
            If results are gone that were there.
        StepBroke
            If anything else went wrong.
        """
        failed = 1
        try:
            answer = self._take(event, remaining_ms)
            failed = 0
        except TrendingError:
            raise
        except Exception as error:  # noqa: BLE001 -- told by its type alone: its text may hold a row's
            get_logger().error("a step broke", error_places=error_places(error))
            message = f"An unexpected error ended the step ({type(error).__name__})."
            raise StepBroke(message) from None
        finally:
            metrics = get_metrics()
            metrics.add_metric(name="FailedSteps", unit=MetricUnit.Count, value=failed)
            metrics.flush_metrics()
        return answer

    def _take(self, event: Mapping[str, Any], remaining_ms: Callable[[], int]) -> dict[str, Any]:
        upload, generation = Upload(**event["upload"]), int(event["generation"])
        if upload.bucket != self._bucket:
            message = f"{upload.bucket} is not the bucket of uploads."
            raise StepBroke(message)
        match event["step"]:
            case "classify":
                return self._classify(upload, generation, _numbers(event), remaining_ms)
            case "note":
                return self._note(upload, generation, event)
            case "publish":
                return self._publish(upload, generation)
            case "fail":
                return self._fail(upload, generation, event["error"])
        message = f"There is no step {str(event['step'])[:20]!r}."
        raise StepBroke(message)

    def _classify(
        self, upload: Upload, generation: int, numbers: range, remaining_ms: Callable[[], int]
    ) -> dict[str, Any]:
        progress = self._record(upload, generation)
        if progress is None:
            return {"left": 0, "stopped": True}
        todo = [number for number in numbers if number < progress.chunks and number not in progress.done]
        source = Source(self._client, upload)
        done = 0
        try:
            source.check()
            rows = chain.from_iterable(get_rows(self._client, upload, number) for number in todo)
            wish = wish_of(source.metadata)
            with closing(
                self._outcomes.of(rows, wish, chunk_rows=progress.chunk_rows, remaining_ms=remaining_ms)
            ) as outcomes:
                for number in todo:
                    count = min(progress.chunk_rows, progress.rows - number * progress.chunk_rows)
                    lines = chunk_lines(islice(outcomes, count), self._model.results)
                    put_chunk(self._client, upload, number, lines)
                    if not self._table.add_done(upload, generation, number):
                        return {"left": 0, "stopped": True}
                    done += 1
                    lines.count_metrics()
                    source.check()
        except Superseded:
            return {"left": 0, "stopped": True}
        except UploadFailed as error:
            self._table.add_fault(upload, generation, error.detail)
            return {"left": 0, "stopped": True}
        except TimeIsUp:
            if not done:
                raise
        return {"left": len(todo) - done, "stopped": False}

    def _note(self, upload: Upload, generation: int, event: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what is known of a batch that failed as often as it may: the execution's own error does not name it."""
        progress = self._record(upload, generation)
        if progress is not None:
            numbers = _numbers(event)
            number = next((number for number in numbers if number not in progress.done), numbers[0])
            first = number * progress.chunk_rows + 1
            last = min(first + progress.chunk_rows - 1, progress.rows)
            fault = f"{event['tries']} tries got no further than rows {first} to {last} ({_what(event['error'])})."
            self._table.add_fault(upload, generation, fault)
        return {}

    def _publish(self, upload: Upload, generation: int) -> dict[str, Any]:
        run = self._claim(upload, generation)
        if run is None:
            return self._ended(upload)
        with self._table.held(run.progress):
            try:
                self._ending.publish(run, lambda reason: self._bury(upload, reason))
            except Superseded as error:
                self._ending.supersede(run, error.detail)
            except UploadFailed as error:
                self._ending.fail(run, error.detail, lambda reason: self._bury(upload, reason))
        return _answer(run.progress)

    def _fail(self, upload: Upload, generation: int, error: Mapping[str, Any]) -> dict[str, Any]:
        run = self._claim(upload, generation)
        if run is None:
            return self._ended(upload)
        reason = run.progress.fault or f"The state machine gave the upload up ({_what(error)})."
        with self._table.held(run.progress):
            try:
                run.source.check()
            except Superseded as superseded:
                self._ending.supersede(run, superseded.detail)
                return _answer(run.progress)
            except UploadFailed as gone:
                reason = gone.detail
            self._ending.fail(run, reason, lambda reason: self._bury(upload, reason))
        return _answer(run.progress)

    def _record(self, upload: Upload, generation: int) -> Progress | None:
        """Give the record if that execution has the upload."""
        progress = self._table.get(upload.id)
        mapped = progress is not None and progress.status is Status.MAPPED
        return progress if mapped and progress is not None and progress.generation == generation else None

    def _claim(self, upload: Upload, generation: int) -> Run | None:
        progress = self._table.claim_mapped(upload, generation)
        return None if progress is None else Run(upload, Source(self._client, upload), progress)

    def _ended(self, upload: Upload) -> dict[str, Any]:
        progress = self._table.get(upload.id)
        return _answer(progress) if progress else {"status": "unknown", "reason": "There is no record of it."}

    def _bury(self, upload: Upload, reason: str) -> None:
        self._queue.bury(write_message(upload), reason)


def _numbers(event: Mapping[str, Any]) -> range:
    """Give the chunks of a batch."""
    return range(event["first"], event["first"] + event["count"])


def _answer(progress: Progress) -> dict[str, Any]:
    return {"status": str(progress.status), "reason": progress.reason or ""}


def _what(error: Mapping[str, Any]) -> str:
    """Say in a few words what an error was, from what Step Functions hands to a catcher."""
    try:
        cause = json.loads(error["Cause"])
        detail = str(cause["errorMessage"]) if error["Error"] in _OURS else ""
    except (ValueError, KeyError, TypeError):
        detail = ""
    name = str(error.get("Error", "unknown"))[:100]
    return f"{name}: {detail[:300]}" if detail else name


_OURS: Final = frozenset({"StepBroke", "TimeIsUp", "Unavailable", "Busy", "ChunkMissing"})
"""Errors whose text is a sentence of this package; any other's may hold anything."""
