"""Calling DynamoDB: the client, when to call again, and what a failure is called. Must not know: the table's layout.

boto3 is imported when the first client is made. Its own retries (mode "standard") cover throttling and dropped
connections of single calls. What they don't cover is a transaction cancelled because another one held the same row
(``TransactionConflict``), and a batch of which DynamoDB reads a part; both are called again after full jitter, until
`Patience` ends.
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

CONNECT_TIMEOUT_S: Final = 1
READ_TIMEOUT_S: Final = 2
ATTEMPTS: Final = 3
"""Of one call. DynamoDB answers within milliseconds; where it hangs, a call is given up after 3 x (1 + 2) s and at most
1 + 2 s of botocore's pauses between them: 12 s, within the 15 s of the function that waits for it the shortest.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html"""
MAX_CONNECTIONS: Final = 16
"""Connections of a client: a page reads the shards of a partition at the same time."""
BUDGET_S: Final = 8.0
"""Seconds until a contended transaction, or a batch that is read in parts, is given up."""
FIRST_PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 0.5
_FAILED: Final = "ConditionalCheckFailed"
_IN_PROGRESS: Final = "TransactionInProgress"
_PASSING: Final = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons of a cancelled transaction that go away by themselves.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""


def connect(endpoint_url: str | None = None) -> DynamoDBClient:
    """Make a client with explicit timeouts; what is not given comes from the environment, as boto3 reads it."""
    import boto3  # noqa: PLC0415 -- half a second that a request without the store does not need
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.client("dynamodb", endpoint_url=endpoint_url, config=config)


@contextmanager
def answering() -> Iterator[None]:
    """Turn a failure to reach DynamoDB, or its refusal, into `Unavailable`; conditions are the caller's business.

    Raises
    ------
    Unavailable
        Naming the code only: DynamoDB's messages can repeat an item.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- loaded with the client

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        message = f"The item store refused a request ({code})."
        raise Unavailable(message) from error
    except BotoCoreError as error:
        message = f"The item store does not answer ({type(error).__name__})."
        raise Unavailable(message) from error


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something is tried again, and the pauses between.

    Parameters
    ----------
    budget_s : float
        Seconds after which it is given up.
    pause : callable
        Waits so many seconds.
    """

    budget_s: float = BUDGET_S
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random: random.Random = field(default_factory=random.SystemRandom)

    def tries(self) -> Iterator[None]:
        """Let the first try begin at once and each further one after a pause with full jitter, until the time is up."""
        deadline = self.clock() + self.budget_s
        longest = FIRST_PAUSE_S
        while True:
            yield
            if self.clock() >= deadline:
                return
            self.pause(self.random.uniform(0, longest))
            longest = min(2 * longest, LONGEST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class Transactor:
    """Writes transactions, again and again while other transactions hold their rows."""

    client: DynamoDBClient
    patience: Patience = field(default_factory=Patience)

    def write(self, actions: Sequence[dict[str, Any]]) -> frozenset[int]:
        """Write all of the actions or none; give the indexes of those whose condition failed (empty: written).

        Raises
        ------
        Unavailable
            If DynamoDB cannot be reached, refuses, or the rows stay taken for longer than `patience` lasts.
        """
        reasons: list[str] = []
        token = str(uuid4())
        for _ in self.patience.tries():
            reasons = self._try(actions, token)
            if _FAILED in reasons:
                return frozenset(i for i, reason in enumerate(reasons) if reason == _FAILED)
            if not reasons:
                return frozenset()
            if _IN_PROGRESS not in reasons:
                # Cancelled: nothing was written under this token. One in progress may still be, and under another token
                # it would meet what it wrote itself.
                token = str(uuid4())
        message = f"The item is being written by too many at once ({', '.join(sorted(set(reasons)))})."
        raise Unavailable(message)

    def _try(self, actions: Sequence[dict[str, Any]], token: str) -> list[str]:
        """Write once; give the reason per action when cancelled for one that a caller can act on."""
        cancelled = self.client.exceptions.TransactionCanceledException
        busy = self.client.exceptions.TransactionInProgressException
        with answering():
            try:
                self.client.transact_write_items(
                    TransactItems=list(actions),  # type: ignore[arg-type]
                    ClientRequestToken=token,
                )
            except busy:
                return [_IN_PROGRESS]
            except cancelled as error:
                reasons = [
                    str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])
                ]
                if _FAILED in reasons or _PASSING.intersection(reasons):
                    return reasons
                raise
        return []
