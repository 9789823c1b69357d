"""The whole service on this machine: in which order its parts start, and that all of them end.

Data folder, ports, companions, functions, Invoke API, gateway, event sources; they end in the opposite order. Must not
know about signals or terminals; `cdk.cli.serve` does.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdk.local.change import Change
from cdk.local.control_api import ControlApi
from cdk.local.data import DataFolder
from cdk.local.errors import InitError, ServeError
from cdk.local.event_queue import EventQueue
from cdk.local.function import Alias, Functions, LocalFunction
from cdk.local.gateway import Gateway
from cdk.local.invoke_api import InvokeApi
from cdk.local.pool import Pool
from cdk.local.rollouts import Rollouts
from cdk.local.versions import grant_variables, handed_on_variables, make_version, model_variables
from model_artifacts.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cdk.local.companions import Companion, EventSource
    from cdk.local.http_server import HttpServer
    from cdk.local.version import Version
    from cdk.service import Function, Service

_LOG: Final = logging.getLogger(__name__)
GRACE_S: Final = 5.0
"""How long requests and batches that are under way may take to end when the service stops, in all."""
_LEAST_GRACE_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What a person chose.

    Parameters
    ----------
    root : Path
        The checkout whose functions and models run.
    data : Path
        Folder for what the service keeps.
    fresh : bool
        Delete what an earlier run kept.
    invoke_port : int
        Port of the Lambda API; 0 for a free one.
    api_keys : tuple of str
        Keys that open the routes that are not public; none leaves all routes open.
    golden : Path or None
        Folder with the golden requests of rollouts; None for those of the checkout.

    Raises
    ------
    ServeError
        If an API key is empty or blank: whoever sends none would open every route.
    """

    root: Path
    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    invoke_port: int = 0
    fresh: bool = False
    api_keys: tuple[str, ...] = ()
    golden: Path | None = None

    def __post_init__(self) -> None:
        if not all(key.strip() for key in self.api_keys):
            message = "an API key is empty or blank; give a key with characters in it, or none to leave all routes open"
            raise ServeError(message)


class LocalService:
    """The spec, running.

    Workflow: ``await start()``, and in any case, also when that failed or was cancelled, ``await stop()``.

    Parameters
    ----------
    service : Service
        The spec.
    on_line : callable
        Called with a prefix and a line for all that the functions write.
    companions, sources : tuple
        What runs beside the functions (`cdk.local.companions`).
    """

    def __init__(
        self,
        service: Service,
        options: ServeOptions,
        on_line: Callable[[str, str], None],
        *,
        companions: tuple[Companion, ...] = (),
        sources: tuple[EventSource, ...] = (),
    ) -> None:
        self.functions = Functions()
        self.gateway = Gateway(service, self.functions, api_keys=options.api_keys)
        self._queue = EventQueue()
        self.invoke_api = InvokeApi(self.functions, self._queue)
        self._service = service
        self._options = options
        self._on_line = on_line
        self._companions = companions
        self._sources = sources
        self._data = DataFolder(options.data)
        self.rollouts = Rollouts(
            state_path=self._data.rollout_state,
            make_version=self._version,
            golden=options.golden or options.root / "functions" / "hooks" / "golden",
        )
        self.control_api = ControlApi(self.rollouts)
        self._started: list[EventSource] = []
        self._grace_ends = 0.0
        self._ended = AsyncExitStack()

    async def start(self) -> None:
        """Start everything; when this returns, the gateway answers.

        Raises
        ------
        ServeError
            If a port or the data folder cannot be used, a companion does not start, or a provisioned environment does
            not come up. (AWS would serve on and answer 502; whoever starts the service by hand wants to know.)
        RegistryError
            If a model is missing.
        """
        options = self._options
        self._data.open(fresh=options.fresh)
        self._ended.callback(self._data.close)
        self.gateway.server.bind(options.host, options.port)
        self._ended.push_async_callback(self._stop_server, self.gateway.server)
        self.invoke_api.server.bind("127.0.0.1", options.invoke_port)
        self._ended.push_async_callback(self._stop_server, self.invoke_api.server)
        self.control_api.server.bind("127.0.0.1", 0)
        self._ended.push_async_callback(self._stop_server, self.control_api.server)
        for companion in self._companions:
            self._ended.push_async_callback(companion.stop)
            await companion.start(self.invoke_api.server.url)
        self._ended.push_async_callback(self._stop_functions)
        # Only when nobody waits for the new version of a rollout any more.
        self._ended.push_async_callback(self.rollouts.stop)
        for function in self._service.functions:
            await self._start_function(function)
        self._ended.push_async_callback(self._queue.stop)
        await self.invoke_api.server.start()
        await self.gateway.server.start()
        self._ended.push_async_callback(self._stop_accepting)
        self._ended.push_async_callback(self._stop_sources)
        for source in self._sources:
            self._started.append(source)
            await source.start(self.functions)
        await self.control_api.server.start()
        self._ended.push_async_callback(self._stop_server, self.control_api.server)
        self._data.announce(
            {
                "pid": os.getpid(),
                "url": self.gateway.server.url,
                "invoke_url": self.invoke_api.server.url,
                "control_url": self.control_api.server.url,
                "control_token": self.control_api.token,
            }
        )

    async def watch(self) -> None:
        """Wait, until cancelled, for what must not happen: that a companion ends unasked.

        Raises
        ------
        ServeError
            If one has: the service cannot go on without it.
        """
        watching = [asyncio.create_task(companion.watch()) for companion in self._companions]
        try:
            await asyncio.gather(*watching, asyncio.Event().wait())
        finally:
            for task in watching:
                task.cancel()

    async def stop(self) -> None:
        """End everything that was started, in the opposite order, also if one part fails to end.

        What is under way has `GRACE_S` seconds in all, whatever holds it up; then its environments are killed. A message
        whose batch that ends goes back to its queue.
        """
        self._grace_ends = asyncio.get_running_loop().time() + GRACE_S
        await self._ended.aclose()

    def kill(self) -> None:
        """Kill every execution environment at once, without waiting."""
        for function in self.functions:
            function.kill()

    async def _start_function(self, function: Function) -> None:
        state = self.rollouts.restore(function)
        local = LocalFunction(
            function.name, lambda version: Pool(version, self._on_line), published=state.published
        )
        number, change = state.live.number, state.live.change
        try:
            await local.publish(self._version(function, number, change))
        except (InitError, RegistryError) as error:
            if isinstance(error, RegistryError) and change == Change():
                raise
            raise self._explained(error, function, change) from error
        local.point(Alias(number))
        self.functions.add(local)
        self.rollouts.add(function, local, state)
        _LOG.info("function %s is up, version %s", function.name, number)

    def _version(self, function: Function, number: str, change: Change) -> Version:
        """Make a version of a function: its code, its models, and all that the service gives it."""
        root = change.code or self._options.root
        variables = {
            "AWS_ENDPOINT_URL_LAMBDA": self.invoke_api.server.url,
            **self._service.environment(function),
            **model_variables(function, root / "model_artifacts", change.models),
            **grant_variables(function, self._service),
            **handed_on_variables(function),
        }
        for companion in self._companions:
            variables |= companion.environment(function)
        variables |= change.environment
        return make_version(function, number, root=root, variables=variables, description=change.description)

    def _explained(self, error: InitError | RegistryError, function: Function, change: Change) -> ServeError:
        """Keep what the handler printed, such as a traceback, in a file, and name it; say how a version came to be live."""
        text = str(error)
        if isinstance(error, InitError):
            path = self._data.logs / f"{function.name}-init.log"
            path.write_text("\n".join([*error.log, text, ""]), encoding="utf-8")
            text += f" (all it wrote is in {path})"
        if change != Change():
            state = self._data.rollout_state(function.name)
            text += (
                f"; a rollout made {change.description} live here: delete {state} to start with the checkout"
            )
        return ServeError(text)

    def _grace_s(self) -> float:
        """Give the seconds that are left of the grace; never 0, which aiohttp takes for no limit."""
        return max(_LEAST_GRACE_S, self._grace_ends - asyncio.get_running_loop().time())

    async def _stop_server(self, server: HttpServer) -> None:
        await server.stop(self._grace_s())

    async def _stop_sources(self) -> None:
        # All at once: none takes more work while another one ends.
        grace_s = self._grace_s()
        ended = await asyncio.gather(
            *(source.stop(grace_s) for source in self._started), return_exceptions=True
        )
        for source, error in zip(self._started, ended, strict=True):
            if isinstance(error, Exception):
                _LOG.error("%s did not end well", source.name, exc_info=error)

    async def _stop_accepting(self) -> None:
        await self._stop_server(self.gateway.server)
        await self._stop_server(self.invoke_api.server)

    async def _stop_functions(self) -> None:
        # Whoever waits for an answer has been given time by now: the servers and sources have stopped before.
        for function in self.functions:
            await function.stop()
