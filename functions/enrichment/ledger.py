"""Answers that were paid for, kept before anything else is done with them.

If the function dies after a reply and before the item is written, the next attempt asks the same question, finds the
reply here, and pays nothing. A reply that was refused, and whose repair was refused too, is kept for an hour more, so that no further
delivery of the same message pays for its like, and then the question is open again. What cannot be covered is a death between the provider's
reply and this write, and an attempt that timed out here and was finished there: the provider offers no way to fetch an answer twice. Must not
know items, or what an answer means.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from functions.enrichment.llm import LlmReply
from trending_core.dynamo_client import answering

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb.client import DynamoDBClient

KEEP_S: Final = 7 * 24 * 3600
"""Seconds that an answer is kept; longer than a message stays in a queue."""
REFUSED_S: Final = 3_600
"""Seconds that a refused answer is still kept: longer than three deliveries of one message, which are 900 s apart at most."""
MAX_KEPT: Final = 60_000
"""Characters of a reply that are kept; one that long is refused by `functions.enrichment.validation` either way."""
PREFIX: Final = "answer#"


class PaidAnswers(Protocol):
    """Replies by the fingerprint of their question."""

    def get(self, fingerprint: str) -> LlmReply | None:
        """Find a reply.

        Raises
        ------
        Unavailable
            If it cannot be known: then nothing should be paid for either.
        """
        ...

    def put(self, fingerprint: str, reply: LlmReply) -> None:
        """Keep a reply.

        Raises
        ------
        Unavailable
            If it cannot be kept.
        """
        ...

    def drop(self, fingerprint: str) -> None:
        """Let go of a reply soon, see `REFUSED_S`; of none, too.

        Raises
        ------
        Unavailable
            If it is not known that it will go.
        """
        ...


class DynamoPaidAnswers:
    """`PaidAnswers` in a table with the partition key ``id`` and the TTL attribute ``expiration``.

    Parameters
    ----------
    client : DynamoDBClient
    table : str
    clock : callable
        Unix time in seconds.
    """

    def __init__(self, client: DynamoDBClient, table: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def get(self, fingerprint: str) -> LlmReply | None:
        """Find a reply that has not expired; see `PaidAnswers.get`."""
        with answering():
            found = self._client.get_item(TableName=self._table, Key=_key(fingerprint), ConsistentRead=True)
        row = found.get("Item")
        if row is None or int(row["expiration"]["N"]) <= self._clock():
            return None
        return LlmReply(**json.loads(row["reply"]["S"]))

    def put(self, fingerprint: str, reply: LlmReply) -> None:
        """Keep a reply; see `PaidAnswers.put`."""
        kept = {
            "text": reply.text[:MAX_KEPT],
            "model": reply.model,
            "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens,
        }
        row = {
            **_key(fingerprint),
            "reply": {"S": json.dumps(kept, ensure_ascii=True)},
            "expiration": {"N": str(int(self._clock()) + KEEP_S)},
        }
        with answering():
            self._client.put_item(TableName=self._table, Item=row)

    def drop(self, fingerprint: str) -> None:
        """Let go of a reply soon; see `PaidAnswers.drop`. A second time changes nothing: an hour counts from the first."""
        missing = self._client.exceptions.ConditionalCheckFailedException
        with answering(), suppress(missing):
            self._client.update_item(
                TableName=self._table,
                Key=_key(fingerprint),
                UpdateExpression="SET expiration = :soon",
                ConditionExpression="expiration > :soon",
                ExpressionAttributeValues={":soon": {"N": str(int(self._clock()) + REFUSED_S)}},
            )


def _key(fingerprint: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": f"{PREFIX}{fingerprint}"}}
