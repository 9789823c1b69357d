"""What is said of an upload at its end: a JSON object beside the results. Plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functions.classification.uploads.progress import Progress, Status
    from functions.classification.uploads.upload import Upload


@dataclass(frozen=True, slots=True)
class ModelName:
    """The model that worked."""

    name: str
    version: str


@dataclass(slots=True)
class ItemCount:
    """Rows that became items, and rows that were to and did not."""

    stored: int = 0
    refused: int = 0


def write_summary(
    upload: Upload,
    progress: Progress,
    *,
    status: Status,
    reason: str | None,
    model: ModelName,
    items: ItemCount | None,
    size: int,
    now: float,
) -> bytes:
    """Give the summary.

    Parameters
    ----------
    status : Status
        ``done``, ``failed`` (``reason`` says why; rows before the fault are in the results) or ``superseded``.
    items : ItemCount or None
        What the results say of items; None if no results of this upload were written.
    size : int
        Bytes of the object; 0 if it could not be seen.
    now : float
        Unix time in seconds.
    """
    content: dict[str, Any] = {
        "status": str(status),
        "reason": reason,
        "upload": {
            "bucket": upload.bucket,
            "key": upload.key,
            "version": upload.version,
            "etag": upload.etag,
            "bytes": size,
        },
        "rows": progress.rows,
        "classified": progress.rows - progress.failed,
        "failed": progress.failed,
        "items": {"stored": items.stored, "refused": items.refused}
        if items and (items.stored or items.refused)
        else None,
        "results": upload.results if items and progress.rows else None,
        "errors": upload.errors if items and (progress.failed or items.refused) else None,
        "model": {"name": model.name, "version": model.version},
        "began_at": _time(progress.began),
        "ended_at": _time(now),
        "runs": progress.runs,
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
