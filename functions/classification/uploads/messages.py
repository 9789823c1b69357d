"""S3's event notifications, as they lie in SQS messages, and back. Knows their format, not what is done with them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.upload import UPLOADS, Upload


def read_message(body: str) -> list[Upload]:
    """Give the uploads that a message announces.

    Whatever is no new object under ``uploads/`` is left out: S3's test event, removals, results, folders of the console.

    Parameters
    ----------
    body : str
        The SQS message's body.

    Raises
    ------
    UploadFailed
        If it is no event of S3.
    """
    try:
        event: Any = json.loads(body)
        if isinstance(event, dict) and event.get("Event") == "s3:TestEvent":
            return []
        uploads = [_upload(record) for record in event["Records"] if _is_new(record)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = "The message is no event notification of S3."
        raise UploadFailed(message) from error
    return [u for u in uploads if u.key.startswith(UPLOADS) and not u.key.endswith("/")]


def write_message(upload: Upload) -> str:
    """Write the message that announces an upload, as S3 would."""
    content = {"key": quote_plus(upload.key, safe="/"), "eTag": upload.etag}
    if upload.version is not None:
        content["versionId"] = upload.version
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": upload.bucket}, "object": content},
    }
    return json.dumps({"Records": [record]})


def _is_new(record: dict[str, Any]) -> bool:
    return record["eventSource"] == "aws:s3" and str(record["eventName"]).startswith("ObjectCreated:")


def _upload(record: dict[str, Any]) -> Upload:
    described = record["s3"]["object"]
    version = described.get("versionId")
    upload = Upload(
        bucket=str(record["s3"]["bucket"]["name"]),
        # S3 encodes keys as HTML forms do: a space is a plus sign.
        key=unquote_plus(str(described["key"])),
        version=None if version in {None, "", "null"} else str(version),
        etag=str(described["eTag"]).strip('"'),
    )
    if not upload.bucket or not upload.key or not upload.etag:
        raise ValueError
    return upload
