"""Splits one CSV record into fields, line by line, so that a record over many lines needs no look-ahead.

The rules are those of RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180): a field in double quotes may hold the
delimiter, line ends and doubled quotes. Besides, as spreadsheets and hand-written files have it: spaces around a
quoted field are ignored, and a quote inside an unquoted field is an ordinary character. The standard library's
``csv`` reads on to the end of the file after a quote that is never closed, and does not say where it began.
"""

from __future__ import annotations


class QuoteError(ValueError):
    """Something follows a closing quote that is neither a delimiter nor the end of the line."""


class Record:
    """The fields of one record so far.

    Parameters
    ----------
    delimiter : str
        One character, not a quote.
    """

    def __init__(self, delimiter: str) -> None:
        self.fields: list[str] = []
        self._delimiter = delimiter
        self._quoted: list[str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the record goes on in the next line: a quote is still to be closed."""
        return self._quoted is not None

    def add_line(self, line: str) -> None:
        """Take one line, without its end.

        Raises
        ------
        QuoteError
            If the line breaks the rules; the record is of no use then.
        """
        if self._quoted is None:
            start: int | None = 0
        else:
            self._quoted.append("\n")
            start = self._close(line, 0)
        while start is not None:
            start = self._field(line, start)

    def _field(self, line: str, start: int) -> int | None:
        """Read the field that begins at ``start``; give the start of the next one, None at the end of the line."""
        first = start
        while line.startswith(" ", first):
            first += 1
        if line.startswith('"', first):
            self._quoted = []
            return self._close(line, first + 1)
        end = line.find(self._delimiter, start)
        if end < 0:
            self.fields.append(line[start:])
            return None
        self.fields.append(line[start:end])
        return end + 1

    def _close(self, line: str, start: int) -> int | None:
        """Read on inside quotes from ``start``, as `_field`."""
        assert self._quoted is not None  # noqa: S101 -- for the type checker: the callers have just opened it
        while (quote := line.find('"', start)) >= 0:
            self._quoted.append(line[start:quote])
            if not line.startswith('"', quote + 1):
                break
            self._quoted.append('"')
            start = quote + 2
        else:
            self._quoted.append(line[start:])
            return None
        self.fields.append("".join(self._quoted))
        self._quoted = None
        end = quote + 1
        while line.startswith(" ", end):
            end += 1
        if end == len(line):
            return None
        if not line.startswith(self._delimiter, end):
            message = "a closing quote is followed by something else than a delimiter"
            raise QuoteError(message)
        return end + 1
