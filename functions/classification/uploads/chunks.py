"""Chunks of outcomes in the bucket: result lines and error lines of so many rows, and how many became items.

One object a chunk.

Putting a chunk again replaces it by the same content. Knows keys and lines, not rows or models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from functions.classification.uploads.source import error_code, storing
from trending_core.errors import TrendingError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.lines import ChunkLines
    from functions.classification.uploads.upload import Upload

_SPLIT: Final = "results-bytes"
"""Metadata: where the result lines end and the error lines begin."""
_ITEMS: Final = "items"
_REFUSED: Final = "refused"
"""Metadata: rows that became items, and rows that were to and did not."""


class Chunk(NamedTuple):
    """What came of a chunk's rows: lines, rows that became items, and rows that were to and did not."""

    results: bytes
    errors: bytes
    items: int = 0
    refused: int = 0


class ChunkMissing(TrendingError):  # noqa: N818 -- says what it is without the suffix
    """A chunk that was recorded as done is not in the bucket any more."""

    title = "Chunk missing"
    slug = "chunk-missing"


def put_chunk(client: S3Client, upload: Upload, number: int, lines: ChunkLines) -> None:
    """Store a chunk.

    Raises
    ------
    UploadFailed, Unavailable
        If S3 refuses it or does not answer.
    """
    with storing("write intermediate results"):
        client.put_object(
            Bucket=upload.bucket,
            Key=upload.chunk(number),
            Body=bytes(lines.results + lines.errors),
            Metadata={
                _SPLIT: str(len(lines.results)),
                _ITEMS: str(lines.items),
                _REFUSED: str(lines.refused),
            },
        )


def get_chunk(client: S3Client, upload: Upload, number: int) -> Chunk:
    """Read a chunk.

    Raises
    ------
    ChunkMissing
        If it is gone.
    Unavailable, UploadFailed
        If S3 does not answer or refuses.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 -- loaded with the client

    with storing("read intermediate results"):
        try:
            answer = client.get_object(Bucket=upload.bucket, Key=upload.chunk(number))
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                message = f"Intermediate results {number} of {upload.key} are gone."
                raise ChunkMissing(message) from error
            raise
        content = answer["Body"].read()
    metadata = answer["Metadata"]
    split = int(metadata[_SPLIT])
    # Chunks of a version that knew no items may still lie there while a rollout goes on.
    items, refused = (int(metadata.get(name, "0")) for name in (_ITEMS, _REFUSED))
    return Chunk(content[:split], content[split:], items, refused)
