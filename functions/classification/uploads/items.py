"""What a row is as an item: whether it is to be one, the draft and the enrichment that are stored, or why it cannot be.

An upload asks for items with its object's metadata, or a row by naming an ``item_id``. A row without one gets the id that
`trending_core.models` makes of its title and text, so a row that is read again, in this upload or in another, is the
item it was before. Pure functions; must not know the store.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from functions.classification.contract import DECIMALS
from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.upload import ITEMS_METADATA
from trending_core.genres import Genre
from trending_core.models import Draft, Enrichment, GenreScore, Submission
from trending_core.wording import reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.classification.files import Row
    from functions.classification.files.results import ResultFormat

ENRICHED_BY: Final = "upload"
"""Whom an item of an upload names for its enrichment; its ``model`` is the one that gave the genres."""
NEUTRAL: Final = 5.0
"""The score of an item without reviews, as the embedded enricher has it."""
SUMMARY_CHARS: Final = 600
LEAST_SHARE: Final = 1 / 6
SHORT_CHARS: Final = 4
"""A capitalised word of so many letters and a full stop may be a title or an initial before a name: "Prof. Moreau"."""
_END: Final = re.compile(r"(?<!\S)[\"'(\u201c\u2018]*(?P<word>\S*?)\.[\"')\u201d\u2019]*(?= )|[!?](?= )")


class Wish(StrEnum):
    """Which rows of an upload are to become items."""

    NONE = "false"
    NAMED = "named"
    """Those that name an ``item_id``: an upload without the metadata."""
    ALL = "true"

    def covers(self, row: Row) -> bool:
        """Tell whether a row is to become an item."""
        return self is Wish.ALL or (self is Wish.NAMED and row.item_id is not None)


def wish_of(metadata: Mapping[str, str]) -> Wish:
    """Read an object's metadata.

    Raises
    ------
    UploadFailed
        If it says neither true nor false.
    """
    value = metadata.get(ITEMS_METADATA)
    if value is None:
        return Wish.NAMED
    match value.strip().casefold():
        case "true":
            return Wish.ALL
        case "false":
            return Wish.NONE
    message = f"The object's metadata {ITEMS_METADATA} is neither true nor false."
    raise UploadFailed(message)


def draft_of(row: Row) -> Draft | str:
    """Give what is stored of a row, or the reason why it cannot be an item; the reason holds nothing of its texts."""
    if row.title is None:
        return "an item needs a title"
    fields = {"title": row.title, "plot": row.text}
    if row.item_id is not None:
        fields["item_id"] = row.item_id
    try:
        return Submission.model_validate(fields).draft()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        return "; ".join(f"an item's {_column(fault['loc'])} {reason(fault)}" for fault in faults)


def _column(location: tuple[int | str, ...]) -> str:
    return {"plot": "text"}.get(str(location[0]), str(location[0])) if location else "size"


def enrichment_of(draft: Draft, probabilities: Sequence[float], results: ResultFormat) -> Enrichment:
    """Give what classifying a row gives its item: genres; an opening as summary; the score of no reviews; no tags."""
    likeliest = max(zip(results.labels, probabilities, strict=True), key=lambda pair: pair[1])
    # As every enrichment does: an item that reaches no threshold has the genre that comes closest in probability.
    chosen = results.selected(probabilities) or [likeliest]
    return Enrichment(
        genres=tuple(
            GenreScore(label=Genre(label), probability=round(probability, DECIMALS))
            for label, probability in chosen
        ),
        summary=opening(draft.plot),
        score=NEUTRAL,
        enriched_by=ENRICHED_BY,
        model=f"{results.model} {results.version}",
    )


def opening(text: str, characters: int = SUMMARY_CHARS) -> str:
    """Give a text's beginning as one line: as many sentences as fit, or as many words if they say too little.

    Parameters
    ----------
    characters : int
        Length of the line at most; sentences of less than a `LEAST_SHARE` of it say too little.
    """
    visible = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    line = " ".join(visible.split())
    if len(line) <= characters:
        return line
    ends = [
        found.end() for found in _END.finditer(line[: characters + 1]) if not _is_short(found["word"] or "")
    ]
    if ends and ends[-1] >= characters * LEAST_SHARE:
        return line[: ends[-1]]
    return f"{line[: characters - 1].rsplit(' ', 1)[0]}…"


def _is_short(word: str) -> bool:
    """Tell whether the full stop behind a word may belong to it ("Dr.", "J.", "U.S.", "e.g."), as it may not in "Rome."."""
    return word == "vs" or "." in word or (word[:1].isupper() and len(word) <= SHORT_CHARS)
