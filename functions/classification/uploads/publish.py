"""From chunks to what lies beside an upload: results, errors and the summary, which comes last.

First the three objects are looked at, then it is asked whether the upload is still the newest, then they are written on
condition that they are as they were. So whoever asks before a newer version arrives, and writes after that one has
published, fails and asks again: an older version never replaces the results of a newer one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from functions.classification.uploads.chunks import get_chunk
from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.progress import Status
from functions.classification.uploads.summary import ItemCount, ModelName, write_summary
from functions.classification.uploads.target import Changed, Target
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.chunks import Chunk
    from functions.classification.uploads.progress import Progress
    from functions.classification.uploads.source import Source
    from functions.classification.uploads.upload import Upload

TRIES: Final = 5
"""Of writing what somebody else writes too."""
AHEAD: Final = 8
"""Chunks fetched at the same time."""
LINES: Final = "application/x-ndjson"
JSON: Final = "application/json"


class Publisher:
    """Writes what comes of uploads.

    Parameters
    ----------
    client : S3Client
    model : ModelName
        Named in summaries.
    now : callable
        Unix time.
    """

    def __init__(self, client: S3Client, *, model: ModelName, now: Callable[[], float]) -> None:
        self._client = client
        self._model = model
        self._now = now

    def publish(self, upload: Upload, source: Source, progress: Progress) -> None:
        """Join the chunks into results and errors, then write the summary.

        An object that was there before and has nothing to say now becomes empty: nothing of an older version stays.

        Raises
        ------
        Superseded
            If there is a newer version.
        ChunkMissing
            If a chunk is gone.
        UploadFailed, Unavailable
            If S3 refuses or does not answer.
        """
        for _ in range(TRIES):
            results, errors, summary = self._targets(upload)
            source.check()
            items = ItemCount()
            faulty: list[int] = []
            try:
                if progress.rows or results.exists:
                    results.write(self._results(upload, progress, items, faulty), content_type=LINES)
                if progress.failed or items.refused or errors.exists:
                    lines = (chunk.errors for chunk in self._chunks(upload, faulty))
                    errors.write(lines, content_type=LINES)
                status = Status.FAILED if progress.reason else Status.DONE
                summary.write(
                    [self._summary(upload, progress, source, status, progress.reason, items)],
                    content_type=JSON,
                )
            except Changed:
                continue
            return
        _give_up(upload)

    def publish_failure(self, upload: Upload, source: Source, progress: Progress, reason: str) -> None:
        """Say in the summary why nothing could be read; results of an older version stay.

        Raises
        ------
        Superseded
            If there is a newer version.
        UploadFailed, Unavailable
            If S3 refuses even this, or does not answer.
        """
        for _ in range(TRIES):
            summary = Target(self._client, upload.bucket, upload.summary)
            try:
                source.check()
            except UploadFailed as error:
                reason = error.detail
            content = self._summary(upload, progress, source, Status.FAILED, reason, None)
            try:
                summary.write([content], content_type=JSON)
            except Changed:
                continue
            return
        _give_up(upload)

    def publish_superseded(self, upload: Upload, source: Source, progress: Progress, reason: str) -> None:
        """Say that a newer version counts, unless there is a summary: it belongs to the results that are there.

        Raises
        ------
        UploadFailed, Unavailable
            If S3 refuses or does not answer.
        """
        summary = Target(self._client, upload.bucket, upload.summary)
        if summary.exists:
            return
        content = self._summary(upload, progress, source, Status.SUPERSEDED, reason, None)
        try:
            summary.write([content], content_type=JSON)
        except Changed:
            return  # by the newer one

    def _targets(self, upload: Upload) -> tuple[Target, Target, Target]:
        results, errors, summary = (
            Target(self._client, upload.bucket, key)
            for key in (upload.results, upload.errors, upload.summary)
        )
        return results, errors, summary

    def _results(
        self, upload: Upload, progress: Progress, items: ItemCount, faulty: list[int]
    ) -> Iterator[bytes]:
        """Yield the result lines of all chunks in order; count what became items, list the chunks with error lines.

        Error lines are read again, from those chunks alone, once the results are written: all that a large file may have
        would fit neither into memory nor into /tmp.
        """
        for number, chunk in enumerate(self._chunks(upload, range(progress.chunks))):
            items.stored += chunk.items
            items.refused += chunk.refused
            if chunk.errors:
                faulty.append(number)
            yield chunk.results

    def _chunks(self, upload: Upload, numbers: Sequence[int]) -> Iterator[Chunk]:
        with ThreadPoolExecutor(AHEAD) as pool:
            for first in range(0, len(numbers), AHEAD):
                yield from pool.map(
                    lambda number: get_chunk(self._client, upload, number), numbers[first : first + AHEAD]
                )

    def _summary(
        self,
        upload: Upload,
        progress: Progress,
        source: Source,
        status: Status,
        reason: str | None,
        items: ItemCount | None,
    ) -> bytes:
        return write_summary(
            upload,
            progress,
            status=status,
            reason=reason,
            model=self._model,
            items=items,
            size=source.size,
            now=self._now(),
        )


def _give_up(upload: Upload) -> None:
    message = f"The results of {upload.key} are being written by too many at once."
    raise Unavailable(message)
