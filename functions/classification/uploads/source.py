"""The uploaded object as a stream, pinned to its version, and the question whether that version is still the newest.

It is fetched in ranges, each whole before it is used: no connection stays open while a model computes, and a range that
breaks off is fetched again without anybody noticing. Must not know what the bytes mean.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.errors import Superseded, UploadFailed
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.upload import Upload

RANGE_BYTES: Final = 4 * 1024 * 1024
TRIES: Final = 3
"""Of a range whose body breaks off; botocore repeats only requests that were not answered."""
_GONE: Final = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "MethodNotAllowed", "405"})
"""405: the version is a delete marker."""
_DENIED: Final = frozenset({"403", "AccessDenied", "Forbidden", "InvalidObjectState", "AllAccessDisabled"})


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Turn a failure to reach S3 into `Unavailable` and a refusal into `UploadFailed`.

    Parameters
    ----------
    what : str
        What is done with what, for the sentence: "read uploads/a.csv".
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- loaded with the client

    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in _DENIED:
            message = f"S3 does not allow the worker to {what} ({code}), or there is no such object."
            raise UploadFailed(message) from error
        if code in _GONE:
            message = f"S3 has nothing to {what} ({code}): it was deleted."
            raise UploadFailed(message) from error
        message = f"S3 refused to {what} ({code})."
        raise Unavailable(message) from error
    except BotoCoreError as error:
        message = f"S3 does not answer the request to {what} ({type(error).__name__})."
        raise Unavailable(message) from error


def error_code(error: Any) -> str:  # noqa: ANN401 -- a ClientError, whose class is loaded late
    """Give the code of botocore's ``ClientError``."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


class Source:
    """Reads one upload.

    Parameters
    ----------
    client : S3Client
    upload : Upload
        Read in this version and no other.
    range_bytes : int
        Bytes of a range.
    """

    def __init__(self, client: S3Client, upload: Upload, *, range_bytes: int = RANGE_BYTES) -> None:
        self.size = 0
        self.metadata: Mapping[str, str] = {}
        self._client = client
        self._upload = upload
        self._range_bytes = range_bytes
        self._position = 0
        self._held = memoryview(b"")
        self._buffer = bytearray()

    def check(self) -> None:
        """Make sure that the upload is the object's newest version, and learn its size and its metadata.

        Raises
        ------
        Superseded
            If there is a newer one.
        UploadFailed
            If the object was deleted, or may not be read.
        Unavailable
            If S3 does not answer.
        """
        with storing(f"read {self._upload.key}"):
            head = self._client.head_object(Bucket=self._upload.bucket, Key=self._upload.key)
        same = (
            head.get("VersionId") == self._upload.version
            if self._upload.version is not None
            else head["ETag"].strip('"') == self._upload.etag
        )
        if not same:
            message = f"{self._upload.key} was replaced by a newer version, whose results count."
            raise Superseded(message)
        self.size = head["ContentLength"]
        self.metadata = head.get("Metadata", {})

    def read(self, size: int, /) -> bytes:
        """Give at least one and at most ``size`` bytes, none at the end; `check` comes first.

        Raises
        ------
        Superseded, UploadFailed, Unavailable
            As `check`.
        """
        if not self._held:
            if self._position >= self.size:
                return b""
            self._held = self._fetch()
            self._position += len(self._held)
        piece, self._held = self._held[:size], self._held[size:]
        return bytes(piece)

    def _fetch(self) -> memoryview:
        for left in reversed(range(TRIES)):
            try:
                with storing(f"read {self._upload.key}"):
                    return self._get()
            except Unavailable:
                if not left:
                    raise
        raise AssertionError

    def _get(self) -> memoryview:
        """Read the next range into the one buffer that all ranges use: the allocator keeps what it once gave."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- loaded with the client

        last = min(self._position + self._range_bytes, self.size) - 1
        # Not by version: whoever reads an older one would go on for nothing. The condition pins the content.
        request: Any = {
            "Bucket": self._upload.bucket,
            "Key": self._upload.key,
            "Range": f"bytes={self._position}-{last}",
            "IfMatch": f'"{self._upload.etag}"',
        }
        try:
            answer: Any = self._client.get_object(**request)
        except ClientError as error:
            if error_code(error) in {"PreconditionFailed", "412"}:
                message = f"{self._upload.key} was replaced by a newer version, whose results count."
                raise Superseded(message) from error
            raise
        length = last + 1 - self._position
        body = answer["Body"]
        self._buffer = self._buffer or bytearray(length)
        view = memoryview(self._buffer)[:length]
        got = 0
        # Whoever ignores ranges gives the whole object.
        while answer["ContentLength"] == length and got < length and (count := body.readinto(view[got:])):
            got += count
        body.close()
        if got < length:
            message = f"S3 did not give bytes {self._position} to {last} of {self._upload.key}."
            raise Unavailable(message)
        return view
