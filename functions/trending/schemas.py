"""What the trending function takes and gives, as pydantic models. Must not know: the store."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trending_core.events import MAX_RATING, Engagement, EventId, EventType, check_value
from trending_core.views import ITEM_EXAMPLE, StoredItem

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 20

WindowName = Literal["day", "week"]

_ENTRY_EXAMPLE: Final[dict[str, Any]] = {"rank": 1, "trending_score": 41.25, "item": ITEM_EXAMPLE}


class EventRequest(BaseModel):
    """Something that somebody did with an item."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"type": "like", "event_id": "7f9c2ba4-e88f-4c1d"},
                {"type": "rating", "value": 8, "event_id": "4e2b1a90-03cd-4f7a"},
            ]
        },
    )

    type: EventType
    event_id: EventId
    value: float | None = Field(
        default=None,
        ge=0,
        le=MAX_RATING,
        strict=True,
        description="Of a rating, 0 to 10; it counts rounded to hundredths. Nothing else has one.",
    )

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        check_value(self.type, self.value)
        return self


class EventAnswer(BaseModel):
    """What became of an event."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"item_id": "the-salt-road", "event_id": "7f9c2ba4-e88f-4c1d", "counted": True}]
        }
    )

    item_id: str
    event_id: str
    counted: bool = Field(description="False where this item has had an event of this id before.")


class TrendingTotals(BaseModel):
    """An item's decayed totals at the moment of the answer; an event counts half after the window's half-life."""

    day: float = Field(description="Half-life of one day.")
    week: float = Field(description="Half-life of seven days.")


class ItemDetail(StoredItem):
    """An item with what happened to it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **ITEM_EXAMPLE,
                    "engagement": {
                        "views": 120,
                        "likes": 9,
                        "dislikes": 1,
                        "shares": 2,
                        "ratings": 3,
                        "mean_rating": 7.5,
                    },
                    "trending": {"day": 41.25, "week": 88.5},
                }
            ]
        }
    )

    engagement: Engagement
    trending: TrendingTotals


class TrendingEntry(BaseModel):
    """One place of a page."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY_EXAMPLE]})

    rank: int = Field(ge=1, description="Counted from the first entry of this page.")
    trending_score: float = Field(ge=0, description="The decayed total at the moment of the answer.")
    item: StoredItem


class TrendingAnswer(BaseModel):
    """One page of a ranking."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"window": "day", "genre": "Drama", "tag": None, "entries": [_ENTRY_EXAMPLE], "next": None}
            ]
        }
    )

    window: WindowName
    genre: str | None
    tag: str | None
    entries: list[TrendingEntry]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")
