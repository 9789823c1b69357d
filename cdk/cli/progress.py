"""What a long command shows while it runs: a bar on a terminal, nothing elsewhere. Always on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.classification.files.lines import Readable


class Counted:
    """A stream that knows how much of it was read.

    Parameters
    ----------
    stream : Readable
        Not closed here.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        """Give at least one and at most ``size`` bytes, none at the end."""
        content = self._stream.read(size)
        self.bytes_read += len(content)
        return content


class RowProgress:
    """Shows how far a file has been worked through, by bytes, so that its rows need not be counted first.

    Made by `row_progress`.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._rows = 0

    def add_rows(self, count: int) -> None:
        """Note that rows were worked on."""
        self._rows += count
        self._progress.update(self._task, rows=self._rows, refresh=True)

    def of_rows(self, title: str, rows: int, total: int | None) -> None:
        """Show so many rows instead, of so many if that is known."""
        self._rows = rows
        self._progress.update(
            self._task, description=title, rows=rows, total=total, completed=rows, refresh=True
        )

    def at_byte(self, position: int) -> None:
        """Note that everything before this byte of the file is done."""
        self._progress.update(self._task, completed=position)

    def say(self, message: str) -> None:
        """Print a line on stderr, above the bar if there is one."""
        self._progress.console.print(message, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def row_progress(title: str, *, total_bytes: int | None, shown: bool) -> Iterator[RowProgress]:
    """Show a bar for the time of a ``with`` block, and remove it at its end.

    Parameters
    ----------
    title : str
        Stands in front of the bar.
    total_bytes : int or None
        Size of the file; None if it is not known, as for a pipe.
    shown : bool
        Whether to show a bar at all; ignored where stderr is no terminal.
    """
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn()]
    if total_bytes:
        columns += [TextColumn("{task.percentage:>3.0f} %")]
    columns += [TextColumn("{task.fields[rows]:,} rows"), TimeElapsedColumn()]
    if total_bytes:
        columns += [TextColumn("left:"), TimeRemainingColumn()]
    console = Console(file=sys.stderr)
    hidden = not (shown and console.is_terminal)
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(title, total=total_bytes, rows=0)
        yield RowProgress(progress, task)
