"""From a binary stream to rows: which format it is, and the reader for it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from functions.classification.files.csv_rows import CsvRows
from functions.classification.files.jsonl_rows import jsonl_rows
from functions.classification.files.source import Prefetched, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.classification.files.lines import Readable
    from functions.classification.files.rows import Row, RowError

_SNIFFED_BYTES = 4096


class Format(StrEnum):
    """How rows are written in a file."""

    AUTO = "auto"
    CSV = "csv"
    JSONL = "jsonl"


_ENDINGS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
}


def read_rows(stream: Readable, *, name: str, file_format: Format = Format.AUTO) -> Iterator[Row | RowError]:
    """Yield every row of a file in order, as one that can be classified or as an error.

    Nothing is read before the first row is asked for. Memory is bounded by the limits of one row.

    Parameters
    ----------
    stream : Readable
        The file's bytes: CSV or JSONL, packed with gzip or not; not closed.
    name : str
        The file's name: its ending tells the format, and errors about the file start with it.
    file_format : Format
        With ``AUTO``, a name that tells nothing leaves it to the content: what begins with a bracket is JSONL.

    Raises
    ------
    FileError
        If the file cannot be read, or not to its end. All rows before that point have been given by then.
    """
    source = open_source(stream, name=name)
    if file_format is Format.AUTO:
        file_format = _format_of_name(name) or _format_of_content(source)
    if file_format is Format.CSV:
        yield from CsvRows(source, name=name)
    else:
        yield from jsonl_rows(source, name=name)


def _format_of_name(name: str) -> Format | None:
    plain = name.lower().removesuffix(".gz")
    return next((found for ending, found in _ENDINGS.items() if plain.endswith(ending)), None)


def _format_of_content(source: Prefetched) -> Format:
    return Format.JSONL if source.peek(_SNIFFED_BYTES).lstrip()[:1] in (b"{", b"[") else Format.CSV
