"""One upload, from where the last worker left it to its end or to the end of the invocation's time.

Owns the order of the steps; knows the model only as something that gives probabilities for rows.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from functions.classification.files import FileError, read_rows
from functions.classification.uploads.chunks import ChunkMissing, put_chunk
from functions.classification.uploads.ending import Run
from functions.classification.uploads.errors import Busy, Superseded, TimeIsUp, UploadFailed
from functions.classification.uploads.items import wish_of
from functions.classification.uploads.lines import chunk_lines
from functions.classification.uploads.outcomes import Outcomes
from functions.classification.uploads.progress import FINAL, Progress, ProgressTable, Status
from functions.classification.uploads.source import Source
from functions.classification.uploads.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_s3.client import S3Client

    from functions.classification.files import Row
    from functions.classification.files.results import ResultFormat
    from functions.classification.uploads.ending import Ending
    from functions.classification.uploads.executions import Executions
    from functions.classification.uploads.item_writer import ItemWriter, Outcome
    from functions.classification.uploads.upload import Upload

MAX_STARTS: Final = 6
"""Starts without a finished chunk after which an upload is given up: no worker gets past its next rows."""
MAX_EXECUTIONS: Final = 3
"""Executions of the state machine that end without a word (stopped by hand, too long) before an upload is given up."""
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
    threads : int
        How many threads may ask it at the same time.
    """

    predict: Callable[[Sequence[Row]], Sequence[Sequence[float]]]
    results: ResultFormat
    threads: int = 1


class Worker:
    """Works on uploads, one at a time.

    Parameters
    ----------
    client : S3Client
    table : ProgressTable
    ending : Ending
    executions : Executions
        Of the state machine that takes large objects.
    model : Model
    items : ItemWriter
    chunk_rows : int
        Rows between two checkpoints.
    reserve_ms : int
        What must be left of an invocation when a batch of rows goes to the model.
    max_bytes : int
        A larger object is refused.
    map_bytes : int
        A larger object goes to the state machine.
    watch_s : int
        Seconds between two looks at whether an execution is still at work.
    """

    def __init__(
        self,
        client: S3Client,
        table: ProgressTable,
        ending: Ending,
        executions: Executions,
        model: Model,
        items: ItemWriter,
        *,
        chunk_rows: int,
        reserve_ms: int,
        max_bytes: int,
        map_bytes: int,
        watch_s: int,
    ) -> None:
        self.table = table
        self._client = client
        self._ending = ending
        self._executions = executions
        self._staging = Staging(client, table, reserve_ms=reserve_ms)
        self._model = model
        self._outcomes = Outcomes(model, items, reserve_ms)
        self._chunk_rows = chunk_rows
        self._max_bytes = max_bytes
        self._map_bytes = map_bytes
        self._watch_s = watch_s

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
            If another worker or the state machine has it.
        Unavailable
            If S3, DynamoDB or Step Functions does not answer.
        """
        progress = self.table.claim(upload, chunk_rows=self._chunk_rows, again=again)
        if progress.status in FINAL:
            return
        if progress.status is Status.MAPPED:
            self._watch(upload, progress, bury)
            return
        with self.table.held(progress):
            self._work(Run(upload, Source(self._client, upload), progress), remaining_ms, bury)

    def _work(self, run: Run, remaining_ms: Callable[[], int], bury: Callable[[str], None]) -> None:
        """Take the steps that are left, each as the record has it."""
        try:
            self._finish_chunks(run, remaining_ms)
            if run.progress.status is Status.MAPPED:
                self._executions.start(run.upload, run.progress)
                raise Busy(self._watch_s)
            self._publish(run, remaining_ms, bury)
        except Superseded as error:
            self._ending.supersede(run, error.detail)
        except UploadFailed as error:
            self._ending.fail(run, error.detail, bury)
        except ChunkMissing as error:
            self.table.advance(run.progress, chunks=0, rows=0, failed=0, status=Status.RUNNING)
            raise TimeIsUp from error

    def _watch(self, upload: Upload, progress: Progress, bury: Callable[[str], None]) -> None:
        """See to it that an execution works on an upload, and look again later.

        One that has ended has said so in the record, unless it was stopped by hand or ran too long: another goes on then
        with the chunks that are left.
        """
        reason = None
        try:
            if self._executions.start(upload, progress):
                raise Busy(self._watch_s)
        except UploadFailed as error:
            reason = error.detail
        taken = self.table.claim_mapped(upload, progress.generation)
        if taken is None:
            return
        with self.table.held(taken):
            if reason is None and taken.executions >= MAX_EXECUTIONS:
                reason = f"The state machine ended {taken.executions} times without a result."
            if reason is not None:
                self._ending.fail(Run(upload, Source(self._client, upload), taken), reason, bury)
                return
            number, count = taken.generation + 1, taken.executions + 1
            progress = self.table.advance(
                taken, generation=number, executions=count, starts=0, lease_until=0.0
            )
            self._executions.start(upload, progress)
        raise Busy(self._watch_s)

    def _finish_chunks(self, run: Run, remaining_ms: Callable[[], int]) -> None:
        """Classify what is not classified yet, a chunk at a time, each recorded when it is stored."""
        progress = run.progress
        if progress.starts > MAX_STARTS:
            first = progress.chunks * progress.chunk_rows + 1
            message = (
                f"{progress.starts - 1} starts got no further than rows {first} to "
                f"{first + progress.chunk_rows - 1}."
            )
            raise UploadFailed(message)
        run.source.check()
        if run.source.size > self._max_bytes:
            message = f"{run.upload.key} has {run.source.size} bytes, more than {self._max_bytes}."
            raise UploadFailed(message)
        wish = wish_of(run.source.metadata)
        if progress.status is Status.READ:
            return
        if progress.status is Status.RUNNING and not progress.chunks and run.source.size > self._map_bytes:
            run.progress = replace(progress, status=Status.STAGING)
        if run.progress.status is Status.STAGING:
            self._staging.run(run, remaining_ms)
            return
        rows = read_rows(run.source, name=run.upload.key)
        try:
            for _ in islice(rows, progress.chunks * progress.chunk_rows):
                pass
        except FileError as error:
            self._end_of_file(run, error.detail)
            return
        with closing(
            self._outcomes.of(rows, wish, chunk_rows=progress.chunk_rows, remaining_ms=remaining_ms)
        ) as outcomes:
            while run.progress.status is Status.RUNNING:
                self._one_chunk(run, outcomes)
                run.source.check()

    def _one_chunk(self, run: Run, outcomes: Iterator[Outcome]) -> None:
        progress = run.progress
        lines = chunk_lines(islice(outcomes, progress.chunk_rows), self._model.results)
        if lines.count:
            put_chunk(self._client, run.upload, progress.chunks, lines)
        at_end = lines.count < progress.chunk_rows
        run.progress = self.table.advance(
            progress,
            chunks=progress.chunks + bool(lines.count),
            rows=progress.rows + lines.count,
            failed=progress.failed + lines.failed,
            status=Status.READ if at_end else Status.RUNNING,
            reason=lines.reason,
            starts=0,
        )
        run.worked = True
        lines.count_metrics()

    def _end_of_file(self, run: Run, reason: str) -> None:
        run.progress = self.table.advance(run.progress, status=Status.READ, reason=reason, starts=0)

    def _publish(self, run: Run, remaining_ms: Callable[[], int], bury: Callable[[str], None]) -> None:
        progress = run.progress
        # A fresh invocation has all the time there is: it does not hand over.
        if run.worked and remaining_ms() < _PUBLISH_MS + _PUBLISH_CHUNK_MS * progress.chunks:
            raise TimeIsUp
        self._ending.publish(run, bury)
