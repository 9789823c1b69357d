"""What a file of texts consists of: rows that can be classified, and rows that cannot.

Owns the row types, the one error about a whole file and the limits; knows no file format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from functions.classification.contract import MAX_ID_CHARS, MAX_TEXT_CHARS, MAX_TITLE_CHARS
from trending_core.errors import TrendingError
from trending_core.visible import is_visible

MAX_ROW_BYTES: Final = 2 * 1024 * 1024
"""Longest row that is read, in bytes; a longer one is reported and skipped without being held in memory.

It leaves room for the longest text of the API (100,000 characters) with every character escaped in JSON."""


class FileError(TrendingError):
    """A file cannot be read, or not to its end; the text is one sentence that names the file."""

    title = "Unreadable file"
    slug = "unreadable-file"


@dataclass(frozen=True, slots=True)
class Row:
    """One text to classify.

    Parameters
    ----------
    number : int
        The line of the file, counted from 1, at which the row starts.
    id : str
        The row's own id; where it has none, its number in decimal digits.
    text : str
        With at least one visible character.
    title : str or None
        None where the row has none or a blank one.
    item_id : str or None
        The item that the row is to become, as it was read; None where the row names none.
    """

    number: int
    id: str
    text: str
    title: str | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that cannot be classified.

    Parameters
    ----------
    number : int
        The line of the file, counted from 1, at which the row starts.
    reason : str
        What is wrong, for a person; it holds nothing of the row's text.
    """

    number: int
    reason: str


def make_row(
    number: int,
    *,
    id: Any,  # noqa: A002, ANN401 -- as read
    text: Any,  # noqa: ANN401 -- as read
    title: Any,  # noqa: ANN401 -- as read
    item_id: Any = None,  # noqa: ANN401 -- as read
) -> Row | RowError:
    """Check the values of one row as they were read, by the rules of the API; None stands for one that is absent.

    An integer id becomes its decimal digits, so that ids have one type in every result. A blank id or title counts
    as none. An ``item_id`` is not judged here: a row that cannot become an item can still be classified.
    """
    if text is None:
        return RowError(number, "the text is missing")
    if type(id) is int:
        id = str(id)  # noqa: A001 -- see the parameter
    for name, value, longest in (
        ("text", text, MAX_TEXT_CHARS),
        ("title", title, MAX_TITLE_CHARS),
        ("id", id, MAX_ID_CHARS),
    ):
        if value is not None and (reason := _flaw(name, value, longest)):
            return RowError(number, reason)
    if not is_visible(text):
        return RowError(number, "the text is empty")
    return Row(
        number,
        id=id if id and id.strip() else str(number),
        text=text,
        title=title if title and title.strip() else None,
        item_id=_item_id(item_id),
    )


def _item_id(value: Any) -> str | None:  # noqa: ANN401 -- any JSON value
    """Give an item's id as text; what is neither text nor an integer becomes something that is no id."""
    if type(value) is int:
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return value if isinstance(value, str) else f"<{_kind(value)}>"


def _flaw(name: str, value: Any, longest: int) -> str | None:  # noqa: ANN401 -- any JSON value
    if not isinstance(value, str):
        wanted = "a string or an integer" if name == "id" else "a string"
        return f"the {name} is {_kind(value)}, not {wanted}"
    if len(value) > longest:
        return f"the {name} has {len(value)} characters, more than {longest}"
    if not value.isascii() and _has_surrogate(value):
        return f"the {name} holds half of a surrogate pair, which is no character"
    return None


def _kind(value: Any) -> str:  # noqa: ANN401 -- any JSON value
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _has_surrogate(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
