"""The queue of uploads and its dead-letter queue: send again, bury with a reason, come back soon."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.messages import write_message
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs.client import SQSClient

    from functions.classification.uploads.upload import Upload

REASON: Final = "reason"
"""Message attribute of a buried message: why. Who moves the message back to the queue moves it along, so a worker that
sees it knows that somebody asked for another try."""
AGAIN: Final = "again"
"""Message attribute that asks for another try too, for messages that SQS itself has moved."""
MAX_DELAY_S: Final = 900
"""SQS' longest."""


class UploadQueue:
    """The queue, for those who read it.

    Parameters
    ----------
    client : SQSClient
    url, dead_letters_url : str
    """

    def __init__(self, client: SQSClient, *, url: str, dead_letters_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_letters_url = dead_letters_url

    def send(self, upload: Upload, *, delay_s: int = 0) -> None:
        """Announce an upload anew; the caller's own message may go after that.

        Raises
        ------
        Unavailable
            If the queue does not take it.
        """
        with _queueing():
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=write_message(upload),
                DelaySeconds=min(delay_s, MAX_DELAY_S),
            )

    def bury(self, body: str, reason: str) -> None:
        """Put a message into the dead-letter queue, with the reason.

        Raises
        ------
        Unavailable
            If the queue does not take it.
        """
        with _queueing():
            self._client.send_message(
                QueueUrl=self._dead_letters_url,
                MessageBody=body,
                MessageAttributes={REASON: {"DataType": "String", "StringValue": reason}},
            )

    def hide(self, receipt: str, seconds: int) -> None:
        """Let a received message come back after so many seconds instead of after the visibility timeout.

        Raises
        ------
        Unavailable
            If the queue does not answer.
        """
        with _queueing():
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )


def asks_again(record: dict[str, Any]) -> bool:
    """Say whether a message of Lambda's SQS event was buried before, or asks for another try by itself."""
    return not {REASON, AGAIN}.isdisjoint(record.get("messageAttributes") or {})


@contextmanager
def _queueing() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- loaded with the client

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        message = "The queue of uploads does not take a message."
        raise Unavailable(message) from error
