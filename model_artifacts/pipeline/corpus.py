"""Reads the corpus: one JSON object a line, gzipped or not, every flaw named by file and line."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from genre_model.labels import GENRES
from model_artifacts.pipeline.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

KNOWN_GENRES: Final = frozenset(GENRES)
UNSTATED: Final = "unstated"


@dataclass(frozen=True, slots=True)
class Title:
    """One film or show: its texts (the synopsis first) and its genres."""

    id: str
    source: str
    title: str
    texts: tuple[str, ...]
    genres: tuple[str, ...]
    licence: str
    """In the corpus's own words; `UNSTATED` where it says nothing."""


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        message = f"field {field!r} is missing, empty or not a string"
        raise ValueError(message)
    if not value.isascii():
        value.encode()  # half of a surrogate pair, which JSON can spell, is no text: a ValueError
    return value


def _parse(record: Any) -> Title:  # noqa: ANN401 -- whatever the line holds
    if not isinstance(record, dict):
        message = f"expected an object, found {type(record).__name__}"
        raise ValueError(message)  # noqa: TRY004 -- one kind of error for one flawed line
    genres = record.get("genres")
    if not isinstance(genres, list) or not genres:
        message = "field 'genres' is missing, empty or not a list"
        raise ValueError(message)
    unknown = [genre for genre in genres if not isinstance(genre, str) or genre not in KNOWN_GENRES]
    if unknown:
        message = f"unknown genre {unknown[0]!r}"
        raise ValueError(message)
    alternatives = record.get("alt_synopses", [])
    if not isinstance(alternatives, list) or not all(isinstance(a, dict) for a in alternatives):
        message = "field 'alt_synopses' is not a list of objects"
        raise ValueError(message)
    return Title(
        id=_text(record, "id"),
        source=_text(record, "source"),
        title=_text(record, "title"),
        texts=(_text(record, "synopsis"), *(_text(a, "synopsis") for a in alternatives)),
        genres=tuple(genres),
        licence=UNSTATED if record.get("licence") in (None, "") else _text(record, "licence"),
    )


def read_titles(path: Path, *, skip_bad_lines: bool = False) -> Iterator[Title]:
    """Yield the titles of one corpus file in order.

    Parameters
    ----------
    path : Path
        ``.jsonl`` or ``.jsonl.gz``.
    skip_bad_lines : bool
        Log a flawed line and go on, instead of stopping at it.

    Raises
    ------
    CorpusError
        If the file cannot be read to its end, or (without ``skip_bad_lines``) at the first line that
        is not JSON, lacks a field, names an unknown genre or has the id of a line before it.
    """
    line_number = 0
    first_line: dict[str, int] = {}
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for line_number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    title = _parse(json.loads(line))
                    if (before := first_line.setdefault(title.id, line_number)) != line_number:
                        message = f"id {title.id!r} is that of line {before}"
                        raise ValueError(message)  # noqa: TRY301 -- a flaw of the line like any other
                except (ValueError, RecursionError) as error:
                    message = f"{path}:{line_number}: {error}"
                    if not skip_bad_lines:
                        raise CorpusError(message) from error
                    logger.warning("skipped %s", message)
                    continue
                yield title
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path}:{line_number + 1}: cannot read on: {error}"
        raise CorpusError(message) from error
