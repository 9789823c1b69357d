import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.classification.batches import Classified
from functions.classification.files import FileError, Row, RowError
from functions.classification.files.results import ResultFormat
from functions.classification.uploads.errors import TimeIsUp
from functions.classification.uploads.item_writer import (
    AHEAD,
    AT_ONCE,
    Itemised,
    ItemWriter,
    Outcome,
    Verdict,
)
from functions.classification.uploads.items import Wish
from tests.support.stores import enrichment, total
from trending_core.decay import DAY
from trending_core.errors import Unavailable
from trending_core.models import Draft, Enrichment, Item, Status
from trending_core.store_memory import MemoryItemStore

RESULTS = ResultFormat(("Action", "Drama"), (0.5, 0.5), "fake", "0.0.1")
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def outcome(
    number: int, item_id: str | None = None, *, title: str | None = "T", text: str = "A plot."
) -> Outcome:
    return Classified(Row(number, id=f"r{number}", text=text, title=title, item_id=item_id), [0.9, 0.1])


def writer(store: Any) -> ItemWriter:
    return ItemWriter(store, RESULTS, now=NOW.timestamp)


def follow(store: Any, outcomes: Sequence[Outcome], wish: Wish = Wish.ALL) -> list[Outcome]:
    return list(writer(store).follow(outcomes, wish, check=lambda: None))


def verdicts(found: Sequence[Outcome]) -> list[Verdict | None]:
    return [one.verdict if isinstance(one, Itemised) else None for one in found]


OUTCOMES = st.lists(
    st.one_of(
        st.builds(RowError, st.integers(1, 99), st.just("bad")),
        st.builds(
            outcome,
            st.integers(1, 999),
            st.sampled_from([None, "a", "b", "not an id"]),
            title=st.sampled_from([None, "T", "U"]),
        ),
    ),
    max_size=3 * AHEAD,
)


@settings(max_examples=40)
@given(outcomes=OUTCOMES, wish=st.sampled_from(Wish))
def test_every_outcome_comes_out_once_in_order_and_verdicts_agree_with_the_store(
    outcomes: list[Outcome], wish: Wish
) -> None:
    store = MemoryItemStore()
    found = follow(store, outcomes, wish)
    assert [getattr(one, "row", one) for one in found] == [getattr(one, "row", one) for one in outcomes]
    for one in found:
        wanted = not isinstance(one, RowError) and wish.covers(one.row)
        assert isinstance(one, Itemised) is wanted
        if isinstance(one, Itemised):
            assert (one.verdict.item_id is None) is (one.verdict.reason is not None)
            if one.verdict.item_id is not None:
                item = store.get(one.verdict.item_id)
                assert (item.title, item.status) == (one.row.title, Status.READY)
    assert verdicts(follow(store, outcomes, wish)) == verdicts(found)


def test_the_first_row_of_an_id_is_the_item_and_another_text_is_refused() -> None:
    store = MemoryItemStore()
    rows = [outcome(1, "x"), outcome(2, "x", text="Another plot."), outcome(3, "x")]
    assert verdicts(follow(store, rows)) == [
        Verdict("x"),
        Verdict(None, "there is an item x with another title or text"),
        Verdict("x"),
    ]
    assert store.draft("x").plot == "A plot."
    assert total(store, "x", DAY, NOW) == pytest.approx(3.5, rel=1e-9)


def test_an_item_that_is_there_stays_as_it_is() -> None:
    store = MemoryItemStore()
    ready = store.complete(Draft(item_id="ready", title="T", plot="A plot."), enrichment(score=9), NOW)
    pending = store.begin(Draft(item_id="pending", title="T", plot="A plot."), NOW).item
    found = follow(store, [outcome(1, "ready"), outcome(2, "pending")])
    assert verdicts(found) == [Verdict("ready"), Verdict("pending")]
    assert store.get("ready") == ready
    assert store.get("pending") == pending


class Slow:
    """A store whose writes wait for each other to have begun, or for a moment."""

    def __init__(self, together: int) -> None:
        self.begun: list[str] = []
        self._meeting = threading.Barrier(together, timeout=30)

    def complete(self, draft: Draft, made: Enrichment, now: datetime, *, leave_pending: bool) -> Item:
        assert leave_pending
        self.begun.append(draft.item_id)
        self._meeting.wait()
        return Item.of(draft, now).ready(made, now)


def test_several_items_are_written_at_the_same_time() -> None:
    store = Slow(AT_ONCE)
    rows = [outcome(number, f"x{number}") for number in range(2 * AT_ONCE)]
    assert verdicts(follow(store, rows)) == [Verdict(f"x{number}") for number in range(2 * AT_ONCE)]


def test_no_more_rows_are_taken_than_may_be_under_way() -> None:
    taken = 0

    def source() -> Iterator[Outcome]:
        nonlocal taken
        for number in range(5 * AHEAD):
            taken += 1
            yield outcome(number, f"x{number}")

    given = 0
    for _ in writer(MemoryItemStore()).follow(source(), Wish.ALL, check=lambda: None):
        given += 1
        assert taken - given <= AHEAD
    assert given == 5 * AHEAD


@pytest.mark.parametrize("error", [FileError("in.csv is cut off"), TimeIsUp()])
def test_rows_before_the_end_of_the_file_or_of_the_time_are_given_first(error: Exception) -> None:
    def source() -> Iterator[Outcome]:
        yield from [outcome(1, "a"), outcome(2, "b")]
        raise error

    found: list[Outcome] = []
    with pytest.raises(type(error)):
        found.extend(writer(MemoryItemStore()).follow(source(), Wish.ALL, check=lambda: None))
    assert verdicts(found) == [Verdict("a"), Verdict("b")]


class Down:
    """A store that does not answer."""

    def complete(self, draft: Draft, *_: object, **__: object) -> Item:
        message = "The item store does not answer."
        raise Unavailable(message)


def time_is_up() -> None:
    raise TimeIsUp


@pytest.mark.parametrize(
    ("store", "check", "error"),
    [(Down(), lambda: None, Unavailable), (MemoryItemStore(), time_is_up, TimeIsUp)],
)
def test_what_ends_the_work_leaves_no_thread(
    store: Any, check: Callable[[], None], error: type[Exception]
) -> None:
    before = threading.active_count()
    with pytest.raises(error):
        list(writer(store).follow([outcome(1)], Wish.ALL, check=check))
    assert threading.active_count() == before
