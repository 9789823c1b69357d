"""Key phrases as tags: RAKE (Rose et al., 2010) with a bonus for what the title or several sentences repeat.

A phrase is a run of content words between stop words and punctuation; a word scores by the company it keeps (degree
over frequency), a phrase by its words and by how often it occurs. Capitalised words inside a sentence are taken for
names and left out: a tag is a theme. Must not know what a tag is used for.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from functions.enrichment.sentences import STOPWORDS, sentences, words
from trending_core.models import normalise_tag

MAX_WORDS: Final = 3
MAX_CHARACTERS: Final = 100_000
"""Characters that are looked at."""

_BREAK: Final = re.compile(r"[.,;:!?…()\[\]\"“”/]|\s[-–—]+\s|—")  # noqa: RUF001 -- the dash as it stands in texts


def keyphrases(text: str, *, limit: int = 6) -> tuple[str, ...]:
    """Name the themes of an English text, the best first, as tags.

    Returns
    -------
    tuple of str
        At most `limit`, each in the stored form of a tag; empty where the text has no content words.
    """
    phrases = [phrase for sentence in sentences(text[:MAX_CHARACTERS]) for phrase in _phrases(sentence)]
    frequency = Counter(word for phrase in phrases for word in phrase)
    degree: Counter[str] = Counter()
    for phrase in phrases:
        for word in phrase:
            degree[word] += len(phrase)
    counted = Counter(phrases)
    scores = {
        phrase: sum(degree[word] / frequency[word] + 0.5 * (frequency[word] - 1) for word in phrase) * number
        for phrase, number in counted.items()
    }
    chosen: list[str] = []
    taken: set[str] = set()
    for phrase in sorted(scores, key=lambda phrase: (-scores[phrase], phrase)):
        tag = normalise_tag(" ".join(phrase))
        if tag is None or taken.intersection(phrase):
            continue
        chosen.append(tag)
        taken.update(phrase)
        if len(chosen) == limit:
            break
    return tuple(chosen)


def _phrases(sentence: str) -> list[tuple[str, ...]]:
    """List the runs of content words of a sentence; names and runs over `MAX_WORDS` words are left out."""
    found: list[tuple[str, ...]] = []
    for part_number, part in enumerate(_BREAK.split(sentence)):
        run: list[str] = []
        for position, token in enumerate(part.split()):
            word = " ".join(words(token))
            name = token[:1].isupper() and not (part_number == 0 and position == 0)
            if not word or name or word in STOPWORDS or len(word) < 3:  # noqa: PLR2004 -- letters
                found.append(tuple(run))
                run = []
            else:
                run.append(word)
        found.append(tuple(run))
    return [run for run in found if 0 < len(run) <= MAX_WORDS]
