"""Holds the results of ``trending-now classify`` against a corpus file: the same F1 as `evaluate`, from the outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from genre_model.labels import GENRES
from model_artifacts.pipeline.calibrate import label_matrix
from model_artifacts.pipeline.corpus import KNOWN_GENRES, read_titles
from model_artifacts.pipeline.errors import CorpusError
from model_artifacts.pipeline.metrics import macro_f1, micro_f1

if TYPE_CHECKING:
    from pathlib import Path

_INDEX = {genre: i for i, genre in enumerate(GENRES)}


def score_results(results: Path, corpus_file: Path) -> dict[str, float | int]:
    """Score a file of result lines.

    Parameters
    ----------
    results : Path
        One ``{"id", "genres", ...}`` a line; every title of the corpus file exactly once, in any order.
    corpus_file : Path
        The titles and their true genres.

    Returns
    -------
    dict
        ``titles``, ``micro_f1`` and ``macro_f1`` of the selected genres.

    Raises
    ------
    CorpusError
        If a line cannot be read, or titles are missing, unknown or there twice.
    """
    titles = list(read_titles(corpus_file))
    row_of = {title.id: row for row, title in enumerate(titles)}
    selected = np.zeros((len(titles), len(GENRES)), np.uint8)
    seen: set[str] = set()
    try:
        with results.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                name, genres = _parse(line, f"{results}:{number}")
                if name not in row_of or name in seen:
                    reason = "is there twice" if name in seen else f"is not in {corpus_file}"
                    message = f"{results}:{number}: title {name!r} {reason}"
                    raise CorpusError(message)
                seen.add(name)
                selected[row_of[name], [_INDEX[genre] for genre in genres]] = 1
    except (OSError, UnicodeDecodeError) as error:
        message = f"{results} cannot be read: {error}"
        raise CorpusError(message) from error
    if len(seen) < len(titles):
        message = f"{results} lacks {len(titles) - len(seen)} of the {len(titles)} titles of {corpus_file}"
        raise CorpusError(message)
    labels = label_matrix(titles)
    return {
        "titles": len(titles),
        "micro_f1": micro_f1(selected, labels),
        "macro_f1": macro_f1(selected, labels),
    }


def _parse(line: str, place: str) -> tuple[str, list[str]]:
    message = f"{place}: not a result line with id and genres"
    try:
        record: Any = json.loads(line)
        name, genres = record["id"], record["genres"]
        fits = isinstance(name, str) and isinstance(genres, list) and KNOWN_GENRES.issuperset(genres)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorpusError(message) from error
    if not fits:
        raise CorpusError(message)
    return name, genres
