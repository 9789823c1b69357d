"""Pages of a ranking: they add up to the sorted whole, over shards, epochs and moving scores."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import NOW, draft, enrichment, event, total
from trending_core.decay import DAY, WEEK
from trending_core.errors import InvalidInput
from trending_core.events import EventType
from trending_core.ranking import ALL, Place, genre

if TYPE_CHECKING:
    from datetime import datetime

    from trending_core.decay import Window
    from trending_core.ranking import Partition
    from trending_core.store import ItemStore

ITEMS = 21


def fill(store: ItemStore, *, seed: int, count: int = ITEMS, end: datetime = NOW) -> None:
    """Store items of two genres with a few events each in the ten days before `end`."""
    chance = random.Random(seed)
    for i in range(count):
        item_id = f"item-{i:02}"
        made = enrichment(genres=("Drama",) if i % 3 else ("Comedy",), tags=(), score=chance.randint(0, 10))
        at = end - timedelta(days=10 * chance.random())
        store.complete(draft(item_id), made, at)
        kinds = chance.choices((EventType.VIEW, EventType.LIKE, EventType.SHARE), k=chance.randint(0, 4))
        events = [
            event(item_id, f"e{n}", kind, at=at + (end - at) * chance.random())
            for n, kind in enumerate(kinds)
        ]
        if events:
            store.record(item_id, events)


def flat(lists: list[list[str]]) -> list[str]:
    return list(chain.from_iterable(lists))


def pages(
    store: ItemStore, partition: Partition, window: Window, *, limit: int, now: datetime
) -> list[list[str]]:
    found: list[list[str]] = []
    after: Place | None = None
    while True:
        page = store.trending(partition, window, limit=limit, now=now, after=after)
        found.append([entry.item.item_id for entry in page.entries])
        after = page.next_place
        if after is None:
            return found


@pytest.mark.parametrize("limit", [2, 7, 100])
def test_pages_add_up_to_the_sorted_whole(store: ItemStore, limit: int) -> None:
    fill(store, seed=limit)
    for window in (DAY, WEEK):
        totals = {f"item-{i:02}": total(store, f"item-{i:02}", window, NOW) for i in range(ITEMS)}
        for partition, members in (
            (ALL, totals),
            (genre("Comedy"), [f"item-{i:02}" for i in range(0, ITEMS, 3)]),
        ):
            found = pages(store, partition, window, limit=limit, now=NOW)
            assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
            assert flat(found) == sorted(members, key=lambda item_id: -totals[item_id])


def test_scores_of_a_page_fall_and_are_the_items_own(store: ItemStore) -> None:
    fill(store, seed=3)
    entries = store.trending(ALL, DAY, limit=20, now=NOW).entries
    scores = [entry.trending_score for entry in entries]
    assert scores == sorted(scores, reverse=True)
    assert scores == [total(store, entry.item.item_id, DAY, NOW) for entry in entries]


def test_a_ranking_goes_on_across_the_landmarks_roll_over(store: ItemStore) -> None:
    """Items of three epochs, some carried over, some left behind, rank by their totals."""
    epoch = DAY.epoch(NOW)
    for age in (0, 1, 2):
        landmark = DAY.landmark(epoch - age)
        for i in range(6):
            item_id = f"age{age}-{i}"
            store.complete(
                draft(item_id), enrichment(tags=(), score=i), landmark + timedelta(days=31, hours=i)
            )
    now = DAY.landmark(epoch) + timedelta(days=31, hours=6)
    store.record("age2-3", [event("age2-3", "back", EventType.LIKE, at=now)])
    ids = [f"age{age}-{i}" for age in (0, 1, 2) for i in range(6)]
    wanted = sorted(ids, key=lambda item_id: -total(store, item_id, DAY, now))
    found = flat(pages(store, ALL, DAY, limit=4, now=now))
    # A like of this moment weighs 4, the best enrichment 3.5, an hour ago.
    assert found[0] == "age2-3"
    assert found == wanted
    assert flat(pages(store, ALL, DAY, limit=50, now=now)) == wanted


def test_paging_while_scores_move_repeats_none_and_loses_none_that_stayed(store: ItemStore) -> None:
    fill(store, seed=11)
    first = store.trending(ALL, DAY, limit=15, now=NOW)
    shown = [entry.item.item_id for entry in first.entries]
    before = flat(pages(store, ALL, DAY, limit=100, now=NOW))
    # One that was shown rises, two that were not shown rise above the page's end.
    moved = {shown[10], before[16], before[19]}
    later = NOW + timedelta(hours=1)
    for item_id in moved:
        store.record(item_id, [event(item_id, f"move{n}", EventType.SHARE, at=later) for n in range(20)])
    rest: list[str] = []
    after = first.next_place
    while after is not None:
        page = store.trending(ALL, DAY, limit=9, now=later, after=after)
        rest += [entry.item.item_id for entry in page.entries]
        after = page.next_place
    assert len(set(shown + rest)) == len(shown + rest)
    assert set(before) - set(shown + rest) == moved - set(shown)
    assert rest == [item_id for item_id in before[15:] if item_id not in moved]


def test_paging_goes_on_when_the_landmark_rolls_over_between_pages(store: ItemStore) -> None:
    landmark = DAY.landmark(DAY.epoch(NOW) + 1)
    before = landmark - timedelta(minutes=30)
    fill(store, seed=5, end=before)
    order = flat(pages(store, ALL, DAY, limit=100, now=before))
    first = store.trending(ALL, DAY, limit=10, now=before)
    shown = [entry.item.item_id for entry in first.entries]
    after = landmark + timedelta(minutes=30)
    # A dislike weighs nothing: the item is carried over to the new epoch and stays where it was.
    for item_id in (order[3], order[12], order[18]):
        store.record(item_id, [event(item_id, "d", EventType.DISLIKE, at=after)])
    assert first.next_place is not None
    rest = store.trending(ALL, DAY, limit=100, now=after, after=first.next_place)
    assert shown + [entry.item.item_id for entry in rest.entries] == order


def test_equal_totals_are_paged_through_without_loss(store: ItemStore) -> None:
    ids = {f"twin-{i:02}" for i in range(30)}
    for item_id in ids:
        store.complete(draft(item_id), enrichment(tags=()), NOW)
    found = flat(pages(store, ALL, DAY, limit=4, now=NOW))
    assert len(found) == len(ids)
    assert set(found) == ids


def test_a_place_in_an_epoch_that_never_was_is_refused(store: ItemStore) -> None:
    store.complete(draft(), enrichment(), NOW)
    with pytest.raises(InvalidInput) as caught:
        store.trending(ALL, DAY, limit=5, now=NOW, after=Place("salt-road", 10**9, Decimal(1)))
    assert caught.value.errors[0].field == "cursor"
