"""A batch of queued jobs: each done on its own, and those that failed named so that only they come back.

Owns what a message's failure means: wait for the next delivery, or, after the last one, mark the item as failed and
leave the message to the dead-letter queue. Must not know how an item is enriched.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from functions.enrichment import measures
from functions.enrichment.jobs import Job
from trending_core.errors import TrendingError
from trending_core.telemetry import error_places, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.enrichment.service import EnrichmentService

MIN_LEFT_MS: Final = 28_000
"""A job that could not end within the invocation's time is left to the next one."""
NO_TIME: Final = "No time was left for this item beside the others of its batch."
BROKE: Final = "An unexpected error ended the enrichment."
"""Said in the place of an error that nobody foresaw: its own words may quote anything."""


def work_batch(
    service: EnrichmentService,
    event: Mapping[str, Any],
    *,
    max_receives: int,
    remaining_ms: Callable[[], int],
) -> dict[str, list[dict[str, str]]]:
    """Do the jobs of an SQS event.

    Parameters
    ----------
    max_receives : int
        Deliveries of a message before it goes to the dead-letter queue.
    remaining_ms : callable
        Milliseconds until the invocation times out.

    Returns
    -------
    dict
        ``{"batchItemFailures": [{"itemIdentifier": message id}, ...]}``.
    """
    failures = [
        {"itemIdentifier": record["messageId"]}
        for record in event["Records"]
        if not _work(service, record, max_receives=max_receives, remaining_ms=remaining_ms)
    ]
    measures.failed_jobs(len(failures))
    measures.flush()
    return {"batchItemFailures": failures}


def _work(
    service: EnrichmentService,
    record: Mapping[str, Any],
    *,
    max_receives: int,
    remaining_ms: Callable[[], int],
) -> bool:
    """Do one job, and mark its item if this was its last chance; tell whether its message may go."""
    last = int(record["attributes"]["ApproximateReceiveCount"]) >= max_receives
    try:
        job = Job.model_validate_json(record["body"])
    except ValidationError:
        get_logger().error("a message is not a job", message_id=record["messageId"])
        return False
    failure = _failure(service, job, remaining_ms=remaining_ms)
    if failure is None:
        return True
    if last:
        _give_up(service, job, failure)
    return False


def _failure(service: EnrichmentService, job: Job, *, remaining_ms: Callable[[], int]) -> str | None:
    """Do one job; say why it is not done, or None where it is."""
    logger = get_logger()
    if remaining_ms() < MIN_LEFT_MS:
        logger.warning("no time was left for a job", item_id=job.item_id)
        return NO_TIME
    try:
        service.work(job, remaining_ms=remaining_ms)
    except TrendingError as error:
        logger.warning("a job failed", item_id=job.item_id, error=error.slug)
        return error.detail
    except Exception as error:  # noqa: BLE001 -- one broken job must not fail its neighbours; it is logged and comes back
        logger.error(  # noqa: TRY400 -- places, not words
            "a job broke", item_id=job.item_id, error_places=error_places(error)
        )
        return BROKE
    return None


def _give_up(service: EnrichmentService, job: Job, reason: str) -> None:
    """Mark the item as failed; where that fails too it stays pending, and a repeated request queues it again."""
    get_logger().warning("a job is given up", item_id=job.item_id)
    try:
        service.give_up(job, reason)
    except Exception as error:  # noqa: BLE001 -- one item that cannot be marked must not fail its neighbours
        get_logger().error(
            "a failed item could not be marked", item_id=job.item_id, error_places=error_places(error)
        )
