"""The sample items and what happened to them last week: the same events each time, up to the moment they end at.

Genres, summary, score and tags come with the samples, in ``items.jsonl``, and say so: ``enriched_by`` is ``sample``.
The events' times lie in the past, which the API does not allow; they go in through the store.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from trending_core.events import Event, EventType
from trending_core.models import Draft, Enrichment, GenreScore
from trending_core.store import MAX_BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from trending_core.store import ItemStore

ITEMS: Final = Path(__file__).with_name("items.jsonl")
PERIOD: Final = timedelta(days=7)
MADE_BY: Final = "sample"
_TYPES: Final = (EventType.VIEW, EventType.LIKE, EventType.SHARE, EventType.RATING, EventType.DISLIKE)
_MIX: Final = (70, 14, 6, 7, 3)
"""How many of a hundred events are of each of `_TYPES`."""


@dataclass(frozen=True, slots=True)
class Course:
    """How an item's week went: so many events, and where in the week they lie.

    Parameters
    ----------
    events : int
    late : float
        An event's place in the week is a random number from 0 (its beginning) to 1 (its end) to this power: below 1
        the events crowd at the end, above 1 at the beginning.
    """

    events: int
    late: float


COURSES: Final[Mapping[str, Course]] = MappingProxyType(
    {
        "hot": Course(90, 0.2),
        "rising": Course(60, 0.45),
        "steady": Course(45, 1.0),
        "cooling": Course(60, 3.0),
        "quiet": Course(12, 1.0),
    }
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: what was submitted, what enriching it would give, and the course of its week."""

    draft: Draft
    enrichment: Enrichment
    course: Course

    def events(self, end: datetime) -> list[Event]:
        """Give the events of the week before `end`, oldest first."""
        item_id = self.draft.item_id
        chance = random.Random(item_id)  # noqa: S311 -- the same samples everywhere, nothing secret
        kinds = chance.choices(_TYPES, _MIX, k=self.course.events)
        places = sorted(chance.random() ** self.course.late for _ in kinds)
        return [
            Event(
                item_id=item_id,
                event_id=f"sample-{n}",
                type=kind,
                value=_rating(chance, self.enrichment.score) if kind is EventType.RATING else None,
                at=end - PERIOD + PERIOD * place,
            )
            for n, (kind, place) in enumerate(zip(kinds, places, strict=True))
        ]


def read_samples() -> Iterator[Sample]:
    """Read the samples from their file."""
    for line in ITEMS.read_text(encoding="utf-8").splitlines():
        yield _sample(json.loads(line))


def load_samples(store: ItemStore, now: datetime) -> int:
    """Put the samples and their events into a store, unless all of the samples are there; give how many were put.

    Interrupted, it goes on at the next call, and counts no event twice.
    """
    samples = list(read_samples())
    if len(store.get_many(sample.draft.item_id for sample in samples)) == len(samples):
        return 0
    for sample in samples:
        store.complete(sample.draft, sample.enrichment, now - PERIOD)
        events = sample.events(now)
        for start in range(0, len(events), MAX_BATCH):
            store.record(sample.draft.item_id, events[start : start + MAX_BATCH])
    return len(samples)


def _sample(fields: dict[str, Any]) -> Sample:
    genres = tuple(GenreScore(label=label, probability=p) for label, p in fields.pop("genres").items())
    course = COURSES[fields.pop("heat")]
    enrichment = Enrichment(
        genres=genres,
        summary=fields.pop("summary"),
        score=fields.pop("score"),
        tags=tuple(fields.pop("tags")),
        enriched_by=MADE_BY,
    )
    return Sample(Draft(**fields), enrichment, course)


def _rating(chance: random.Random, score: float) -> float:
    """Draw a rating around the item's score, in half points."""
    return max(0.0, min(10.0, round(2 * chance.gauss(score, 1.5)) / 2))
