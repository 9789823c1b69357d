"""`trending-now uploads`: what lies in the dead-letter queue, and sending it back.

SQS' own redrive (StartMessageMoveTask) is not used: the emulator lacks it, and this way the worker is told that somebody
asked, so that an upload that was given up starts over.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from cdk.cli.place import (
    DataOption,
    DeadLettersOption,
    Place,
    PlaceError,
    QueueOption,
    find_place,
    reaching,
)
from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.messages import read_message
from functions.classification.uploads.queue import AGAIN, REASON

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(no_args_is_help=True, help="Show and redrive uploads that failed.")

BATCH: Final = 10
HIDDEN_S: Final = 60
"""Seconds that a message stays hidden from others while it is shown or moved."""
_NO_REASON: Final = "its worker ended without a word, each time"


@app.command("dead-letters")
def dead_letters(
    data: DataOption = Path(".data"),
    queue_url: QueueOption = None,
    dead_letters_url: DeadLettersOption = None,
) -> None:
    """List the messages of the dead-letter queue, each with its reason."""
    place = _place(data, queue_url, dead_letters_url)
    with reaching():
        sqs = place.client("sqs")
        url = place.names["new-uploads-dead-letters"]
        seen = list(_messages(sqs, url))
        for message in seen:
            typer.echo(f"{_about(message)}: {_reason(message)}")
        for message in seen:
            sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    typer.echo(_count(len(seen), "in the dead-letter queue"), err=True)


@app.command("redrive")
def redrive(
    data: DataOption = Path(".data"),
    queue_url: QueueOption = None,
    dead_letters_url: DeadLettersOption = None,
) -> None:
    """Send every message of the dead-letter queue back to the queue; uploads that were given up start over."""
    place = _place(data, queue_url, dead_letters_url)
    count = 0
    with reaching():
        sqs = place.client("sqs")
        url = place.names["new-uploads-dead-letters"]
        for message in _messages(sqs, url):
            # Sent first and deleted second: an interruption in between sends it twice, which is harmless.
            sqs.send_message(
                QueueUrl=place.names["new-uploads"],
                MessageBody=message["Body"],
                MessageAttributes={AGAIN: {"DataType": "String", "StringValue": "redrive"}},
            )
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            typer.echo(f"{_about(message)}: {_reason(message)}")
            count += 1
    typer.echo(_count(count, "sent back to the queue"), err=True)


def _place(data: Path, queue_url: str | None, dead_letters_url: str | None) -> Place:
    given = {"new-uploads": queue_url, "new-uploads-dead-letters": dead_letters_url}
    place = find_place(data, given)
    if missing := sorted(set(given) - set(place.names)):
        message = f"the service with the data folder {data} has no queue {missing[0]}"
        raise PlaceError(message)
    return place


def _messages(sqs: Any, url: str) -> Iterator[Any]:  # noqa: ANN401 -- a boto3 client
    """Receive as many messages as are in a queue now: one that fails again at once comes back while we read."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    left = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    while left > 0:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(BATCH, left),
            WaitTimeSeconds=1,
            VisibilityTimeout=HIDDEN_S,
            MessageAttributeNames=["All"],
        )
        found = answer.get("Messages", [])
        if not found:
            return
        left -= len(found)
        yield from found


def _about(message: Any) -> str:  # noqa: ANN401 -- as boto3 gives it
    try:
        return ", ".join(upload.key for upload in read_message(message["Body"])) or "no upload"
    except UploadFailed:
        return "no event of S3"


def _reason(message: Any) -> str:  # noqa: ANN401 -- as above
    attributes = message.get("MessageAttributes", {})
    return str(attributes[REASON]["StringValue"]) if REASON in attributes else _NO_REASON


def _count(count: int, what: str) -> str:
    return f"{count} message{'' if count == 1 else 's'} {what}"
