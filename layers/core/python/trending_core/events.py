"""Engagement events and what each weighs. Must not know: how totals decay or where they are stored.

Trending measures attention. Every weight is zero or above, so an item's stored totals only ever grow: that is what
lets a cursor promise that no item appears twice (`trending_core.ranking`). A dislike is counted in the item's tally
and weighs nothing.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from trending_core.models import ItemId  # noqa: TC001 -- pydantic reads it when the class is made

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RATING: Final = 10
RATING_GRID: Final = Decimal("0.01")
"""What a rating counts as a multiple of. Sums of ratings are exact on it and stay far below the 38 digits of a stored
number (`trending_core.decay`); a value as small as 1e-60 would take them all."""
RATING_WEIGHT: Final = Decimal("0.5")
"""Weight of one point of a rating: the best rating counts a little more than a like."""
ENRICHMENT_BASE: Final = Decimal(1)
"""An item enters `/trending` with the weight of one view plus its score as if it were a rating."""


class EventType(StrEnum):
    """What somebody did with an item."""

    VIEW = "view"
    LIKE = "like"
    DISLIKE = "dislike"
    SHARE = "share"
    RATING = "rating"


WEIGHTS: Final[Mapping[EventType, Decimal]] = MappingProxyType(
    {
        EventType.VIEW: Decimal(1),
        EventType.LIKE: Decimal(4),
        EventType.SHARE: Decimal(6),
        EventType.DISLIKE: Decimal(0),
    }
)
"""Weight per event; a rating weighs `RATING_WEIGHT` times its value."""

EventId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"),
    Field(description="Chosen by the caller; the same one twice counts once.", examples=["7f9c2ba4"]),
]


class Event(BaseModel):
    """One thing that happened to an item, at the server's time.

    Raises
    ------
    pydantic.ValidationError
        A rating without a value, or a value on anything else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: ItemId
    event_id: EventId
    type: EventType
    value: float | None = Field(default=None, ge=0, le=MAX_RATING)
    at: AwareDatetime

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        check_value(self.type, self.value)
        return self

    @property
    def weight(self) -> Decimal:
        """What the event adds to its item, before decay."""
        return RATING_WEIGHT * self.rating if self.type is EventType.RATING else WEIGHTS[self.type]

    @property
    def rating(self) -> Decimal:
        """The value of a rating, rounded to `RATING_GRID`, a half upwards; 0 for anything else."""
        written = Decimal(0 if self.value is None else str(self.value))
        return written.quantize(RATING_GRID, rounding=ROUND_HALF_UP)


def check_value(kind: EventType, value: float | None) -> None:
    """Refuse a rating without a value and a value without a rating.

    Raises
    ------
    ValueError
        With the sentence for the caller.
    """
    if kind is EventType.RATING and value is None:
        message = "a rating needs a value from 0 to 10"
        raise ValueError(message)
    if kind is not EventType.RATING and value is not None:
        message = f"a {kind.value} has no value"
        raise ValueError(message)


def enrichment_weight(score: float) -> Decimal:
    """Weight of an item's first event, its enrichment: at least a view, so that no new item ranks at nothing."""
    return ENRICHMENT_BASE + RATING_WEIGHT * Decimal(str(score))


class Engagement(BaseModel):
    """How often each thing happened to an item since it was made; no decay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    views: int = 0
    likes: int = 0
    dislikes: int = 0
    shares: int = 0
    ratings: int = 0
    mean_rating: float | None = None

    @classmethod
    def of(cls, counts: Mapping[EventType, int], rating_sum: Decimal) -> Engagement:
        """Make it of counts per type and the sum of all ratings' values."""
        ratings = counts.get(EventType.RATING, 0)
        return cls(
            views=counts.get(EventType.VIEW, 0),
            likes=counts.get(EventType.LIKE, 0),
            dislikes=counts.get(EventType.DISLIKE, 0),
            shares=counts.get(EventType.SHARE, 0),
            ratings=ratings,
            mean_rating=float(rating_sum / ratings) if ratings else None,
        )
