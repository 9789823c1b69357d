"""Rows of a CSV file: a header that names a ``text`` column, then one record a row, over one line or many.

The delimiter is a comma, a semicolon or a tab, whichever makes the header name ``text``. Column names are compared
without case; columns other than ``id``, ``title``, ``text`` and ``item_id`` are ignored, and so are blank lines.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from functions.classification.files.csv_fields import QuoteError, Record
from functions.classification.files.lines import Line, Readable, read_lines
from functions.classification.files.rows import MAX_ROW_BYTES, FileError, Row, RowError, make_row

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIMITERS: Final = (",", ";", "\t")
MAX_ROW_LINES: Final = 10_000
"""Lines of one row at most. It bounds, with `MAX_ROW_BYTES`, how far a quote that is never closed is followed."""
_READ_AGAIN: Final = 20
"""Lines that may be read again, per line of the file, to go on behind a broken row (see `CsvRows`)."""


class CsvRows:
    """Iterates over the rows of a CSV file in order.

    A quote that is never closed would swallow every row behind it. Where one cannot be closed (what follows the
    next quote is no delimiter, there are too many columns, the row exceeds a limit, the file ends) the line it is
    in is reported, and reading goes on with the line after it. So that a hostile file costs no more than a few
    times the reading of it, this is given up once too many lines were read again; from then on each line that such
    a quote has swallowed is reported as unreadable.

    Parameters
    ----------
    stream : Readable
        UTF-8 without byte order mark; not closed.
    name : str
        What the file is called in errors.

    Raises
    ------
    FileError
        By the iteration: if the first line is not a header with one ``text`` column, or nothing follows it.
    """

    def __init__(self, stream: Readable, *, name: str) -> None:
        self._lines = read_lines(stream, max_bytes=MAX_ROW_BYTES)
        self._name = name
        self._again: deque[Line] = deque()
        self._credit = 10 * MAX_ROW_LINES
        self._delimiter = ","
        self._columns: dict[str, int] = {}
        self._width = 0

    def __iter__(self) -> Iterator[Row | RowError]:
        self._read_header()
        empty = True
        while line := self._next_line():
            if line.content is None or line.content.strip():
                empty = False
                yield from self._read_row(line)
        if empty:
            message = f"{self._name} has a header and no rows"
            raise FileError(message)

    def _next_line(self) -> Line | None:
        if self._again:
            return self._again.popleft()
        self._credit += _READ_AGAIN
        return next(self._lines, None)

    def _read_header(self) -> None:
        line = self._next_line()
        while line and line.content is not None and not line.content.strip():
            line = self._next_line()
        if line is None:
            message = f"{self._name} is empty"
            raise FileError(message)
        if line.content is None:
            message = f"{self._name} has no header: its first line is longer than {MAX_ROW_BYTES} bytes"
            raise FileError(message)
        header = line.content.decode("utf-8", "replace")
        for delimiter in DELIMITERS:
            record = Record(delimiter)
            try:
                record.add_line(header)
            except QuoteError:
                continue
            names = [field.strip().casefold() for field in record.fields]
            if "text" in names:
                self._take_header(names, delimiter)
                return
        message = f"{self._name} has no column named text in its first line"
        raise FileError(message)

    def _take_header(self, names: list[str], delimiter: str) -> None:
        for wanted in ("id", "title", "text", "item_id"):
            if names.count(wanted) > 1:
                message = f"{self._name} has more than one column named {wanted}"
                raise FileError(message)
            if wanted in names:
                self._columns[wanted] = names.index(wanted)
        self._delimiter = delimiter
        self._width = len(names)

    def _read_row(self, first: Line) -> Iterator[Row | RowError]:
        record = Record(self._delimiter)
        span: list[Line] = []
        size = 0
        flaw: str | None = None
        line: Line | None = first
        while line:
            span.append(line)
            if line.content is None:
                break
            size += len(line.content) + 1
            if size > MAX_ROW_BYTES + 1 or len(span) > MAX_ROW_LINES:
                break
            flaw = flaw or _flaw(line.number, line.content)
            try:
                record.add_line(line.content.decode("utf-8", "replace"))
            except QuoteError:
                break
            if not record.is_open:
                yield RowError(first.number, flaw) if flaw else self._row(span, record.fields)
                return
            if len(record.fields) >= self._width:
                break
            line = self._next_line()
        yield from self._give_up(span)

    def _give_up(self, span: list[Line]) -> Iterator[RowError]:
        """Report the first line of a broken row and go back to the one after it."""
        first, *others = span
        if first.content is None:
            yield RowError(first.number, f"the line is longer than {MAX_ROW_BYTES} bytes")
        else:
            yield RowError(first.number, "a quote is opened and not closed as CSV has it")
        self._credit -= len(others)
        if self._credit >= 0:
            self._again.extendleft(reversed(others))
            return
        for line in others:
            if line.content is None or line.content.strip():
                reason = f"the line follows a quote that is opened in line {first.number} and not closed"
                yield RowError(line.number, reason)

    def _row(self, span: list[Line], fields: list[str]) -> Row | RowError:
        number = span[0].number
        if len(fields) != self._width:
            row = "the row has" if len(span) == 1 else f"lines {number} to {span[-1].number} are one row of"
            columns = "1 column" if len(fields) == 1 else f"{len(fields)} columns"
            return RowError(number, f"{row} {columns}, the header has {self._width}")
        values = {name: fields[index] for name, index in self._columns.items()}
        return make_row(
            number,
            id=values.get("id"),
            text=values["text"],
            title=values.get("title"),
            item_id=values.get("item_id"),
        )


def _flaw(number: int, content: bytes) -> str | None:
    if b"\0" in content:
        return f"line {number} holds a NUL byte"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return f"line {number} is not UTF-8: its byte {error.start + 1} is 0x{content[error.start]:02x}"
    return None
