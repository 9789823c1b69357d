"""The Lambda entry point of the uploads' side: ``functions.classification.upload_handler.handler``; same image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.classification.uploads.settings import UploadSettings
from functions.classification.uploads.wiring import build_uploads, load_model
from trending_core.settings import load_settings
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load_settings(UploadSettings)
uploads = build_uploads(settings, load_model(settings))


@get_logger().inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on one batch of SQS messages and name those that must come back, or take one step of the state machine."""
    if "step" in event:
        return uploads.steps.take(event, remaining_ms=context.get_remaining_time_in_millis)
    return uploads.batches.work(event, remaining_ms=context.get_remaining_time_in_millis)
