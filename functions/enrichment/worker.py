"""The Lambda entry point of the queue's side: ``functions.enrichment.worker.handler``; same image, same init."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.enrichment.batch import work_batch
from functions.enrichment.settings import WorkerSettings
from functions.enrichment.wiring import build_service
from trending_core.settings import load_settings
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load_settings(WorkerSettings)
service = build_service(settings)


@get_logger().inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on one batch of SQS messages and report those that failed."""
    return work_batch(
        service,
        event,
        max_receives=settings.queue_max_receives,
        remaining_ms=context.get_remaining_time_in_millis,
    )
