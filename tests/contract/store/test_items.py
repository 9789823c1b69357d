"""Items in a store: made once, whole or absent, never changed into another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import NOW, draft, enrichment, total
from trending_core.decay import DAY
from trending_core.errors import Conflict, NotFound
from trending_core.events import Engagement
from trending_core.models import Status
from trending_core.ranking import ALL

if TYPE_CHECKING:
    from trending_core.store import ItemStore

LATER = NOW + timedelta(minutes=5)


def test_a_begun_item_is_pending_and_in_no_ranking(store: ItemStore) -> None:
    begun = store.begin(draft(), NOW)
    assert begun.created
    assert begun.item.status is Status.PENDING
    assert store.get("salt-road") == begun.item
    standing = store.standing("salt-road", NOW)
    assert standing.item == begun.item
    assert standing.totals == {"day": 0, "week": 0}
    assert standing.engagement == Engagement()
    assert store.trending(ALL, DAY, limit=5, now=NOW).entries == ()


def test_beginning_again_changes_nothing(store: ItemStore) -> None:
    first = store.begin(draft(), NOW)
    again = store.begin(draft(), LATER)
    assert not again.created
    assert again.item == first.item


def test_the_same_id_with_other_content_is_refused(store: ItemStore) -> None:
    store.begin(draft(), NOW)
    other = draft(plot="Another story.")
    with pytest.raises(Conflict, match="exists with other content"):
        store.begin(other, LATER)
    with pytest.raises(Conflict, match="exists with other content"):
        store.complete(other, enrichment(), LATER)
    assert store.draft("salt-road") == draft()


def test_a_completed_item_is_whole(store: ItemStore) -> None:
    store.begin(draft(), NOW)
    made = enrichment(genres=("Drama", "Family"), tags=("sisters", "road-trip"), score=7)
    item = store.complete(draft(), made, LATER)
    assert item.status is Status.READY
    assert item.enrichment == made
    assert (item.created_at, item.updated_at) == (NOW, LATER)
    assert store.get("salt-road") == item
    assert store.draft("salt-road") == draft()
    assert store.standing("salt-road", LATER).item == item


def test_completing_needs_no_beginning(store: ItemStore) -> None:
    item = store.complete(draft(), enrichment(), NOW)
    assert store.get("salt-road") == item
    assert store.begin(draft(), LATER).item == item


def test_the_first_enrichment_stays_and_counts_once(store: ItemStore) -> None:
    first = store.complete(draft(), enrichment(score=8), NOW)
    again = store.complete(draft(), enrichment(score=2, tags=("other",)), NOW)
    assert again == first
    # One view's worth and half a point per point of the score.
    assert total(store, "salt-road", DAY, NOW) == pytest.approx(5, rel=1e-9)


def test_a_pending_item_can_be_left_to_whoever_began_it(store: ItemStore) -> None:
    begun = store.begin(draft(), NOW).item
    assert store.complete(draft(), enrichment(score=2), LATER, leave_pending=True) == begun
    assert store.trending(ALL, DAY, limit=5, now=LATER).entries == ()
    full = store.complete(draft(), enrichment(score=8), LATER)
    assert store.complete(draft(), enrichment(score=2), LATER, leave_pending=True) == full
    store.begin(draft("failed"), NOW)
    store.fail("failed", "the model did not answer", NOW)
    for item_id in ("failed", "new"):
        made = store.complete(draft(item_id), enrichment(), LATER, leave_pending=True)
        assert made.status is Status.READY


def test_a_failed_item_can_be_begun_and_completed_again(store: ItemStore) -> None:
    store.begin(draft(), NOW)
    failed = store.fail("salt-road", "the model did not answer", LATER)
    assert (failed.status, failed.failure) == (Status.FAILED, "the model did not answer")
    begun = store.begin(draft(), LATER)
    assert not begun.created
    assert begun.item.status is Status.PENDING
    assert begun.item.created_at == NOW
    assert store.complete(draft(), enrichment(), LATER).status is Status.READY


def test_a_ready_item_does_not_fail_any_more(store: ItemStore) -> None:
    item = store.complete(draft(), enrichment(), NOW)
    assert store.fail("salt-road", "too late", LATER) == item


def test_an_unknown_item_is_not_found_by_anything(store: ItemStore) -> None:
    for call in (
        lambda: store.get("nobody"),
        lambda: store.draft("nobody"),
        lambda: store.fail("nobody", "why", NOW),
        lambda: store.standing("nobody", NOW),
    ):
        with pytest.raises(NotFound, match="'nobody'"):
            call()


def test_many_items_are_read_and_missing_ones_left_out(store: ItemStore) -> None:
    items = {f"item-{i}": store.complete(draft(f"item-{i}"), enrichment(), NOW) for i in range(3)}
    assert store.get_many(["item-2", "nobody", "item-0", "item-2"]) == {
        k: items[k] for k in ("item-0", "item-2")
    }
    assert store.get_many([]) == {}
