"""Objects that are written only over what was there before: S3's conditional writes.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.source import error_code, storing
from trending_core.errors import TrendingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3.client import S3Client

PART_BYTES: Final = 5 * 1024 * 1024
"""Of a multipart upload: S3's least, since botocore holds several copies of a body. 10,000 parts make 52 GB.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
_LOST: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


class Changed(TrendingError):  # noqa: N818 -- says what it is without the suffix
    """Somebody else has written the object in the meantime."""

    title = "Changed"
    slug = "changed"


class Target:
    """One object to be written, as it was when this was made.

    Parameters
    ----------
    client : S3Client
    bucket, key : str

    Raises
    ------
    UploadFailed, Unavailable
        If S3 refuses or does not answer.
    """

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self.key = key
        self._client = client
        self._place: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._seen = self._etag()

    @property
    def exists(self) -> bool:
        """Whether there was such an object."""
        return self._seen is not None

    def write(self, content: Iterable[bytes], *, content_type: str) -> str | None:
        """Write the object, whole or not at all; memory is bounded by `PART_BYTES`.

        Returns
        -------
        str or None
            The new version's id.

        Raises
        ------
        Changed
            If it is not as it was.
        UploadFailed, Unavailable
            If S3 refuses or does not answer.
        """
        held = bytearray()
        upload: str | None = None
        parts: list[dict[str, Any]] = []
        try:
            for piece in content:
                held += piece
                if len(held) >= PART_BYTES:
                    upload = upload or self._begin(content_type)
                    parts.append(self._part(upload, len(parts) + 1, held))
                    held = bytearray()
            if upload is None:
                return self._put(held, content_type)
            if held:
                parts.append(self._part(upload, len(parts) + 1, held))
            return self._end(upload, parts)
        except BaseException:
            if upload is not None:
                self._abort(upload)
            raise

    def _etag(self) -> str | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- loaded with the client

        with storing(f"read {self.key}"):
            try:
                return self._client.head_object(**self._place)["ETag"]
            except ClientError as error:
                if error_code(error) in {"404", "NoSuchKey"}:
                    return None
                raise

    def _conditional(self, call: Any, **request: Any) -> str | None:  # noqa: ANN401 -- a method of the client
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- loaded with the client

        condition = {"IfNoneMatch": "*"} if self._seen is None else {"IfMatch": self._seen}
        with storing(f"write {self.key}"):
            try:
                answer = call(**self._place, **condition, **request)
            except ClientError as error:
                code = error_code(error)
                # A missing object under If-Match is a 404.
                if code in _LOST or (self._seen is not None and code in {"404", "NoSuchKey"}):
                    message = f"{self.key} was written by another worker."
                    raise Changed(message) from error
                raise
        version = answer.get("VersionId")
        return str(version) if version else None

    def _put(self, content: bytearray, content_type: str) -> str | None:
        return self._conditional(self._client.put_object, Body=content, ContentType=content_type)

    def _begin(self, content_type: str) -> str:
        with storing(f"write {self.key}"):
            return self._client.create_multipart_upload(**self._place, ContentType=content_type)["UploadId"]

    def _part(self, upload: str, number: int, content: bytearray) -> dict[str, Any]:
        with storing(f"write {self.key}"):
            etag = self._client.upload_part(
                **self._place, UploadId=upload, PartNumber=number, Body=bytes(content)
            )["ETag"]
        return {"ETag": etag, "PartNumber": number}

    def _end(self, upload: str, parts: list[dict[str, Any]]) -> str | None:
        return self._conditional(
            self._client.complete_multipart_upload, UploadId=upload, MultipartUpload={"Parts": parts}
        )

    def _abort(self, upload: str) -> None:
        """Give the parts up; what cannot be aborted goes by the bucket's lifecycle."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- loaded with the client

        try:
            self._client.abort_multipart_upload(**self._place, UploadId=upload)
        except (BotoCoreError, ClientError):
            return
