"""A model's text becomes an answer, or a sentence that says why not. Nothing in it is trusted.

Owns what an acceptable answer is: JSON by the schema, genres from the 18, bounded lengths, plain text without control
characters or markup, no leak of the instruction. Must not know who is asked, nor what happens after a refusal.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from trending_core.genres import Genre  # noqa: TC001 -- pydantic reads it
from trending_core.models import MAX_TAGS, normalise_tag

MAX_ANSWER: Final = 20_000
"""Characters of a model's text; an acceptable answer has about a thousand."""
MAX_RAW_SUMMARY: Final = 4_000
MAX_SUMMARY: Final = 1_000
"""Characters of a summary once cleaned; the prompt asks for 600."""
LEAK_LENGTH: Final = 60
"""Characters in a row that a summary may not share with the instruction."""

_FENCE: Final = "```"
_MARKUP = re.compile(r"<[!?/a-zA-Z][^<>]*>?")
_SPACE = re.compile(r"\s+")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
"""Unicode categories of control, format (bidirectional overrides too), private, surrogate and unassigned characters."""


class InvalidAnswer(Exception):  # noqa: N818 -- never leaves this package; not an HTTP error
    """A model's text is not an acceptable answer; the text says what is wrong and holds nothing of the answer."""


def plain(text: str) -> str:
    """Make one line of plain text: no markup, no control characters, single spaces."""
    visible = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )
    return _SPACE.sub(" ", _MARKUP.sub(" ", visible)).strip()


def unfenced(text: str) -> str:
    """Take one code fence off a text, with or without the name ``json``; give a text without one as it is."""
    opening, _, rest = text.strip().partition("\n")
    if opening.rstrip() not in {_FENCE, f"{_FENCE}json"} or not rest.endswith(_FENCE):
        return text
    return rest.removesuffix(_FENCE).strip()


def _summary(text: str) -> str:
    cleaned = plain(text)
    if len(cleaned) < 20:  # noqa: PLR2004 -- shorter than any sentence worth storing
        message = "the summary is shorter than a sentence"
        raise ValueError(message)
    if len(cleaned) > MAX_SUMMARY:
        message = f"the summary is longer than {MAX_SUMMARY} characters"
        raise ValueError(message)
    return cleaned


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    normal = (normalise_tag(plain(tag)) for tag in tags)
    kept = tuple(dict.fromkeys(tag for tag in normal if tag))
    if not kept:
        message = "no tag holds a letter or a digit"
        raise ValueError(message)
    return kept[:MAX_TAGS]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class StatedGenre(_Strict):
    """A genre with the confidence that the model states; not a calibrated probability."""

    label: Genre
    confidence: float = Field(ge=0, le=1)


class Answer(_Strict):
    """An answer that was checked and cleaned."""

    genres: tuple[StatedGenre, ...] = Field(min_length=1, max_length=4)
    summary: Annotated[str, Field(max_length=MAX_RAW_SUMMARY), AfterValidator(_summary)]
    score: float = Field(ge=0, le=10)
    tags: Annotated[
        tuple[Annotated[str, Field(max_length=200)], ...],
        Field(min_length=1, max_length=50),
        AfterValidator(_tags),
    ]


def read_answer(text: str, *, instruction: str) -> Answer:
    """Check and clean a model's text.

    Parameters
    ----------
    text : str
        As it came; one code fence around the JSON is tolerated.
    instruction : str
        What the model was told; a summary that repeats it is refused.

    Raises
    ------
    InvalidAnswer
        With one phrase that names the field and the rule.
    """
    answer = _parse(text)
    if _repeats(answer.summary, instruction) or any(_repeats(tag, instruction) for tag in answer.tags):
        message = "it repeats the instruction instead of describing the item"
        raise InvalidAnswer(message)
    labels = [genre.label for genre in answer.genres]
    if len(set(labels)) < len(labels):
        message = "genres: a label is named twice"
        raise InvalidAnswer(message)
    return answer


def _parse(text: str) -> Answer:
    if not text.strip():
        message = "it is empty"
        raise InvalidAnswer(message)
    if len(text) > MAX_ANSWER:
        message = f"it is longer than {MAX_ANSWER} characters"
        raise InvalidAnswer(message)
    try:
        return Answer.model_validate_json(unfenced(text))
    except ValidationError as error:
        message = _reason(error)
        raise InvalidAnswer(message) from None  # the error quotes the answer


def _reason(error: ValidationError) -> str:
    """Say which field breaks which rule, without quoting the answer."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "json_invalid":
        return "it is not a complete JSON object"
    where = ".".join(part for part in first["loc"] if isinstance(part, str) and part in _FIELDS)
    rule = (
        "not one of the 18 genres" if first["type"] == "enum" else first["msg"].removeprefix("Value error, ")
    )
    return f"{where or 'the answer'}: {rule}"


_FIELDS: Final = frozenset({*Answer.model_fields, *StatedGenre.model_fields})


def _repeats(text: str, instruction: str) -> bool:
    """Tell whether `LEAK_LENGTH` characters in a row of a text stand in the instruction too."""
    known = _SPACE.sub(" ", instruction).casefold()
    folded = text.casefold()
    return any(folded[start : start + LEAK_LENGTH] in known for start in range(len(folded) - LEAK_LENGTH + 1))
