"""Events in a store: each counts once, by its weight, in every ranking of its item."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import NOW, draft, enrichment, event, total
from trending_core.decay import DAY, WEEK
from trending_core.errors import Conflict, NotFound
from trending_core.events import EventType
from trending_core.genres import GENRES
from trending_core.ranking import ALL, genre, tag
from trending_core.store import MAX_BATCH

if TYPE_CHECKING:
    from trending_core.events import Event
    from trending_core.store import ItemStore

ENTRY = 1.0
"""Total of an item with score 0 at the moment it is made."""


def test_an_event_adds_its_weight_to_every_ranking_of_the_item(store: ItemStore) -> None:
    store.complete(draft(), enrichment(genres=("Drama", "War"), tags=("sisters", "lake")), NOW)
    assert store.record("salt-road", [event("salt-road", "e1", EventType.LIKE)]) == (True,)
    for partition in (ALL, genre("Drama"), genre("War"), tag("sisters"), tag("lake")):
        for window in (DAY, WEEK):
            (entry,) = store.trending(partition, window, limit=5, now=NOW).entries
            assert entry.item.item_id == "salt-road"
            assert entry.trending_score == pytest.approx(ENTRY + 4, rel=1e-9)
    assert store.trending(genre("Comedy"), DAY, limit=5, now=NOW).entries == ()


def test_totals_halve_after_a_half_life(store: ItemStore) -> None:
    store.complete(draft(), enrichment(), NOW)
    assert total(store, "salt-road", DAY, NOW + DAY.half_life) == pytest.approx(ENTRY / 2, rel=1e-9)
    assert total(store, "salt-road", WEEK, NOW + 2 * WEEK.half_life) == pytest.approx(ENTRY / 4, rel=1e-9)


def test_an_event_counts_less_the_longer_ago_it_was(store: ItemStore) -> None:
    store.complete(draft(), enrichment(), NOW)
    store.record("salt-road", [event("salt-road", "old", EventType.SHARE, at=NOW - 3 * DAY.half_life)])
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(ENTRY + 6 / 8, rel=1e-9)


def test_a_repeated_event_counts_once(store: ItemStore) -> None:
    store.complete(draft(), enrichment(), NOW)
    first = event("salt-road", "same", EventType.LIKE)
    assert store.record("salt-road", [first]) == (True,)
    assert store.record("salt-road", [first]) == (False,)
    assert store.record("salt-road", [event("salt-road", "new"), first, event("salt-road", "newer")]) == (
        True,
        False,
        True,
    )
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(ENTRY + 4 + 2, rel=1e-9)
    assert store.standing("salt-road", NOW).engagement.likes == 1


def test_the_same_event_id_on_two_items_counts_for_both(store: ItemStore) -> None:
    for item_id in ("a", "b"):
        store.complete(draft(item_id), enrichment(), NOW)
        assert store.record(item_id, [event(item_id, "e1")]) == (True,)


def test_engagement_counts_every_type(store: ItemStore) -> None:
    store.complete(draft(), enrichment(), NOW)
    kinds = [EventType.VIEW, EventType.VIEW, EventType.LIKE, EventType.DISLIKE, EventType.SHARE]
    events = [event("salt-road", f"e{i}", kind) for i, kind in enumerate(kinds)]
    events += [event("salt-road", f"r{value}", EventType.RATING, value=value) for value in (3, 8.5)]
    store.record("salt-road", events)
    counted = store.standing("salt-road", NOW).engagement
    assert counted.model_dump() == {
        "views": 2,
        "likes": 1,
        "dislikes": 1,
        "shares": 1,
        "ratings": 2,
        "mean_rating": 5.75,
    }
    # Two views, a like, a share, half of each rating; the dislike weighs nothing.
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(ENTRY + 2 + 4 + 6 + 5.75, rel=1e-9)


@pytest.mark.parametrize("value", [1e-200, 1e-60, 5e-324, 0.004, 7.333333333333333])
def test_a_rating_however_fine_leaves_room_for_the_next_ones(store: ItemStore, value: float) -> None:
    """A stored number has 38 digits: a sum of all that a double can say needs hundreds."""
    store.complete(draft(), enrichment(), NOW)
    for n, one in enumerate((value, 9, value, 8.5)):
        assert store.record("salt-road", [event("salt-road", f"e{n}", EventType.RATING, value=one)]) == (
            True,
        )
    mean = (2 * round(value, 2) + 9 + 8.5) / 4
    assert store.standing("salt-road", NOW).engagement.mean_rating == pytest.approx(mean, rel=1e-12)
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(ENTRY + 2 * mean, rel=1e-9)


def test_the_largest_batch_fits_one_transaction_with_the_most_rows(store: ItemStore) -> None:
    store.complete(draft(), enrichment(genres=GENRES, tags=tuple(f"tag-{i}" for i in range(10))), NOW)
    events = [event("salt-road", f"e{i}") for i in range(MAX_BATCH)]
    assert all(store.record("salt-road", events))
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(ENTRY + MAX_BATCH, rel=1e-9)
    (entry,) = store.trending(tag("tag-9"), WEEK, limit=1, now=NOW).entries
    assert entry.trending_score == pytest.approx(ENTRY + MAX_BATCH, rel=1e-9)


def test_only_a_ready_item_takes_events(store: ItemStore) -> None:
    with pytest.raises(NotFound, match="'salt-road'"):
        store.record("salt-road", [event("salt-road", "e1")])
    store.begin(draft(), NOW)
    with pytest.raises(Conflict, match="is pending"):
        store.record("salt-road", [event("salt-road", "e1")])
    store.complete(draft(), enrichment(), NOW)
    assert store.record("salt-road", [event("salt-road", "e1")]) == (True,)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event("salt-road", f"e{i}") for i in range(MAX_BATCH + 1)],
        [event("other", "e1")],
        [event("salt-road", "e1"), event("salt-road", "e1")],
    ],
    ids=["none", "too many", "another item's", "one id twice"],
)
def test_a_batch_that_is_none_is_a_mistake_of_the_code(store: ItemStore, events: list[Event]) -> None:
    with pytest.raises(ValueError, match=r"events|event_id"):
        store.record("salt-road", events)


def test_an_event_of_a_later_epoch_carries_the_total_over(store: ItemStore) -> None:
    store.complete(draft(), enrichment(score=10), NOW)
    store.record("salt-road", [event("salt-road", f"e{i}", EventType.SHARE) for i in range(40)])
    before = ENTRY + 5 + 40 * 6
    later = NOW + timedelta(days=33)
    assert DAY.epoch(later) > DAY.epoch(NOW)
    assert total(store, "salt-road", DAY, later) == pytest.approx(before / 2**33, rel=1e-9)
    assert store.record("salt-road", [event("salt-road", "late", at=later)]) == (True,)
    # Carried over to the grid of 10^-12: that is what remains of the older events' precision.
    assert total(store, "salt-road", DAY, later) == pytest.approx(1 + before / 2**33, abs=1e-11)
    assert total(store, "salt-road", WEEK, later) == pytest.approx(1 + before / 2 ** (33 / 7), rel=1e-9)
    assert store.record("salt-road", [event("salt-road", "late", at=later)]) == (False,)


def test_an_event_from_before_the_landmark_still_counts(store: ItemStore) -> None:
    landmark = DAY.landmark(DAY.epoch(NOW) + 1)
    store.complete(draft(), enrichment(), landmark)
    store.record("salt-road", [event("salt-road", "e1", EventType.LIKE, at=landmark - 2 * DAY.half_life)])
    assert total(store, "salt-road", DAY, landmark) == pytest.approx(ENTRY + 1, rel=1e-9)
