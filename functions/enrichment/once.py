"""A piece of work is done once: a repeated request gets the first one's result, a concurrent one is told to wait.

Owns how Powertools' idempotency is used (https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/):
its table, how long records live, and what its exceptions mean to a caller. Must not know what the work is.

A record is in progress until the invocation that made it would have timed out; a killed function therefore holds a key
for at most its own timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from trending_core.errors import FieldError, InProgress, InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb.client import DynamoDBClient

KEEP_KEY_S: Final = 24 * 3600
"""Seconds that a caller's ``Idempotency-Key`` is remembered."""
KEEP_CONTENT_S: Final = 30
"""Seconds that finished work on the same content is remembered; after that the stored item speaks for itself."""
RETRY_AFTER_S: Final = 5


class Once(Protocol):
    """Does work at most once per key."""

    def run(self, key: str, content: str, work: Callable[[], str], *, remaining_ms: Callable[[], int]) -> str:
        """Do the work, or give the result of the same work done before.

        Parameters
        ----------
        key : str
            What identifies the request.
        content : str
            A hash of what was sent; another one under the same key is refused.
        remaining_ms : callable
            Milliseconds until the invocation times out.

        Raises
        ------
        InProgress
            If the same work is under way.
        InvalidInput
            If the key was used with other content.
        Unavailable
            If the records cannot be read or written.
        """
        ...


class _Remaining:
    """As much of Lambda's context as Powertools asks for."""

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self.get_remaining_time_in_millis = remaining_ms


class DynamoOnce:
    """`Once` in a table with the partition key ``id`` and the TTL attribute ``expiration``.

    Parameters
    ----------
    client : DynamoDBClient
    table : str
    prefix : str
        Kind of key; keys of different kinds never meet.
    keep_s : int
        Seconds that a finished piece of work is remembered.
    """

    def __init__(self, client: DynamoDBClient, table: str, *, prefix: str, keep_s: int) -> None:
        self._layer = DynamoDBPersistenceLayer(table_name=table, boto3_client=client)
        self._prefix = prefix
        self._config = IdempotencyConfig(
            event_key_jmespath="key",
            payload_validation_jmespath="content",
            raise_on_no_idempotency_key=True,
            expires_after_seconds=keep_s,
            hash_function="sha256",
        )

    def run(self, key: str, content: str, work: Callable[[], str], *, remaining_ms: Callable[[], int]) -> str:
        """Do the work once; see `Once.run`."""
        self._config.register_lambda_context(cast("LambdaContext", _Remaining(remaining_ms)))

        def call(*, request: dict[str, str]) -> Any:  # noqa: ANN401, ARG001 -- Powertools keeps JSON and reads `request`
            return work()

        guarded = idempotent_function(
            call,
            data_keyword_argument="request",
            persistence_store=self._layer,
            config=self._config,
            key_prefix=self._prefix,
        )
        try:
            return str(guarded(request={"key": key, "content": content}))
        except IdempotencyAlreadyInProgressError as error:
            message = f"The same request is being worked on; ask again in {RETRY_AFTER_S} seconds."
            raise InProgress(message, retry_after_s=RETRY_AFTER_S) from error
        except IdempotencyValidationError as error:
            message = "This Idempotency-Key was used with another request."
            reason = "was used with another request"
            raise InvalidInput(message, errors=[FieldError("Idempotency-Key", reason)]) from error
        except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError) as error:
            message = "The record of earlier requests cannot be read or written."
            raise Unavailable(message, retry_after_s=RETRY_AFTER_S) from error
