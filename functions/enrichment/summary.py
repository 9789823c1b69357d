"""An extractive summary: the sentences most like all the others, in their own order.

LexRank (Erkan and Radev, 2004): sentences are nodes, the cosine of their tf-idf vectors weighs the edges, PageRank's
stationary distribution ranks them; the opening sentences get a little more, because plots introduce before they tell.
It copies and never rephrases, so it may give away more than an editor would. Must not know what the text is for.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from functions.enrichment.sentences import content_words, sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_SENTENCES: Final = 120
"""Sentences that are compared with each other; a longer text is judged by its first ones."""
DAMPING: Final = 0.85
ROUNDS: Final = 40
OPENING_BONUS: Final = (1.5, 1.2)
"""Factors for the first and the second sentence."""


def summarize(text: str, *, max_sentences: int = 3, max_characters: int = 600) -> str:
    """Pick sentences of a text.

    Returns
    -------
    str
        One line of at most `max_characters`; at least the beginning of the text, where even one sentence is too long.
    """
    found = sentences(text)[:MAX_SENTENCES]
    scores = centrality([_weights(content_words(sentence)) for sentence in found])
    for index, factor in enumerate(OPENING_BONUS[: len(scores)]):
        scores[index] *= factor
    chosen: list[int] = []
    used = 0
    for index in sorted(range(len(found)), key=lambda index: (-scores[index], index)):
        if len(chosen) == max_sentences:
            break
        if used + len(found[index]) + 1 <= max_characters:
            chosen.append(index)
            used += len(found[index]) + 1
    if not chosen:
        return shorten(" ".join(found), max_characters)
    return " ".join(found[index] for index in sorted(chosen))


def shorten(text: str, characters: int) -> str:
    """Cut at a word's end, with an ellipsis, so that at most `characters` remain."""
    if len(text) <= characters:
        return text
    head = text[: characters - 1]
    return f"{head.rsplit(' ', 1)[0]}…"


def centrality(bags: Sequence[Mapping[str, float]]) -> list[float]:
    """Rank nodes by PageRank on the cosines of their vectors; the values sum to 1."""
    count = len(bags)
    if not count:
        return []
    documents = Counter(word for bag in bags for word in bag)
    vectors = [
        {word: value * math.log(1 + count / documents[word]) for word, value in bag.items()} for bag in bags
    ]
    edges = [[0.0] * count for _ in range(count)]
    for left in range(count):
        for right in range(left):
            edges[left][right] = edges[right][left] = _cosine(vectors[left], vectors[right])
    out = [sum(row) for row in edges]
    ranks = [1 / count] * count
    for _ in range(ROUNDS):
        loose = sum(rank for rank, weight in zip(ranks, out, strict=True) if not weight)
        passed = [rank / weight if weight else 0.0 for rank, weight in zip(ranks, out, strict=True)]
        ranks = [
            (1 - DAMPING) / count
            + DAMPING * (loose / count + sum(row[other] * passed[other] for other in range(count)))
            for row in edges
        ]
    return ranks


def _weights(found: Sequence[str]) -> dict[str, float]:
    return {word: 1 + math.log(number) for word, number in Counter(found).items()}


def _cosine(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    small, large = sorted((left, right), key=len)
    dot = sum(value * large[word] for word, value in small.items() if word in large)
    if not dot:
        return 0.0
    return dot / (_norm(left) * _norm(right))


def _norm(vector: Mapping[str, float]) -> float:
    return math.sqrt(sum(value * value for value in vector.values()))
