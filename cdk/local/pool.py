"""The execution environments of one version: one request at a time in each, as many as its concurrency allows.

Owns who gets the next free environment, when one more is started, and when one is given up. Must not know about aliases
or HTTP. Unlike Lambda, which turns a request away at once when the concurrency is used up, a request waits here for a
while first: a machine has far fewer environments to offer than a region.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NoReturn

from cdk.local.environment import Environment, State
from cdk.local.errors import EnvironmentGoneError, InitError, ThrottledError
from cdk.local.invocation import (
    EXIT_ERROR,
    OUT_OF_MEMORY,
    RESPONSE_TOO_LARGE,
    TIMED_OUT,
    InvocationResult,
    error_message,
    error_payload,
)
from cdk.local.metrics import VersionMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cdk.local.invocation import Invocation
    from cdk.local.version import Version

INIT_LIMIT_S: Final = 10.0
"""An on-demand environment has this long to initialise; then Lambda starts the init once more, inside the first
invocation's timeout. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
PROVISIONED_INIT_LIMIT_S: Final = 130.0
"""A provisioned one has this long, or the function's timeout if that is longer (same page)."""
QUEUE_LENGTH: Final = 256
QUEUE_WAIT_S: Final = 20.0
"""How long a request waits for an environment before it is throttled; the rest of the gateway's 29 s is for the answer."""
IDLE_S: Final = 300.0
"""An on-demand environment that served nothing for this long is given up."""
RESTART_DELAY_S: Final = 1.0
"""Pause before a lost provisioned environment is started again; doubles with each start that fails, up to a minute."""
RESTART_DELAY_MAX_S: Final = 60.0
_PLATFORM_ERRORS: Final = frozenset({TIMED_OUT, EXIT_ERROR, OUT_OF_MEMORY, RESPONSE_TOO_LARGE})
"""Ends that the runtime client cannot write to the log itself."""


class Pool:
    """Execution environments of one version.

    Workflow: `start` brings up the provisioned ones, `warm` one where there are none of these; `invoke` as often as wanted; `drain` and `stop`.

    Parameters
    ----------
    version : Version
        What the environments run, and how many there may be.
    on_line : callable
        Called with a prefix and a line for all that the environments write or the pool has to say.
    queue_length, queue_wait_s, idle_s, restart_delay_s
        See the constants of this module.
    """

    def __init__(
        self,
        version: Version,
        on_line: Callable[[str, str], None],
        *,
        queue_length: int = QUEUE_LENGTH,
        queue_wait_s: float = QUEUE_WAIT_S,
        idle_s: float = IDLE_S,
        restart_delay_s: float = RESTART_DELAY_S,
    ) -> None:
        self.version = version
        self.metrics = VersionMetrics()
        self._on_line = on_line
        self._queue_length = queue_length
        self._queue_wait_s = queue_wait_s
        self._idle_s = idle_s
        self._restart_delay_s = restart_delay_s
        self._environments: set[Environment] = set()
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._starting = 0
        self._requests = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()

    @property
    def environments(self) -> tuple[Environment, ...]:
        """All environments that have not ended."""
        return tuple(self._environments)

    @property
    def in_flight(self) -> int:
        """Requests that are running or waiting."""
        return self._requests

    async def start(self) -> None:
        """Bring up the provisioned environments, one after the other.

        Raises
        ------
        InitError
            If one does not come up; nothing is left running then.
        """
        try:
            for _ in range(self.version.provisioned):
                await self._start_provisioned()
        except BaseException:
            await self.stop()
            raise
        self._spawn(self._give_up_idle())

    async def warm(self) -> None:
        """Make sure that one environment at least is up before requests come.

        Raises
        ------
        InitError
            If it does not come up.
        """
        if not self._environments:
            await self._bring_up(self._add(provisioned=False), INIT_LIMIT_S)

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run an event in an environment, as soon as one is free.

        What goes wrong in the function, its init included, is in the result.

        Raises
        ------
        ThrottledError
            If too many wait already, the wait was too long, or the pool is stopping.
        """
        if self._closed:
            self._throttle("it is stopping")
        self._requests += 1
        self._quiet.clear()
        try:
            return await self._run(invocation)
        finally:
            self._requests -= 1
            if not self._requests:
                self._quiet.set()

    async def drain(self, timeout_s: float) -> None:
        """Take no new requests and wait, at most ``timeout_s`` seconds, until those that came are answered."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), timeout_s)

    async def stop(self) -> None:
        """End every environment, busy or not."""
        self._closed = self._stopped = True
        self._turn_away()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(environment.stop() for environment in self.environments))
        self._environments.clear()
        await asyncio.gather(*self._endings)

    def kill(self) -> None:
        """End every environment without waiting."""
        for environment in self._environments:
            environment.kill()

    async def _run(self, invocation: Invocation) -> InvocationResult:
        begin = time.monotonic()
        while True:
            try:
                environment = await self._acquire()
            except InitError as error:
                duration_ms = (time.monotonic() - begin) * 1000
                self.metrics.record_failed_start(duration_ms)
                return InvocationResult(
                    payload=error_payload(error.error_type, error.error_message),
                    error_type=error.error_type,
                    version=self.version.number,
                    duration_ms=duration_ms,
                )
            try:
                result = await environment.invoke(invocation)
            except EnvironmentGoneError:
                environment.kill()
                continue
            self.metrics.record(result, has_provisioned=self.version.provisioned > 0)
            if result.error_type in _PLATFORM_ERRORS:
                self._say(f"{result.error_type}: {error_message(result.payload)}")
            return result

    async def _acquire(self) -> Environment:
        """Give an environment that is reserved for the caller."""
        if not self._waiting and (environment := self._idle()):
            environment.reserve()
            return environment
        if len(self._waiting) >= self._queue_length:
            self._throttle(f"{self._queue_length} requests wait already")
        turn: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._grow()
        try:
            await asyncio.wait({turn}, timeout=self._queue_wait_s)
        except asyncio.CancelledError:
            if not turn.done():
                self._waiting.remove(turn)
            elif turn.exception() is None:
                self._free(turn.result())
            raise
        if not turn.done():
            self._waiting.remove(turn)
            self._throttle(f"no execution environment was free for {self._queue_wait_s:g} s")
        return turn.result()

    def _throttle(self, reason: str) -> NoReturn:
        self.metrics.record_throttle()
        message = f"function {self.version.label} takes no request now: {reason}"
        raise ThrottledError(message)

    def _turn_away(self) -> None:
        while self._waiting:
            message = f"function {self.version.label} takes no request now: it is stopping"
            self._waiting.popleft().set_exception(ThrottledError(message))

    def _idle(self) -> Environment | None:
        """Choose a free environment: a provisioned one before others, then the one that served last."""
        idle = [environment for environment in self._environments if environment.state is State.IDLE]
        return max(
            idle, key=lambda environment: (environment.provisioned, environment.idle_since), default=None
        )

    def _free(self, environment: Environment) -> None:
        """Hand an idle environment to the request that waits longest, if any."""
        if self._waiting and environment.state is not State.STOPPED:
            environment.reserve()
            self._waiting.popleft().set_result(environment)
        else:
            environment.release()

    def _grow(self) -> None:
        """Start environments for the requests that wait, within the version's concurrency."""
        while (
            not self._stopped
            and self._starting < len(self._waiting)
            and len(self._environments) < self.version.concurrency
        ):
            environment = self._add(provisioned=False)
            self._spawn(self._start_on_demand(environment))

    def _add(self, *, provisioned: bool) -> Environment:
        environment = Environment(
            self.version, provisioned=provisioned, on_idle=self._free, on_gone=self._gone, on_line=self._say
        )
        self._environments.add(environment)
        self._starting += 1
        return environment

    async def _bring_up(self, environment: Environment, limit_s: float) -> None:
        try:
            await environment.start(limit_s)
        except BaseException:
            self._environments.discard(environment)
            raise
        finally:
            self._starting -= 1
        self._free(environment)

    async def _start_provisioned(self) -> None:
        limit_s = max(PROVISIONED_INIT_LIMIT_S, self.version.timeout_s)
        await self._bring_up(self._add(provisioned=True), limit_s)

    async def _start_on_demand(self, environment: Environment) -> None:
        try:
            try:
                await self._bring_up(environment, INIT_LIMIT_S)
            except InitError as error:
                if error.error_type != TIMED_OUT:
                    raise
                self._say(f"the init took longer than {INIT_LIMIT_S:g} s and starts again within the timeout")
                await self._bring_up(self._add(provisioned=False), self.version.timeout_s)
        except InitError as error:
            self._say_failed(error)
            if self._waiting:
                self._waiting.popleft().set_exception(error)
        self._grow()

    async def _restore_provisioned(self) -> None:
        delay_s = self._restart_delay_s
        while True:
            try:
                return await self._start_provisioned()
            except InitError as error:
                self._say_failed(error)
                self._say(f"it is started again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RESTART_DELAY_MAX_S)

    def _gone(self, environment: Environment) -> None:
        self._environments.discard(environment)
        if environment.outgrew_memory:
            self.metrics.record_memory_kill()
        ending = asyncio.get_running_loop().create_task(environment.stop())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        if self._stopped:
            return
        if environment.provisioned:
            self._spawn(self._restore_provisioned())
        self._grow()

    async def _give_up_idle(self) -> None:
        while True:
            await asyncio.sleep(self._idle_s / 4)
            since = asyncio.get_running_loop().time() - self._idle_s
            for environment in self.environments:
                if (
                    not environment.provisioned
                    and environment.state is State.IDLE
                    and environment.idle_since < since
                ):
                    environment.kill()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._say(f"the pool of {self.version.label} met an unexpected error: {error!r}")

    def _say_failed(self, error: InitError) -> None:
        for line in (*error.log, str(error)):
            self._say(line)

    def _say(self, line: str) -> None:
        self.metrics.written.read(line)
        self._on_line(self.version.label, line)
