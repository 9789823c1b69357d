"""A file that a command writes: under its name once it is whole, never half.

Until then it is called ``NAME.partial``. What was written before a failure stays there, since it may have cost hours;
the next run overwrites it. A lock keeps two runs from writing the same file.
"""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OutputError(Exception):
    """A file cannot be written; the text is one sentence that names it."""


class Output:
    """Where lines go: a file, or standard output.

    Made by `open_output`.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, line: bytes) -> None:
        """Write a line, perhaps later.

        Raises
        ------
        OutputError
            If the file cannot be written any more.
        BrokenPipeError
            If nobody reads it any more.
        """
        with _explained(self._name):
            self._stream.write(line)

    def flush(self) -> None:
        """Hand on what was written; raises as `write`."""
        with _explained(self._name):
            self._stream.flush()


@contextmanager
def open_output(target: Path | None) -> Iterator[Output]:
    """Open a file for the time of a ``with`` block; at its end the file takes its name, unless an error leaves it.

    Parameters
    ----------
    target : Path or None
        A device or a pipe is written directly. None is standard output.

    Raises
    ------
    OutputError
        If the file cannot be written, or another run is writing it.
    """
    if target is None:
        if sys.stdout is None:  # a shell closes it with >&-
            message = "standard output is closed"
            raise OutputError(message)
        output = Output(sys.stdout.buffer, "standard output")
        yield output
        output.flush()
        return
    with _explained(str(target)):
        target = target.resolve()
        direct = target.exists() and not target.is_file() and not target.is_dir()
        if target.is_dir():
            message = f"{target} cannot be written: it is a folder"
            raise OutputError(message)
    with _written_directly(target) if direct else _written_whole(target) as output:
        yield output


@contextmanager
def _written_directly(target: Path) -> Iterator[Output]:
    with _explained(str(target)):
        stream = target.open("wb")
    with _closing(stream):
        output = Output(stream, str(target))
        yield output
        output.flush()


@contextmanager
def _written_whole(target: Path) -> Iterator[Output]:
    partial = target.with_name(f"{target.name}.partial")
    with _explained(str(target)):
        stream = partial.open("ab")
    with _closing(stream):
        _lock(stream, partial)
        output = Output(stream, str(target))
        try:
            yield output
            output.flush()
            with _explained(str(target)):
                os.fsync(stream.fileno())
                partial.replace(target)
        except BaseException:
            if _has_content(stream):
                typer.echo(f"trending-now: what was written so far is in {partial}", err=True)
            else:
                partial.unlink(missing_ok=True)
            raise


def _lock(stream: BinaryIO, partial: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The run that held the lock may just have given this file its final name.
        ours = partial.exists() and os.path.samestat(partial.stat(), os.fstat(stream.fileno()))
    except BlockingIOError:
        ours = False
    if not ours:
        message = f"{partial} is being written by another run"
        raise OutputError(message)
    stream.truncate(0)


@contextmanager
def _closing(stream: BinaryIO) -> Iterator[None]:
    """Close at the end; that what is still in the buffer cannot be written has been said by then."""
    try:
        yield
    finally:
        with suppress(OSError):
            stream.close()


def _has_content(stream: BinaryIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return True
    return os.fstat(stream.fileno()).st_size > 0


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"{name} cannot be written: {error.strerror or error}"
        raise OutputError(message) from error
