"""Rows of a JSONL file: one JSON object a line, with ``text`` and perhaps ``id``, ``title`` and ``item_id``.

Other fields and blank lines are ignored.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.classification.files.lines import Readable, read_lines
from functions.classification.files.rows import MAX_ROW_BYTES, FileError, Row, RowError, make_row

if TYPE_CHECKING:
    from collections.abc import Iterator


def jsonl_rows(stream: Readable, *, name: str) -> Iterator[Row | RowError]:
    """Yield the rows of a JSONL file in order.

    Parameters
    ----------
    stream : Readable
        UTF-8 without byte order mark; not closed.
    name : str
        What the file is called in errors.

    Raises
    ------
    FileError
        If the file holds blank lines only.
    """
    empty = True
    for line in read_lines(stream, max_bytes=MAX_ROW_BYTES):
        if line.content is None:
            yield RowError(line.number, f"the line is longer than {MAX_ROW_BYTES} bytes")
        elif line.content.strip():
            yield _row(line.number, line.content)
        else:
            continue
        empty = False
    if empty:
        message = f"{name} holds no rows"
        raise FileError(message)


def _row(number: int, content: bytes) -> Row | RowError:
    try:
        record: Any = json.loads(content.decode())
    except UnicodeDecodeError as error:
        byte = content[error.start]
        return RowError(number, f"the line is not UTF-8: its byte {error.start + 1} is 0x{byte:02x}")
    except json.JSONDecodeError as error:
        return RowError(number, f"the line is not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError):  # an integer of thousands of digits, brackets of thousands of levels
        return RowError(
            number, "the line is JSON beyond what is read: a number too long or nested too deeply"
        )
    if not isinstance(record, dict):
        return RowError(number, "the line is not a JSON object")
    return make_row(
        number,
        id=record.get("id"),
        text=record.get("text"),
        title=record.get("title"),
        item_id=record.get("item_id"),
    )
