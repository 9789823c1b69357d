"""What an item is: the submitted draft, its enrichment, and the stored item. Must not know: HTTP, DynamoDB, any LLM.

An item's text never changes. Its identity is `content_hash`, a SHA-256 over the submitted text; a draft sent again
under the same ``item_id`` is the same item when the hashes agree and a conflict when they don't. A draft without an
``item_id`` gets one made from the hash, so that a repeated submission meets the item it made the first time.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from trending_core.genres import Genre

MAX_TITLE: Final = 300
"""Characters of a title."""
MAX_PLOT: Final = 20_000
"""Characters of a plot."""
MAX_REVIEW: Final = 20_000
"""Characters of one review."""
MAX_REVIEWS: Final = 50
MAX_DRAFT_BYTES: Final = 300_000
"""UTF-8 bytes of a draft's text: with its keys it stays under DynamoDB's 400 KB an item.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
MAX_TAGS: Final = 10
MAX_TAG: Final = 40
"""Characters of a tag."""
MAX_SUMMARY: Final = 2_000
"""Characters of a summary."""
FIRST_YEAR: Final = 1874
"""Year of the oldest surviving film sequence, "Passage de Venus"."""
YEARS_AHEAD: Final = 1
"""How far in the future a release year may lie: announced titles carry the next year."""

_ITEM_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_NOT_TAG = re.compile(r"[\W_]+")

ItemId = Annotated[
    str,
    StringConstraints(pattern=_ITEM_ID),
    Field(description="Letters, digits, '_', '.' and '-', at most 64.", examples=["the-salt-road"]),
]


def normalise_tag(text: str) -> str | None:
    """Bring a tag into its one stored form: NFKC, lower case, words joined by hyphens, at most `MAX_TAG` characters.

    Returns None where nothing is left, so that a caller who makes tags can drop it.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _NOT_TAG.sub("-", folded).strip("-")[:MAX_TAG].rstrip("-") or None


def _tag(text: str) -> str:
    normal = normalise_tag(text)
    if normal is None:
        message = "a tag needs at least one letter or digit"
        raise ValueError(message)
    return normal


Tag = Annotated[
    str, StringConstraints(max_length=4 * MAX_TAG), AfterValidator(_tag), Field(examples=["slow-burn"])
]


class Kind(StrEnum):
    """What was released."""

    FILM = "film"
    SERIES = "series"
    SHORT = "short"


class Status(StrEnum):
    """How far an item has come: only a ``ready`` one has genres, takes events and appears in `/trending`."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GenreScore(_Model):
    """One genre of an item with its calibrated probability."""

    label: Genre
    probability: float = Field(ge=0, le=1)


class Tokens(_Model):
    """What a language model counted for one enrichment; zeros where none was called."""

    input: int = Field(default=0, ge=0)
    output: int = Field(default=0, ge=0)


def _released(year: int) -> int:
    latest = datetime.now(UTC).year + YEARS_AHEAD
    if year > latest:
        message = f"the year {year} lies in the future (at most {latest})"
        raise ValueError(message)
    return year


class Draft(_Model):
    """A title with its texts, as submitted."""

    title: str = Field(min_length=1, max_length=MAX_TITLE)
    plot: str = Field(min_length=1, max_length=MAX_PLOT)
    reviews: tuple[Annotated[str, StringConstraints(min_length=1, max_length=MAX_REVIEW)], ...] = Field(
        default=(), max_length=MAX_REVIEWS
    )
    year: Annotated[int, Field(ge=FIRST_YEAR), AfterValidator(_released)] | None = None
    kind: Kind = Kind.FILM
    item_id: ItemId = ""
    """Given by the submitter, or made from `content_hash`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        size = sum(len(text.encode()) for text in (self.title, self.plot, *self.reviews))
        if size > MAX_DRAFT_BYTES:
            message = f"title, plot and reviews are {size} bytes together (at most {MAX_DRAFT_BYTES})"
            raise ValueError(message)
        if not self.item_id:
            object.__setattr__(self, "item_id", f"it-{self.content_hash[:24]}")
        return self

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over everything submitted but the id: two drafts are one item when it is equal."""
        fields = [self.title, self.plot, list(self.reviews), self.year, self.kind.value]
        return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()


class Enrichment(_Model):
    """What enriching a draft gives, whoever made it."""

    genres: tuple[GenreScore, ...] = Field(default=(), max_length=len(Genre))
    summary: str = Field(min_length=1, max_length=MAX_SUMMARY)
    score: float = Field(ge=0, le=10, description="0 (all reviews against it) to 10.")
    tags: tuple[Tag, ...] = Field(default=(), max_length=MAX_TAGS)
    enriched_by: str = Field(min_length=1, max_length=64, examples=["gemini", "local"])
    model: str | None = Field(default=None, max_length=128)
    prompt_version: str | None = Field(default=None, max_length=64)
    tokens: Tokens = Tokens()

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        labels = [genre.label for genre in self.genres]
        if len(set(labels)) < len(labels):
            message = "a genre is named twice"
            raise ValueError(message)
        object.__setattr__(self, "tags", tuple(dict.fromkeys(self.tags)))
        return self


class Item(_Model):
    """A stored item. Its enrichment is there exactly when it is ``ready``; `failure` exactly when ``failed``."""

    item_id: ItemId
    title: str
    year: int | None = None
    kind: Kind = Kind.FILM
    status: Status
    content_hash: str
    enrichment: Enrichment | None = None
    failure: str | None = Field(default=None, max_length=500)
    created_at: datetime
    updated_at: datetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.enrichment is not None) != (self.status is Status.READY):
            message = "an item has its enrichment exactly when it is ready"
            raise ValueError(message)
        if (self.failure is not None) != (self.status is Status.FAILED):
            message = "an item has a failure exactly when it failed"
            raise ValueError(message)
        return self

    @classmethod
    def of(cls, draft: Draft, now: datetime) -> Item:
        """Make the pending item of a draft."""
        return cls(
            item_id=draft.item_id,
            title=draft.title,
            year=draft.year,
            kind=draft.kind,
            status=Status.PENDING,
            content_hash=draft.content_hash,
            created_at=now,
            updated_at=now,
        )

    def ready(self, enrichment: Enrichment, now: datetime) -> Item:
        """Give the item with its enrichment."""
        return self.model_copy(
            update={"status": Status.READY, "enrichment": enrichment, "failure": None, "updated_at": now}
        )

    def failed(self, reason: str, now: datetime) -> Item:
        """Give the item with why it could not be enriched."""
        return self.model_copy(
            update={"status": Status.FAILED, "enrichment": None, "failure": reason[:500], "updated_at": now}
        )
