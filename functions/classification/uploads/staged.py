"""Rows of a chunk laid out in the bucket, so that a batch of the state machine need not read the file up to them.

One JSON array a line: the fields of a row, or number and reason of a row that cannot be classified. Putting a chunk's rows
again replaces them by the same content.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from functions.classification.files import Row, RowError
from functions.classification.uploads.source import storing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.upload import Upload

_FIELDS: Final = tuple(Row.__slots__)
_ERROR_FIELDS: Final = tuple(RowError.__slots__)


def put_rows(client: S3Client, upload: Upload, number: int, rows: Sequence[Row | RowError]) -> None:
    """Store the rows of a chunk.

    Raises
    ------
    UploadFailed, Unavailable
        If S3 refuses them or does not answer.
    """
    with storing("write intermediate rows"):
        client.put_object(Bucket=upload.bucket, Key=upload.rows(number), Body=write_rows(rows))


def get_rows(client: S3Client, upload: Upload, number: int) -> list[Row | RowError]:
    """Read the rows of a chunk.

    Raises
    ------
    UploadFailed, Unavailable
        If they are gone, or S3 refuses or does not answer.
    """
    with storing("read intermediate rows"):
        return read_staged(client.get_object(Bucket=upload.bucket, Key=upload.rows(number))["Body"].read())


def write_rows(rows: Sequence[Row | RowError]) -> bytes:
    """Write rows, a line each, UTF-8."""
    lines = (json.dumps(_fields(row), ensure_ascii=False, separators=(",", ":")) for row in rows)
    # Half a surrogate pair may be in what a row gives as its item's id; `json.loads` takes it back.
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def read_staged(content: bytes) -> list[Row | RowError]:
    """Read what `write_rows` wrote."""
    # Not splitlines on the text: a row may hold any of Unicode's line ends.
    return [_row(json.loads(line)) for line in content.split(b"\n") if line]


def _fields(row: Row | RowError) -> list[Any]:
    return [getattr(row, name) for name in (_FIELDS if isinstance(row, Row) else _ERROR_FIELDS)]


def _row(fields: list[Any]) -> Row | RowError:
    return RowError(*fields) if len(fields) == len(_ERROR_FIELDS) else Row(*fields)
