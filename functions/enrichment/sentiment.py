"""What reviews say about a work, as a score from 0 to 10, by a lexicon.

A word's valence is turned by a negation before it, raised or lowered by a word of degree, and weighs more after a
"but"; a rating such as "7/10" or "four stars" counts more than words. It reads English only, knows neither irony nor
what a sentence is about, and takes a gloomy plot retold in a review for blame where the words coincide. A test states
its accuracy on reviews written for it. Must not know where the reviews come from.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from functions.enrichment.sentences import words
from trending_core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

LEXICON: Final = Path(__file__).with_name("lexicon.json")
NEUTRAL: Final = 5.0
"""The score of no reviews, and of reviews without an opinion."""
MAX_CHARACTERS: Final = 10_000
"""Characters of a review that are read."""
REACH: Final = 3
"""Words before an opinion in which a negation or a word of degree is looked for."""
NEGATION: Final = -0.7
DEGREE_UP: Final = 1.4
DEGREE_DOWN: Final = 0.6
BEFORE_TURN: Final = 0.6
AFTER_TURN: Final = 1.4
SMOOTHING: Final = 6.0
"""Added below the root, so that one mild word does not make an extreme score."""
RATING_SHARE: Final = 0.75
"""Weight of an explicit rating beside the words of the same review."""

_NUMBERS: Final = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "half": 0.5}
_OUT_OF: Final = re.compile(
    r"(?<![\d.,/])(\d{1,2}(?:\.\d)?)\s*(?:/|out of)\s*(5|10)(?![\d/%])", re.IGNORECASE
)
_STARS: Final = re.compile(
    r"(?<![\w.])(\d(?:\.5)?|zero|one|two|three|four|five|half)[\s-](?:a\s)?stars?\b(?!\s+(?:cast|turn|power))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Valences from -3 to 3, and the words that change them."""

    valences: dict[str, int]
    negators: frozenset[str]
    intensifiers: frozenset[str]
    diminishers: frozenset[str]
    turns: frozenset[str]


def load_lexicon(path: Path = LEXICON) -> Lexicon:
    """Read the lexicon.

    Raises
    ------
    SettingsError
        If the file is missing, not a lexicon, or holds a word twice.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        entries = [(word, int(valence)) for valence, line in raw["words"].items() for word in line.split()]
        lists = [
            frozenset(raw[name].split()) for name in ("negators", "intensifiers", "diminishers", "turns")
        ]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        message = f"The lexicon {path.name} cannot be used: {error}."
        raise SettingsError(message) from error
    valences = dict(entries)
    if len(valences) < len(entries):
        message = f"The lexicon {path.name} holds a word twice."
        raise SettingsError(message)
    return Lexicon(valences, *lists)


def score_reviews(reviews: Sequence[str], lexicon: Lexicon) -> float:
    """Average the opinions of reviews.

    Returns
    -------
    float
        0 (all against the work) to 10, with one decimal; `NEUTRAL` where no review holds an opinion.
    """
    opinions = [opinion for review in reviews if (opinion := score_review(review, lexicon)) is not None]
    return round(sum(opinions) / len(opinions), 1) if opinions else NEUTRAL


def score_review(review: str, lexicon: Lexicon) -> float | None:
    """Score one review from 0 to 10, or give None where it holds no opinion."""
    text = review[:MAX_CHARACTERS]
    rating = _rating(text)
    values = _valences(words(text), lexicon)
    if not values:
        return rating
    total = sum(values)
    worded = 5 + 5 * total / math.sqrt(total * total + SMOOTHING)
    return worded if rating is None else RATING_SHARE * rating + (1 - RATING_SHARE) * worded


def _valences(found: Sequence[str], lexicon: Lexicon) -> list[float]:
    """List the opinions in order, each as its words in front change it."""
    values: list[float] = []
    turned = 0
    for position, word in enumerate(found):
        if word in lexicon.turns:
            turned = len(values)
        valence = float(lexicon.valences.get(word, 0))
        if not valence:
            continue
        for before in reversed(found[max(0, position - REACH) : position]):
            if before in lexicon.valences:
                break  # "never boring, often hilarious": the negation belongs to the opinion before
            if before in lexicon.negators:
                valence *= NEGATION
            elif before in lexicon.intensifiers:
                valence *= DEGREE_UP
            elif before in lexicon.diminishers:
                valence *= DEGREE_DOWN
        values.append(valence)
    if turned:
        return [value * (BEFORE_TURN if index < turned else AFTER_TURN) for index, value in enumerate(values)]
    return values


def _rating(text: str) -> float | None:
    """Average the explicit ratings in a text, on the scale from 0 to 10."""
    ratings = [10 * float(match[1]) / int(match[2]) for match in _OUT_OF.finditer(text)]
    ratings += [2 * _number(match[1]) for match in _STARS.finditer(text)]
    valid = [rating for rating in ratings if 0 <= rating <= 10]  # noqa: PLR2004 -- the scale
    return sum(valid) / len(valid) if valid else None


def _number(word: str) -> float:
    return float(_NUMBERS[word.lower()]) if word.lower() in _NUMBERS else float(word)
