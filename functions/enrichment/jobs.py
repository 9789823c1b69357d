"""Enrichments that wait in a queue: what a message says, and how it is sent. Must not know what is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict

from trending_core.errors import Unavailable
from trending_core.models import ItemId  # noqa: TC001 -- pydantic reads it

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient


class Job(BaseModel):
    """One item to enrich; its texts lie in the store, so a message has a fixed small size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: ItemId
    fallback: bool


class JobQueue(Protocol):
    """Where jobs wait."""

    def send(self, job: Job) -> None:
        """Put a job into the queue; twice is harmless.

        Raises
        ------
        Unavailable
            If the queue does not take it.
        """
        ...


class NoJobQueue:
    """The `JobQueue` of the worker, which queues nothing."""

    def send(self, job: Job) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse a job; see `JobQueue.send`."""
        message = "Nothing is queued here."
        raise Unavailable(message, retry_after_s=5)


class SqsJobQueue:
    """A `JobQueue` on SQS.

    Parameters
    ----------
    client : SQSClient
    url : str
        The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, job: Job) -> None:
        """Put a job into the queue; see `JobQueue.send`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- loaded with the client

        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=job.model_dump_json())
        except (BotoCoreError, ClientError) as error:
            message = "The queue for enrichments does not take this item; ask again."
            raise Unavailable(message, retry_after_s=5) from error
