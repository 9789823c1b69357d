"""A stored item as the API shows it: one shape for every function that answers with items. Must not know: stores, routes."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- pydantic reads it when the class is made
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from trending_core.genres import GENRES
from trending_core.models import Kind, Status, Tokens  # noqa: TC001 -- as above

if TYPE_CHECKING:
    from trending_core.models import Item

ITEM_EXAMPLE: Final[dict[str, Any]] = {
    "item_id": "the-salt-road",
    "title": "The Salt Road",
    "year": 2024,
    "kind": "film",
    "status": "ready",
    "genres": [{"label": "Drama", "probability": 0.91}],
    "summary": "Two sisters drive their late father's truck across a drying lake.",
    "score": 7.4,
    "tags": ["sisters", "road-trip"],
    "enriched_by": "local",
    "model": "extractive-1",
    "prompt_version": None,
    "tokens": {"input": 0, "output": 0},
    "failure": None,
    "created_at": "2026-01-05T10:00:00Z",
    "updated_at": "2026-01-05T10:00:02Z",
}


class ItemGenre(BaseModel):
    """One genre of an item."""

    label: str = Field(json_schema_extra={"enum": list(GENRES)})
    probability: float = Field(
        ge=0,
        le=1,
        description="Calibrated by the classification function, or as the language model stated it.",
    )


class StoredItem(BaseModel):
    """An item; what enriching it gave is null or empty until its status is `ready`."""

    model_config = ConfigDict(json_schema_extra={"examples": [ITEM_EXAMPLE]})

    item_id: str
    title: str
    year: int | None
    kind: Kind
    status: Status
    genres: list[ItemGenre] = Field(description="Those that apply.")
    summary: str | None
    score: float | None = Field(ge=0, le=10, description="0 (all reviews against it) to 10.")
    tags: list[str]
    enriched_by: str | None = Field(description="Who made genres, summary, score and tags.")
    model: str | None
    prompt_version: str | None
    tokens: Tokens | None
    failure: str | None = Field(description="Why enriching it failed; null unless its status is `failed`.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def fields_of(cls, item: Item) -> dict[str, Any]:
        """Give the fields of an item by name."""
        made = item.enrichment
        return {
            "item_id": item.item_id,
            "title": item.title,
            "year": item.year,
            "kind": item.kind,
            "status": item.status,
            "genres": [ItemGenre(label=g.label.value, probability=g.probability) for g in made.genres]
            if made
            else [],
            "summary": made.summary if made else None,
            "score": made.score if made else None,
            "tags": list(made.tags) if made else [],
            "enriched_by": made.enriched_by if made else None,
            "model": made.model if made else None,
            "prompt_version": made.prompt_version if made else None,
            "tokens": made.tokens if made else None,
            "failure": item.failure,
            "created_at": item.created_at,
            "updated_at": item.updated_at,
        }

    @classmethod
    def of(cls, item: Item) -> StoredItem:
        """Show an item."""
        return cls(**cls.fields_of(item))
