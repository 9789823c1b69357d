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
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        done = remaining_ms() >= MIN_LEFT_MS and _work(
            service, record, max_receives=max_receives, remaining_ms=remaining_ms
        )
        if not done:
            failures.append({"itemIdentifier": record["messageId"]})
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
    """Do one job; tell whether its message may go."""
    logger = get_logger()
    try:
        job = Job.model_validate_json(record["body"])
    except ValidationError:
        logger.error("a message is not a job", message_id=record["messageId"])  # noqa: TRY400 -- would quote it
        return False
    try:
        service.work(job, remaining_ms=remaining_ms)
    except TrendingError as error:
        last = int(record["attributes"]["ApproximateReceiveCount"]) >= max_receives
        logger.warning("a job failed", item_id=job.item_id, error=error.slug, last=last)
        if last:
            service.give_up(job, error.detail)
        return False
    except Exception as error:  # noqa: BLE001 -- one broken job must not fail its neighbours; it is logged and comes back
        logger.error(  # noqa: TRY400 -- places, not words
            "a job broke", item_id=job.item_id, error_places=error_places(error)
        )
        return False
    return True
