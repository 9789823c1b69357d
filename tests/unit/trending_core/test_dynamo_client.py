"""Transactions that others are in the way of, against a client that plays DynamoDB's answers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from cdk.service import service
from trending_core.dynamo_client import (
    ATTEMPTS,
    CONNECT_TIMEOUT_S,
    LONGEST_PAUSE_S,
    READ_TIMEOUT_S,
    Patience,
    Transactor,
    connect,
)
from trending_core.errors import Unavailable


class CancelledError(ClientError):
    """A transaction cancelled for the given reasons."""

    def __init__(self, *codes: str) -> None:
        response: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "secret text of an item"},
            "CancellationReasons": [{"Code": code} for code in codes],
        }
        super().__init__(response, "TransactWriteItems")


class InProgressError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "TransactionInProgressException"}}, "TransactWriteItems")


class Script:
    """A client that raises what it is told, in order, and then succeeds."""

    class exceptions:  # noqa: N801 -- as boto3 names it
        TransactionCanceledException = CancelledError
        TransactionInProgressException = InProgressError

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.tokens: list[str] = []

    def transact_write_items(self, TransactItems: list[Any], ClientRequestToken: str) -> None:  # noqa: N803 -- as boto3 names it
        self.calls += 1
        self.tokens.append(ClientRequestToken)
        if self.failures:
            raise self.failures.pop(0)


class Time:
    """A clock that moves only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += max(seconds, 0.01)


def transactor(client: Script, time: Time) -> Transactor:
    patience = Patience(budget_s=2, pause=time.pause, clock=lambda: time.now, random=random.Random(1))
    return Transactor(client, patience)  # type: ignore[arg-type]


def test_a_conflict_is_tried_again_after_a_pause() -> None:
    client, time = Script(CancelledError("None", "TransactionConflict"), InProgressError()), Time()
    assert transactor(client, time).write([{}, {}]) == frozenset()
    assert client.calls == 3
    assert len(time.pauses) == 2


class Slow(Script):
    """A client whose first call is written while it is reported as in progress; conditions are that nothing is there."""

    def transact_write_items(self, TransactItems: list[Any], ClientRequestToken: str) -> None:  # noqa: N803 -- as boto3 names it
        super().transact_write_items(TransactItems, ClientRequestToken)
        if self.calls == 1:
            raise InProgressError
        if ClientRequestToken != self.tokens[0]:
            raise CancelledError(*["ConditionalCheckFailed"] * len(TransactItems))


def test_a_transaction_in_progress_does_not_meet_what_it_wrote_itself() -> None:
    client = Slow()
    assert transactor(client, Time()).write([{}]) == frozenset()
    assert client.calls == 2


def test_a_cancelled_transaction_is_another_request_the_next_time() -> None:
    conflict = CancelledError("TransactionConflict")
    client = Script(InProgressError(), conflict, InProgressError(), conflict)
    made = transactor(client, Time())
    made.write([{}])
    made.write([{}])
    first, again, second, still, third, other = client.tokens
    assert (first, second) == (again, still)
    assert len({first, second, third, other}) == 4


def test_failed_conditions_are_reported_and_not_tried_again() -> None:
    client, time = Script(CancelledError("None", "ConditionalCheckFailed", "TransactionConflict")), Time()
    assert transactor(client, time).write([{}, {}, {}]) == frozenset({1})
    assert client.calls == 1


def test_rows_that_stay_taken_end_the_request_within_its_budget() -> None:
    client, time = Script(*[CancelledError("TransactionConflict")] * 10_000), Time()
    with pytest.raises(Unavailable, match="too many at once"):
        transactor(client, time).write([{}])
    assert time.now <= 2 + LONGEST_PAUSE_S
    assert max(time.pauses) <= LONGEST_PAUSE_S


@pytest.mark.parametrize(
    "failure",
    [
        ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "secret"}}, "TransactWriteItems"),
        CancelledError("ValidationError"),
    ],
)
def test_any_other_failure_is_unavailable_and_repeats_no_message(failure: Exception) -> None:
    client, time = Script(failure), Time()
    with pytest.raises(Unavailable) as caught:
        transactor(client, time).write([{}])
    assert "secret" not in str(caught.value)
    assert client.calls == 1


def test_a_call_that_hangs_is_given_up_before_the_function_that_made_it(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # conftest.py gives busy machines more time; these are the values that are shipped.
    monkeypatch.setattr("trending_core.dynamo_client.CONNECT_TIMEOUT_S", CONNECT_TIMEOUT_S)
    monkeypatch.setattr("trending_core.dynamo_client.READ_TIMEOUT_S", READ_TIMEOUT_S)
    config: Any = connect("http://127.0.0.1:9").meta.config
    assert config.connect_timeout == CONNECT_TIMEOUT_S
    assert config.read_timeout == READ_TIMEOUT_S
    # botocore's standard mode pauses for up to 1, 2, 4 ... s between the attempts.
    longest = ATTEMPTS * (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) + 2 ** (ATTEMPTS - 1) - 1
    stores = [f for f in service("production").functions if any(grant.to == "items" for grant in f.grants)]
    assert longest < min(function.timeout_s for function in stores)
