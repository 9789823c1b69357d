"""The upload handler with a model that ends or breaks on rows that say so."""

from typing import Any

from functions.classification.uploads.settings import UploadSettings
from functions.classification.uploads.wiring import build_uploads
from tests.support.faulty import MODEL
from trending_core.settings import load_settings

uploads = build_uploads(load_settings(UploadSettings), MODEL)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "step" in event:
        return uploads.steps.take(event, remaining_ms=context.get_remaining_time_in_millis)
    return uploads.batches.work(event, remaining_ms=context.get_remaining_time_in_millis)
