"""What an item is: the submitted draft, its enrichment, and the stored item. Must not know: HTTP, DynamoDB, any LLM.

An item's text never changes. Its identity is `content_hash`, a SHA-256 over the submitted text; a draft sent again
under the same ``item_id`` is the same item when the hashes agree and a conflict when they don't. A draft without an
``item_id`` gets one made from the hash, so that a repeated submission meets the item it made the first time.

A `Draft` is what is stored, and has to stay readable; a `Submission` is what comes in, and may ask for more.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from trending_core.genres import Genre
from trending_core.visible import check_visible

MAX_TITLE: Final = 300
"""Characters of a title."""
MAX_PLOT: Final = 20_000
"""Characters of a plot."""
MAX_REVIEW: Final = 20_000
"""Characters of one review."""
MAX_REVIEWS: Final = 50
MAX_DRAFT_BYTES: Final = 400_000
"""UTF-8 bytes of title, plot and reviews as the JSON that is stored, in which a quote takes two bytes and a control
character six: with the other fields and the keys a draft stays under DynamoDB's 400 KB (409,600 bytes) an item.
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
_MADE_ID = re.compile(r"it-[0-9a-f]{24}")
"""The form of an id that was made of a content; "it-follows" is nobody's."""
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


Title = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TITLE)]
Plot = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PLOT)]
Review = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REVIEW)]

_CONTENT: Final = ("title", "plot", "reviews", "year", "kind")
"""A draft's fields but its id, in the order in which they are hashed."""


def _hash(title: str, plot: str, reviews: tuple[str, ...], year: int | None, kind: Kind) -> str:
    fields = [title, plot, list(reviews), year, kind.value]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()


def _made_id(content_hash: str) -> str:
    return f"it-{content_hash[:24]}"


class Draft(_Model):
    """A title with its texts, as stored."""

    title: Title
    plot: Plot
    reviews: tuple[Review, ...] = Field(default=(), max_length=MAX_REVIEWS)
    year: Annotated[int, Strict(), Field(ge=FIRST_YEAR), AfterValidator(_released)] | None = None
    kind: Kind = Kind.FILM
    # A default in the schema would be one that the pattern refuses.
    item_id: ItemId = Field(default_factory=str)
    """Given by the submitter, or made from `content_hash`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        size = len(json.dumps([self.title, self.plot, *self.reviews], ensure_ascii=False).encode())
        if size > MAX_DRAFT_BYTES:
            message = f"title, plot and reviews are {size} bytes together as JSON (at most {MAX_DRAFT_BYTES})"
            raise ValueError(message)
        if not self.item_id:
            object.__setattr__(self, "item_id", _made_id(self.content_hash))
        return self

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over everything submitted but the id: two drafts are one item when it is equal."""
        return _hash(self.title, self.plot, self.reviews, self.year, self.kind)


class Submission(Draft):
    """A draft as it comes in: its texts show something, and its id takes no other draft's place.

    Raises
    ------
    pydantic.ValidationError
        Beyond a draft's own rules: a text of spaces and invisible characters only, or an id of the form that is made of
        a content, and is not made of this one.
    """

    title: Annotated[Title, AfterValidator(check_visible)]
    plot: Annotated[Plot, AfterValidator(check_visible)]
    reviews: tuple[Annotated[Review, AfterValidator(check_visible)], ...] = Field(
        default=(), max_length=MAX_REVIEWS
    )

    @field_validator("item_id")
    @classmethod
    def _is_free_or_own(cls, item_id: str, info: ValidationInfo) -> str:
        # Fields are checked in their order, and those that broke a rule of their own are not in the data.
        content = [info.data[name] for name in _CONTENT if name in info.data]
        whole = len(content) == len(_CONTENT)
        if whole and _MADE_ID.fullmatch(item_id) and item_id != _made_id(_hash(*content)):
            message = "has the form of a made id, and is made of other content; leave it out"
            raise ValueError(message)
        return item_id

    def draft(self) -> Draft:
        """Give what is stored."""
        return Draft.model_validate(self.model_dump(include=set(Draft.model_fields)))


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
