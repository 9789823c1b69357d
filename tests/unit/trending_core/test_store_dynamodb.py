"""What happens to a write when another one, or the end of the process, comes between its reading and its writing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from moto import mock_aws

from tests.support.stores import NOW, draft, dynamo_store, enrichment, event, total
from trending_core.decay import DAY, WEEK
from trending_core.dynamo_client import LONGEST_PAUSE_S, Patience, Transactor
from trending_core.dynamo_codec import ALL_ROW, item_key
from trending_core.errors import Conflict, NotFound, Unavailable
from trending_core.events import EventType
from trending_core.models import Status
from trending_core.ranking import ALL
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

LATER = NOW + timedelta(days=40)


class Interrupted(Transactor):
    """A transactor before whose first write something else happens."""

    def __init__(self, client: DynamoDBClient, happens: Callable[[], object]) -> None:
        super().__init__(client)
        object.__setattr__(self, "happens", [happens])

    def write(self, actions: Sequence[dict[str, Any]]) -> frozenset[int]:
        happens: list[Callable[[], object]] = getattr(self, "happens")  # noqa: B009 -- a frozen dataclass' extra
        if happens:
            happens.pop()()
        return Transactor.write(self, actions)


Table = tuple[DynamoItemStore, "DynamoDBClient"]


@pytest.fixture
def table(aws_environment: None) -> Iterator[Table]:
    with mock_aws(), dynamo_store() as made:
        yield made


def interrupted(table: Table, happens: Callable[[], object]) -> DynamoItemStore:
    store, client = table
    return DynamoItemStore(client, store._table, transactor=Interrupted(client, happens))


def killed() -> None:
    message = "the process ends here"
    raise KeyboardInterrupt(message)


def test_an_addition_meant_for_the_old_epoch_is_worked_out_anew(table: Table) -> None:
    """An event from before the roll-over is on its way while another one carries the item over."""
    store, _ = table
    store.complete(draft(), enrichment(), NOW)
    slow = interrupted(table, lambda: store.record("salt-road", [event("salt-road", "new", at=LATER)]))
    assert slow.record("salt-road", [event("salt-road", "old", EventType.SHARE, at=NOW)]) == (True,)
    assert total(store, "salt-road", DAY, LATER) == pytest.approx(1 + 7 / 2**40, abs=1e-11)
    assert total(store, "salt-road", WEEK, LATER) == pytest.approx(1 + 7 / 2 ** (40 / 7), rel=1e-9)


def test_an_addition_that_comes_before_a_carrying_over_is_not_lost(table: Table) -> None:
    store, _ = table
    store.complete(draft(), enrichment(), NOW)
    almost = DAY.landmark(DAY.epoch(NOW) + 1) - timedelta(hours=1)
    just_after = almost + timedelta(hours=2)
    slow = interrupted(
        table, lambda: store.record("salt-road", [event("salt-road", "e1", EventType.SHARE, at=almost)])
    )
    assert slow.record("salt-road", [event("salt-road", "e2", at=just_after)]) == (True,)
    decayed = 6 * 2 ** (-2 / 24) + 2 ** (-((just_after - NOW) / DAY.half_life))
    assert total(store, "salt-road", DAY, just_after) == pytest.approx(1 + decayed, rel=1e-9)


def test_the_same_event_from_two_senders_counts_once(table: Table) -> None:
    store, _ = table
    store.complete(draft(), enrichment(), NOW)
    one = event("salt-road", "e1")
    assert interrupted(table, lambda: store.record("salt-road", [one])).record("salt-road", [one]) == (False,)
    assert store.standing("salt-road", NOW).engagement.views == 1


class Overtaken:
    """A client before whose first `get_item` something else happens."""

    def __init__(self, client: DynamoDBClient, happens: Callable[[], object]) -> None:
        self._client = client
        self._happens = [happens]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_item(self, **request: Any) -> Any:
        if self._happens:
            self._happens.pop()()
        return self._client.get_item(**request)


def test_an_item_that_becomes_ready_while_an_event_comes_takes_it(table: Table) -> None:
    store, client = table
    store.begin(draft(), NOW)
    meanwhile: Any = Overtaken(client, lambda: store.complete(draft(), enrichment(), NOW))
    slow = DynamoItemStore(meanwhile, store._table)
    assert slow.record("salt-road", [event("salt-road", "e1")]) == (True,)
    assert store.standing("salt-road", NOW).engagement.views == 1


def test_a_ready_item_whose_rows_stay_away_is_unavailable(table: Table) -> None:
    store, client = table
    store.complete(draft(), enrichment(genres=(), tags=()), NOW)
    client.delete_item(TableName=store._table, Key=item_key("salt-road", ALL_ROW))
    impatient = DynamoItemStore(client, store._table, patience=Patience(budget_s=0))
    with pytest.raises(Unavailable, match="only just ready"):
        impatient.record("salt-road", [event("salt-road", "e1")])


def test_of_two_enrichments_the_one_that_is_written_first_stays(table: Table) -> None:
    store, _ = table
    first = enrichment(score=9)
    slow = interrupted(table, lambda: store.complete(draft(), first, NOW))
    assert slow.complete(draft(), enrichment(score=1), NOW).enrichment == first
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(5.5, rel=1e-9)


def test_of_two_drafts_under_one_id_the_second_is_refused(table: Table) -> None:
    store, _ = table
    other = draft(plot="Another story.")
    with pytest.raises(Conflict):
        interrupted(table, lambda: store.begin(other, NOW)).complete(draft(), enrichment(), NOW)
    assert store.draft("salt-road") == other


def test_a_failure_does_not_overwrite_a_completion(table: Table) -> None:
    store, _ = table
    store.begin(draft(), NOW)
    slow = interrupted(table, lambda: store.complete(draft(), enrichment(), NOW))
    assert slow.fail("salt-road", "gave up", NOW).status is Status.READY


def test_a_process_that_ends_before_its_write_leaves_nothing_and_a_retry_completes_it(table: Table) -> None:
    store, _ = table
    with pytest.raises(KeyboardInterrupt):
        interrupted(table, killed).complete(draft(), enrichment(), NOW)
    with pytest.raises(NotFound):
        store.get("salt-road")
    assert store.trending(ALL, DAY, limit=5, now=NOW).entries == ()
    assert store.complete(draft(), enrichment(), NOW).status is Status.READY
    with pytest.raises(KeyboardInterrupt):
        interrupted(table, killed).record("salt-road", [event("salt-road", "e1", at=LATER)])
    assert store.record("salt-road", [event("salt-road", "e1", at=LATER)]) == (True,)


def test_a_store_that_cannot_be_reached_is_unavailable(table: Table) -> None:
    _, client = table
    gone = DynamoItemStore(client, "no-such-table")
    with pytest.raises(Unavailable, match="ResourceNotFoundException"):
        gone.get("salt-road")


class Stingy:
    """A client that answers so many keys of a batch, and leaves the others unprocessed."""

    def __init__(self, client: DynamoDBClient, *, at_once: int) -> None:
        self.client = client
        self.at_once = at_once
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 -- as boto3 names it
        self.calls += 1
        ((table, asked),) = RequestItems.items()
        now, later = asked["Keys"][: self.at_once], asked["Keys"][self.at_once :]
        responses: Any = {table: []}
        if now:
            asked_now: Any = {table: {**asked, "Keys": now}}
            responses = self.client.batch_get_item(RequestItems=asked_now)["Responses"]
        unprocessed = {table: {**asked, "Keys": later}} if later else {}
        return {"Responses": responses, "UnprocessedKeys": unprocessed}


def stingy(table: Table, *, at_once: int) -> tuple[DynamoItemStore, Stingy, list[float]]:
    """Make a store on such a client; its clock moves only in its pauses."""
    store, client = table
    slow = Stingy(client, at_once=at_once)
    pauses: list[float] = []
    patience = Patience(budget_s=2, pause=lambda s: pauses.append(max(s, 0.01)), clock=lambda: sum(pauses))
    return DynamoItemStore(cast("Any", slow), store._table, patience=patience), slow, pauses


def test_a_batch_that_comes_in_parts_is_read_whole_with_pauses(table: Table) -> None:
    store, _ = table
    for item_id in ("a", "b", "c"):
        store.complete(draft(item_id), enrichment(score=4), NOW)
    reader, client, pauses = stingy(table, at_once=1)
    assert reader.get_many(["a", "b", "c"]).keys() == {"a", "b", "c"}
    assert client.calls == 3
    assert len(pauses) == 2
    assert reader.standing("b", NOW) == store.standing("b", NOW)


def test_a_batch_of_which_nothing_comes_is_given_up(table: Table) -> None:
    reader, _, pauses = stingy(table, at_once=0)
    with pytest.raises(Unavailable, match="1 of 1 rows unread"):
        reader.get_many(["salt-road"])
    assert 2 <= sum(pauses) <= 2 + LONGEST_PAUSE_S
    assert max(pauses) <= LONGEST_PAUSE_S


def test_an_item_with_its_standing_is_one_call(table: Table) -> None:
    store, client = table
    store.complete(draft(), enrichment(), NOW)
    calls: list[str] = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    store.standing("salt-road", NOW)
    assert calls == ["BatchGetItem"]
