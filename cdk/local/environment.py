"""One execution environment: a process with the runtime client in it, and Lambda's rules about its life.

Owns init limit, invocation timeout, memory limit and what each kind of end means. Must not know about other
environments, aliases or HTTP; `pool` and `gateway` do.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cdk.local.bootstrap import PARENT_VARIABLE
from cdk.local.errors import InitError
from cdk.local.invocation import (
    EXIT_ERROR,
    OUT_OF_MEMORY,
    TIMED_OUT,
    Invocation,
    InvocationResult,
    error_message,
    error_payload,
)
from cdk.local.process import Process
from cdk.local.runtime_api import Outcome, RuntimeApi
from cdk.local.version import Version, process_environment

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_CHECK_S: Final = 0.1
"""How often resident memory is compared with the memory setting. A process can exceed it for this long before it is
killed, where Lambda's control group stops the first page too many."""
_LOG_TAIL_BYTES: Final = 4 * 1024
_LAST_WORD_S: Final = 0.05


class State(StrEnum):
    """Where an environment stands; it serves only when idle."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"


class Environment:
    """One execution environment of a version.

    Workflow: `start`, which leaves it reserved for the caller; `invoke` one event at a time, or `release`; after its answer
    it is not idle before the runtime client asks for the next event, which calls ``on_idle``; when the process ends,
    ``on_gone`` is called, once.

    Parameters
    ----------
    version : Version
        What runs in it.
    provisioned : bool
        Whether it is one of those kept initialised.
    on_idle, on_gone : callable
        Called with this environment.
    on_line : callable
        Called with each line that the process writes; those of a failed init are in the `InitError` instead.
    """

    def __init__(
        self,
        version: Version,
        *,
        provisioned: bool,
        on_idle: Callable[[Environment], None],
        on_gone: Callable[[Environment], None],
        on_line: Callable[[str], None],
    ) -> None:
        self.version = version
        self.provisioned = provisioned
        self.state = State.STARTING
        self.idle_since = 0.0
        self._on_idle = on_idle
        self._on_gone = on_gone
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._api = RuntimeApi(self._polled)
        self._process = Process(self._line)
        self._memory: asyncio.Task[None] | None = None
        self._init_ms: float | None = None
        self._tail: deque[str] = deque()
        self._init_lines: list[str] = []
        self._killed_at_mb: float | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._polls = 0

    @property
    def outgrew_memory(self) -> bool:
        """Whether it was ended because it exceeded the memory setting."""
        return self._killed_at_mb is not None

    @property
    def pid(self) -> int:
        """Process id, also of its group."""
        return self._process.pid

    async def start(self, limit_s: float) -> None:
        """Start the process and wait until its handler is loaded; the caller has it reserved then.

        Parameters
        ----------
        limit_s : float
            How long the init may take, in seconds.

        Raises
        ------
        InitError
            If the handler cannot be loaded, the process ends, or the init takes too long.
        """
        begin = self._loop.time()
        command = [sys.executable, "-m", "cdk.local.bootstrap", self.version.handler]
        try:
            await self._api.start()
            variables = process_environment(self.version, self._api.address, provisioned=self.provisioned)
            await self._process.start(
                command,
                environment={**variables, PARENT_VARIABLE: str(os.getpid())},
                folder=self.version.task_root,
            )
        except OSError as error:
            await self.stop()
            raise InitError(self.version.label, "Runtime.InvalidEntrypoint", str(error)) from error
        except BaseException:
            await self.stop()
            raise
        self._process.exited.add_done_callback(lambda _: self._gone())
        self._memory = asyncio.create_task(self._watch_memory())
        waited: set[asyncio.Future[Any]] = {self._ready, self._api.init_error, self._process.exited}
        try:
            await asyncio.wait(waited, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if self._ready.done():
                self._init_ms = (self._loop.time() - begin) * 1000
                return
            if not self._api.init_error.done() and self._process.exited.done():
                await asyncio.wait({self._api.init_error}, timeout=_LAST_WORD_S)
            failure = self._init_failure(limit_s)
        except BaseException:
            await self.stop()
            raise
        await self.stop()
        failure.log = tuple(self._init_lines)
        raise failure

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one event through the handler; the environment must be idle.

        A function's failure is a result, not an exception; after a timeout or the process's end the environment is gone.

        Raises
        ------
        EnvironmentGoneError
            If the process ended before it took the event.
        """
        timeout_s = self.version.timeout_s
        outcome = self._api.dispatch(invocation, int((time.time() + timeout_s) * 1000))
        self.state = State.BUSY
        polls = self._polls
        begin = self._loop.time()
        init_ms, self._init_ms = self._init_ms, None
        tail = self._tail = deque()
        exited = self._process.exited
        first: set[asyncio.Future[Any]] = {outcome, exited}
        await asyncio.wait(first, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not outcome.done() and exited.done():
            await asyncio.wait({outcome}, timeout=_LAST_WORD_S)
        duration_ms = (self._loop.time() - begin) * 1000
        if outcome.done():
            answer = outcome.result()
            if self._polls == polls and self.state is State.BUSY:
                # What runs on after the answer still counts against the timeout.
                self._overdue = self._loop.call_later(
                    max(0.0, timeout_s - duration_ms / 1000), self._process.kill
                )
        elif exited.done():
            answer = self._end_of_process(invocation.request_id, exited.result())
        else:
            answer = _failure(
                invocation.request_id, TIMED_OUT, f"Task timed out after {timeout_s:.2f} seconds"
            )
            self.state = State.STOPPED
            self._process.kill()
        return InvocationResult(
            payload=answer.payload,
            error_type=answer.error_type,
            version=self.version.number,
            duration_ms=duration_ms,
            init_ms=init_ms,
            provisioned=self.provisioned,
            log_tail="\n".join(tail)[-_LOG_TAIL_BYTES:],
        )

    async def stop(self) -> None:
        """End the process, whatever it does, and wait until nothing of it is left."""
        self.state = State.STOPPED
        if self._overdue is not None:
            self._overdue.cancel()
        if self._memory is not None:
            self._memory.cancel()
            await asyncio.gather(self._memory, return_exceptions=True)
        await self._process.stop()
        await self._api.stop()

    def reserve(self) -> None:
        """Keep the idle environment for one caller, who will `invoke` or `release` it."""
        if self.state is State.IDLE:
            self.state = State.BUSY

    def release(self) -> None:
        """Give a reserved environment back unused."""
        if self.state is State.BUSY:
            self.state = State.IDLE

    def kill(self) -> None:
        """End the process at once, without waiting."""
        self.state = State.STOPPED
        self._process.kill()

    def _polled(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        self._polls += 1
        was, self.state = self.state, State.IDLE
        self.idle_since = self._loop.time()
        if was is State.STARTING:
            # Whoever started it has it first; it must not look free before that.
            self.state = State.BUSY
            if not self._ready.done():
                self._ready.set_result(None)
            for line in self._init_lines:
                self._on_line(line)
            self._init_lines.clear()
        elif was is State.STOPPED:
            self.state = State.STOPPED
        else:
            self._on_idle(self)

    def _gone(self) -> None:
        self.state = State.STOPPED
        if self._ready.done():
            self._on_gone(self)

    def _line(self, line: str) -> None:
        # The runtime client joins the lines of an error with carriage returns, for CloudWatch.
        for part in line.split("\r"):
            text = part.replace("\u00a0", " ").rstrip()
            if text:
                self._tail.append(text)
                if len(self._tail) > _LOG_TAIL_BYTES // 8:
                    self._tail.popleft()
                if self.state is State.STARTING:
                    self._init_lines.append(text)
                else:
                    self._on_line(text)

    async def _watch_memory(self) -> None:
        while not self._process.exited.done():
            used_mb = self._process.rss_mb()
            if used_mb > self.version.memory_mb:
                self._killed_at_mb = used_mb
                self._process.kill()
                return
            await asyncio.sleep(MEMORY_CHECK_S)

    def _init_failure(self, limit_s: float) -> InitError:
        if self._api.init_error.done():
            reported = self._api.init_error.result()
            message = error_message(reported.payload)
            return InitError(self.version.label, reported.error_type or "Runtime.UnknownReason", message)
        if self._process.exited.done():
            kind, message = self._end(self._process.exited.result())
            return InitError(self.version.label, kind, message)
        return InitError(self.version.label, TIMED_OUT, f"the init took longer than {limit_s:g} seconds")

    def _end_of_process(self, request_id: str, status: int) -> Outcome:
        return _failure(request_id, *self._end(status))

    def _end(self, status: int) -> tuple[str, str]:
        """Give Lambda's error type and message for an ended process."""
        if self._killed_at_mb is not None:
            limit_mb = self.version.memory_mb
            return (
                OUT_OF_MEMORY,
                f"Runtime used {self._killed_at_mb:.0f} MB of memory, more than its {limit_mb} MB",
            )
        if status < 0:
            name = signal.Signals(-status).name.removeprefix("SIG").lower()
            return EXIT_ERROR, f"Runtime exited with error: signal: {name}"
        if status == 0:
            return EXIT_ERROR, "Runtime exited without providing a reason"
        return EXIT_ERROR, f"Runtime exited with error: exit status {status}"


def _failure(request_id: str, kind: str, message: str) -> Outcome:
    return Outcome(error_payload(kind, f"RequestId: {request_id} Error: {message}"), kind)
