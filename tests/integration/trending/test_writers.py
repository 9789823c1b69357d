"""Many writers at once on the real emulator: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import NOW, draft, dynamo_store, enrichment, event, total
from trending_core.decay import DAY, WEEK
from trending_core.dynamo_client import connect
from trending_core.events import EventType, enrichment_weight
from trending_core.ranking import ALL, genre
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from cdk.local.emulator import Emulator
    from trending_core.decay import Window
    from trending_core.events import Event

WRITERS = 16
EVENTS = 10_000
ITEMS = 50
REPEATED = 500
"""How many of the events are sent a second time, by another writer."""
SCORE = 6.0


def exact_total(window: Window, events: list[Event]) -> float:
    """The decayed sum by the definition, with the enrichment as the first event."""
    half_life = window.half_life / timedelta(microseconds=1)
    sum_ = enrichment_weight(SCORE)
    for one in events:
        age = (NOW - one.at) / timedelta(microseconds=1)
        sum_ += one.weight * Decimal(2) ** Decimal(-age / half_life)
    return float(sum_)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sixteen_writers_of_ten_thousand_events_on_fifty_items(
    emulator: Emulator, aws_environment: None
) -> None:
    chance = random.Random(4)
    ids = [f"item-{i:02}" for i in range(ITEMS)]
    events = [
        event(
            chance.choice(ids),
            f"e{n}",
            chance.choice([EventType.VIEW, EventType.LIKE, EventType.SHARE]),
            at=NOW - timedelta(seconds=chance.randrange(7 * 86_400)),
        )
        for n in range(EVENTS)
    ]
    sent = [*events, *chance.sample(events, REPEATED)]
    chance.shuffle(sent)
    with dynamo_store(emulator.endpoint_url) as (store, _):
        for item_id in ids:
            store.complete(draft(item_id), enrichment(genres=(), tags=(), score=SCORE), NOW)
        clients = [connect(emulator.endpoint_url) for _ in range(WRITERS)]
        # A client of its own for each writer, as in execution environments of their own.
        writers = [DynamoItemStore(one, store._table) for one in clients]

        def write(writer: int) -> int:
            return sum(writers[writer].record(one.item_id, [one])[0] for one in sent[writer::WRITERS])

        with ThreadPoolExecutor(WRITERS) as pool:
            counted = sum(pool.map(write, range(WRITERS)))
        for one in clients:
            one.close()

        assert counted == EVENTS
        for window in (DAY, WEEK):
            page = store.trending(ALL, window, limit=100, now=NOW)
            totals = {entry.item.item_id: entry.trending_score for entry in page.entries}
            wanted = {i: exact_total(window, [one for one in events if one.item_id == i]) for i in ids}
            assert totals == pytest.approx(wanted, rel=1e-9)
            assert list(totals) == sorted(ids, key=lambda i: -wanted[i])
        views = sum(one.type is EventType.VIEW for one in events)
        assert sum(store.standing(item_id, NOW).engagement.views for item_id in ids) == views


def test_writers_who_carry_one_item_over_together_lose_nothing(
    emulator: Emulator, aws_environment: None
) -> None:
    """All of them find the item in the old epoch and try to carry it over at the same time."""
    later = NOW + timedelta(days=40)
    with dynamo_store(emulator.endpoint_url) as (store, _):
        for round_ in range(4):
            item_id = f"item-{round_}"
            store.complete(draft(item_id), enrichment(genres=("Drama",), tags=(), score=10), NOW)

            def write(writer: int, item_id: str = item_id) -> tuple[bool, ...]:
                return store.record(item_id, [event(item_id, f"e{writer}", EventType.LIKE, at=later)])

            with ThreadPoolExecutor(8) as pool:
                assert all(counted for (counted,) in pool.map(write, range(8)))
            for window in (DAY, WEEK):
                remains = 6 / 2 ** (timedelta(days=40) / window.half_life)
                assert total(store, item_id, window, later) == pytest.approx(32 + remains, rel=1e-9)
                (entry,) = (
                    entry
                    for entry in store.trending(genre("Drama"), window, limit=10, now=later).entries
                    if entry.item.item_id == item_id
                )
                assert entry.trending_score == total(store, item_id, window, later)
