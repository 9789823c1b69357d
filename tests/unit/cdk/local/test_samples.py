"""The samples: valid, varied, the same each time, loaded once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from cdk.local.seeds.samples import PERIOD, load_samples, read_samples
from tests.support.stores import NOW
from trending_core.decay import DAY, WEEK
from trending_core.genres import GENRES
from trending_core.models import Status
from trending_core.ranking import ALL, genre
from trending_core.store_memory import MemoryItemStore


def test_samples_cover_every_genre_and_say_who_made_them() -> None:
    samples = list(read_samples())
    assert len(samples) >= 40
    assert len({sample.draft.item_id for sample in samples}) == len(samples)
    assert len({sample.draft.plot for sample in samples}) == len(samples)
    counts = Counter(score.label.value for sample in samples for score in sample.enrichment.genres)
    assert set(counts) == set(GENRES)
    assert min(counts.values()) >= 2
    assert {sample.enrichment.enriched_by for sample in samples} == {"sample"}
    assert all(len(sample.draft.reviews) >= 3 for sample in samples)


def test_events_lie_in_the_last_week_and_are_the_same_each_time() -> None:
    for sample in read_samples():
        events = sample.events(NOW)
        assert events == sample.events(NOW)
        assert all(NOW - PERIOD <= event.at <= NOW for event in events)
        ages = [(NOW - event.at) / timedelta(days=1) for event in events]
        assert max(ages) - min(ages) > 1


def test_loading_fills_the_rankings_once() -> None:
    store = MemoryItemStore()
    count = load_samples(store, NOW)
    first = {window: store.trending(ALL, window, limit=100, now=NOW) for window in (DAY, WEEK)}
    assert count == len(first[DAY].entries)
    assert all(entry.item.status is Status.READY for entry in first[DAY].entries)
    assert [e.item.item_id for e in first[DAY].entries] != [e.item.item_id for e in first[WEEK].entries]
    for label in GENRES:
        assert store.trending(genre(label), DAY, limit=10, now=NOW).entries
    assert load_samples(store, NOW + timedelta(days=60)) == 0
    assert store.trending(ALL, DAY, limit=100, now=NOW) == first[DAY]


def test_an_interrupted_load_is_completed_without_counting_twice() -> None:
    whole = MemoryItemStore()
    load_samples(whole, NOW)
    store = MemoryItemStore()
    for sample in list(read_samples())[:10]:
        store.complete(sample.draft, sample.enrichment, NOW - PERIOD)
        store.record(sample.draft.item_id, sample.events(NOW)[:5])
    load_samples(store, NOW)
    assert store.trending(ALL, WEEK, limit=100, now=NOW) == whole.trending(ALL, WEEK, limit=100, now=NOW)
