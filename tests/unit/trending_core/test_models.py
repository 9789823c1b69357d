"""Drafts, enrichments and events: what they refuse, and when two drafts are one item."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from operator import mul
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

import genre_model
from tests.support.stores import NOW, draft, enrichment
from trending_core.dynamo_codec import read_draft, write_draft
from trending_core.events import Event, EventType
from trending_core.genres import GENRES
from trending_core.models import MAX_TAG, Draft, Enrichment, Item, Status, Submission, normalise_tag


def test_the_api_and_the_model_have_the_same_genres() -> None:
    assert genre_model.GENRES == GENRES


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"plot": "Another plot."},
        {"reviews": ()},
        {"reviews": ("Quiet and", "exact.")},
        {"year": 2023},
        {"kind": "series"},
    ],
)
def test_any_changed_text_is_other_content(change: dict[str, Any]) -> None:
    assert draft(**change).content_hash != draft().content_hash


def test_a_draft_without_an_id_gets_the_same_one_each_time() -> None:
    first, again = (Draft(title="Made once", plot="So.") for _ in range(2))
    assert first.item_id == again.item_id
    assert first.item_id.startswith("it-")
    assert Draft(title="Made twice", plot="So.").item_id != first.item_id
    assert Draft.model_validate_json(first.model_dump_json()) == first


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"plot": ""},
        {"plot": "x" * 20_001},
        {"reviews": ("x" * 200_000,)},
        {"reviews": ("Fine.",) * 500},
        {"reviews": ("",)},
        {"reviews": ("\N{WOLF FACE}" * 20_000,) * 5},
        {"year": datetime.now(UTC).year + 3},
        {"year": 1500},
        {"year": "2024"},
        {"year": 2024.0},
        {"year": True},
        {"kind": "opera"},
        {"item_id": "no spaces"},
        {"item_id": "-leading"},
        {"item_id": "x" * 65},
    ],
)
def test_a_draft_outside_its_bounds_is_refused(change: dict[str, Any]) -> None:
    fields = draft().model_dump() | change
    with pytest.raises(ValidationError):
        Draft(**fields)


long_texts = st.builds(
    mul, st.sampled_from(['"', "\\", "\n", "\x00", "\x7f", "x", "é", "\N{WOLF FACE}"]), st.integers(1, 20_000)
)


@example(plot="x", reviews=['"' * 20_000] * 14)
@example(plot="x", reviews=["\x01" * 20_000] * 14)
@given(plot=long_texts, reviews=st.lists(long_texts, min_size=5, max_size=50))
def test_every_draft_that_is_accepted_fits_into_one_row(plot: str, reviews: list[str]) -> None:
    fields = {"item_id": "x" * 64, "title": '"' * 300, "plot": plot, "reviews": reviews, "kind": "series"}
    try:
        made = Draft.model_validate({**fields, "year": 2024})
    except ValidationError as error:
        assert "bytes together" in str(error)  # noqa: PT017 -- both outcomes are right
        assert len(json.dumps([plot, *reviews], ensure_ascii=False).encode()) > 390_000
    else:
        row = write_draft(made)
        assert sum(len(name) + len(value["S"].encode()) for name, value in row.items()) <= 400 * 1024
        assert read_draft(row) == made


@pytest.mark.parametrize(
    "text", ["x" * 19_000, '"' * 9_500, "\x00" * 3_160], ids=["plain", "quotes", "control characters"]
)
def test_a_large_draft_is_accepted_as_long_as_it_fits(text: str) -> None:
    assert len(draft(reviews=(text,) * 20).reviews) == 20
    with pytest.raises(ValidationError, match="bytes together as JSON"):
        draft(reviews=(text,) * 22)


@pytest.mark.parametrize("nothing", [" ", "\n\t", "\u200b", "\x00\u2060 "])
@pytest.mark.parametrize("field", ["title", "plot", "reviews"])
def test_a_submission_shows_something_in_each_text(field: str, nothing: str) -> None:
    fields = draft().model_dump() | {field: ("Fine.", nothing) if field == "reviews" else nothing}
    with pytest.raises(ValidationError, match="must not be empty"):
        Submission(**fields)
    # What was stored before this rule can still be read.
    stored = Draft(**fields)
    assert Draft.model_validate_json(stored.model_dump_json()) == stored


def test_a_made_id_belongs_to_the_content_it_is_made_of() -> None:
    fields = draft().model_dump(exclude={"item_id"})
    made = Submission(**fields)
    assert Submission(**fields, item_id=made.item_id) == made
    assert made.draft() == Draft(**fields)
    with pytest.raises(ValidationError, match="made of other content"):
        Submission(**fields | {"title": "Squatter"}, item_id=made.item_id)
    for free in ("it-follows", "it-" + "a" * 23, "it-" + "g" * 24, "It-" + "a" * 24):
        assert Submission(**fields, item_id=free).item_id == free


@pytest.mark.parametrize(
    "change",
    [
        {"score": 11},
        {"score": -0.1},
        {"summary": ""},
        {"genres": [{"label": "Noir", "probability": 0.5}]},
        {"genres": [{"label": "Drama", "probability": 0.5}] * 2},
        {"genres": [{"label": "Drama", "probability": 1.5}]},
        {"tags": ["x"] * 11},
        {"tags": ["!!!"]},
        {"invented": 1},
    ],
)
def test_an_enrichment_outside_its_schema_is_refused(change: dict[str, Any]) -> None:
    fields = enrichment().model_dump() | change
    with pytest.raises(ValidationError):
        Enrichment(**fields)


@example(text="0:_0")
@example(text="\u0390\u1e9e x")
@given(text=st.text())
def test_a_normal_tag_stays_as_it_is(text: str) -> None:
    normal = normalise_tag(text)
    if normal is not None:
        assert normalise_tag(normal) == normal
        assert 0 < len(normal) <= MAX_TAG
        assert "#" not in normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [("Slow Burn", "slow-burn"), ("  Road_Trip! ", "road-trip"), ("Čas", "čas"), ("#", None), ("", None)],
)
def test_tags_have_one_form(text: str, normal: str | None) -> None:
    assert normalise_tag(text) == normal


def test_tags_that_become_equal_are_kept_once() -> None:
    assert enrichment(tags=("Slow burn", "slow-burn", "lake")).tags == ("slow-burn", "lake")


def test_an_item_is_ready_exactly_with_its_enrichment() -> None:
    pending = Item.of(draft(), NOW)
    with pytest.raises(ValidationError, match="exactly when it is ready"):
        Item(**pending.model_dump() | {"status": Status.READY})
    with pytest.raises(ValidationError, match="exactly when it failed"):
        Item(**pending.model_dump() | {"failure": "why"})


@pytest.mark.parametrize(
    ("kind", "value"), [(EventType.RATING, None), (EventType.VIEW, 3.0), (EventType.RATING, 10.5)]
)
def test_only_a_rating_has_a_value(kind: EventType, value: float | None) -> None:
    with pytest.raises(ValidationError):
        Event(item_id="a", event_id="e", type=kind, value=value, at=NOW)


def test_an_event_needs_a_time_with_a_zone() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Event(item_id="a", event_id="e", type=EventType.VIEW, at=datetime(2026, 1, 1))  # noqa: DTZ001 -- the point
