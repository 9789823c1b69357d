"""One child process in a process group of its own: start it, read its lines, see its end, leave nothing of it behind.

Must not know what the process is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_CHUNK_BYTES: Final = 64 * 1024
_LINE_BYTES: Final = 256 * 1024
"""A line longer than this is passed on in pieces."""


class Process:
    """A child process; `exited` resolves to its exit status (negative: the signal that ended it).

    Parameters
    ----------
    on_line : callable
        Called with each line of stdout and stderr, without its end.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.pid = 0
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._handle: psutil.Process | None = None

    async def start(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> None:
        """Start the command.

        Raises
        ------
        OSError
            If the program or the folder is not there, or no process can be made.
        """
        # A pipe of our own: asyncio's would delay the news of the exit while a grandchild holds it open.
        read, write = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
            )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        self.pid = self._process.pid
        with contextlib.suppress(psutil.NoSuchProcess):
            self._handle = psutil.Process(self.pid)
        self._tasks = [asyncio.create_task(self._watch(self._process)), asyncio.create_task(self._read(read))]

    def rss_mb(self) -> float:
        """Give the resident memory of the process (not of its children) in MB (2^20); 0 if it has ended."""
        try:
            return self._handle.memory_info().rss / 2**20 if self._handle else 0.0
        except psutil.Error:
            return 0.0

    def kill(self) -> None:
        """Kill the whole process group."""
        if self.pid and not self.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Kill the group, wait for the end and for the last lines."""
        self.kill()
        if self._process is not None:
            await self.exited
        if self._tasks:
            # A grandchild that made a group of its own may hold the pipe: do not wait for it.
            await asyncio.wait(self._tasks, timeout=0.5)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        # What the process itself had started must not outlive it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if not self.exited.done():
            self.exited.set_result(status)

    async def _read(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        pending = b""
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self._on_line(line.decode(errors="replace"))
                if len(pending) > _LINE_BYTES:
                    self._on_line(pending.decode(errors="replace"))
                    pending = b""
            if pending:
                self._on_line(pending.decode(errors="replace"))
        finally:
            transport.close()
