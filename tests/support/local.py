"""The local service in tests: specs of tiny handlers, pools on an event loop, and a service in a thread for HTTP clients."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from cdk.local.invocation import Invocation
from cdk.local.pool import Pool
from cdk.local.service import LocalService, ServeOptions
from cdk.local.version import Version
from cdk.service import Api, Function, Route, Service, Warmup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = "tests.support.handlers"
PATIENCE_S = 120.0
"""How long a test waits for what must come: it is spent only by a failure, so a slow machine gets plenty."""
INIT_LIMIT_S = 100.0
"""Instead of Lambda's 10 s, so that a machine with other work to do can start a process."""


def asynchronous(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test that is a coroutine function."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@dataclass
class Lines:
    """Collects what functions write."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, prefix: str, line: str) -> None:
        self.lines.append((prefix, line))

    @property
    def text(self) -> str:
        return "\n".join(f"[{prefix}] {line}" for prefix, line in self.lines)


def a_version(handler: str = "echo.handler", **changes: Any) -> Version:
    """Make a version of one of the tiny handlers."""
    defaults: dict[str, Any] = {
        "function": "echo",
        "number": "1",
        "handler": f"{HANDLERS}.{handler}",
        "task_root": ROOT,
        "memory_mb": 256,
        "timeout_s": 100,
    }
    return Version(**(defaults | changes))


def an_invocation(event: object = None) -> Invocation:
    """Make an invocation of an event."""
    payload = json.dumps({} if event is None else event).encode()
    arn = "arn:aws:lambda:us-east-1:000000000000:function:echo:live"
    return Invocation(
        request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        payload=payload,
        function_arn=arn,
        trace_id="Root=1-0-0",
    )


@asynccontextmanager
async def a_pool(version: Version, lines: Lines | None = None, **options: Any) -> AsyncIterator[Pool]:
    """Run a pool; nothing of it may be left when it has stopped."""
    pool = Pool(version, lines or Lines(), **({"queue_wait_s": PATIENCE_S} | options))
    try:
        await pool.start()
        yield pool
    finally:
        pids = [environment.pid for environment in pool.environments]
        await pool.stop()
        assert not [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Wait until a condition holds; False if it does not within a generous time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


async def eventually_async(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Do as `eventually`, on an event loop."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        await asyncio.sleep(0.02)
    return condition()


def a_function(handler: str = "echo.proxy", **changes: Any) -> Function:
    """Make a function of the spec from one of the tiny handlers."""
    defaults: dict[str, Any] = {
        "name": "echo",
        "image": "tests/support/handlers",
        "handler": f"{HANDLERS}.{handler}",
        "routes": (
            Route(method="POST", path="/echo"),
            Route(method="GET", path="/echo"),
            Route(method="GET", path="/items/{item_id}"),
            Route(method="GET", path="/health", public=True),
        ),
        "memory_mb": 256,
        "timeout_s": 29,
        "warmup": Warmup(provisioned=1),
    }
    return Function(**(defaults | changes))


def a_service(*functions: Function, **changes: Any) -> Service:
    """Make a spec."""
    defaults: dict[str, Any] = {"stage": "local", "functions": functions or (a_function(),), "api": Api()}
    return Service(**(defaults | changes))


@dataclass
class Running:
    """A service in a thread of its own."""

    service: LocalService
    loop: asyncio.AbstractEventLoop
    lines: Lines

    @property
    def url(self) -> str:
        return self.service.gateway.server.url

    @property
    def invoke_url(self) -> str:
        return self.service.invoke_api.server.url

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the service's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=2 * PATIENCE_S)


@contextmanager
def serving(spec: Service, data: Path, **options: Any) -> Iterator[Running]:
    """Run a service on free ports; raises what its start raises."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local-service")
    thread.start()
    lines = Lines()

    async def make() -> LocalService:
        chosen: dict[str, Any] = {"root": ROOT, "data": data, "port": 0} | options
        return LocalService(spec, ServeOptions(**chosen), lines)

    try:
        service = asyncio.run_coroutine_threadsafe(make(), loop).result(timeout=2 * PATIENCE_S)
        running = Running(service, loop, lines)
        try:
            running.call(service.start())
            yield running
        finally:
            running.call(service.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
