"""English text as sentences and words, for the embedded enricher. Must not know what they are counted for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"'])(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Lt|Col|Gen|Sgt|Capt|Mt|vs|etc|No|U\.S|U\.K|[A-Z])\.$"
)
_END: Final = re.compile(r"(?<![.!?…])[.!?…]++[\"'”\u2019)\]]*+(?=\s)|\n\s*\n")
"""A run of marks is tried once, from its beginning and to its end: a million dots without a space take no longer than
a million letters."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_SPACE: Final = re.compile(r"\s+")
_TAIL: Final = 12
"""Characters in which an abbreviation is looked for; the longest has four."""

STOPWORDS: Final = frozenset(Path(__file__).with_name("stopwords.txt").read_text(encoding="utf-8").split())
"""Words that carry no topic: function words, light verbs, and what every review calls its subject."""


def sentences(text: str) -> list[str]:
    """Split text into sentences, each on one line; abbreviations and initials don't end one."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(f"{text}\n\n"):
        tail = text[max(start, match.end() - _TAIL) : match.end()]
        if match.group().startswith(".") and _ABBREVIATION.search(tail):
            continue
        if sentence := _SPACE.sub(" ", text[start : match.end()]).strip():
            found.append(sentence)
        start = match.end()
    if rest := _SPACE.sub(" ", text[start:]).strip():
        found.append(rest)
    return found


def words(text: str) -> list[str]:
    """List the words in lower case, typographic apostrophes made straight, without digits and punctuation."""
    return [match.group().lower().replace("\u2019", "'") for match in _WORD.finditer(text)]


def content_words(text: str) -> list[str]:
    """List the words that carry a topic."""
    return [word for word in words(text) if word not in STOPWORDS and len(word) > 2]  # noqa: PLR2004 -- letters
