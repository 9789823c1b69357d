"""The whole service on this machine: in which order its parts start, and that all of them end.

Data folder, ports, companions, functions, Invoke API, gateway, event sources; they end in the opposite order. Must not
know about signals or terminals; `cdk.cli.serve` does.
"""

from __future__ import annotations

import logging
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdk.local.data import DataFolder
from cdk.local.errors import InitError, ServeError
from cdk.local.event_queue import EventQueue
from cdk.local.function import Alias, Functions, LocalFunction
from cdk.local.gateway import Gateway
from cdk.local.invoke_api import InvokeApi
from cdk.local.pool import Pool
from cdk.local.versions import grant_variables, handed_on_variables, make_version, model_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cdk.local.companions import Companion, EventSource
    from cdk.service import Function, Service

_LOG: Final = logging.getLogger(__name__)
GRACE_S: Final = 5.0
"""How long requests that are under way may take to end when the service stops."""


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
    """

    root: Path
    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    invoke_port: int = 0
    fresh: bool = False
    api_keys: tuple[str, ...] = ()


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
        self._ended.push_async_callback(self.gateway.server.stop, GRACE_S)
        self.invoke_api.server.bind("127.0.0.1", options.invoke_port)
        self._ended.push_async_callback(self.invoke_api.server.stop, GRACE_S)
        for companion in self._companions:
            self._ended.push_async_callback(companion.stop)
            await companion.start()
        self._ended.push_async_callback(self._stop_functions)
        for function in self._service.functions:
            await self._start_function(function)
        self._ended.push_async_callback(self._queue.stop)
        await self.invoke_api.server.start()
        await self.gateway.server.start()
        self._ended.push_async_callback(self._stop_accepting)
        for source in self._sources:
            self._ended.push_async_callback(source.stop)
            await source.start(self.functions)
        self._data.announce(
            {"pid": os.getpid(), "url": self.gateway.server.url, "invoke_url": self.invoke_api.server.url}
        )

    async def stop(self) -> None:
        """End everything that was started, in the opposite order, also if one part fails to end."""
        await self._ended.aclose()

    def kill(self) -> None:
        """Kill every execution environment at once, without waiting."""
        for function in self.functions:
            function.kill()

    async def _start_function(self, function: Function) -> None:
        local = LocalFunction(function.name, lambda version: Pool(version, self._on_line))
        variables = {
            "AWS_ENDPOINT_URL_LAMBDA": self.invoke_api.server.url,
            **model_variables(function, self._options.root / "model_artifacts"),
            **grant_variables(function, self._service),
            **handed_on_variables(function),
        }
        for companion in self._companions:
            variables |= companion.environment(function)
        version = make_version(function, local.next_number(), root=self._options.root, variables=variables)
        try:
            await local.publish(version)
        except InitError as error:
            raise self._explained(error, function) from error
        local.point(Alias(version.number))
        self.functions.add(local)
        _LOG.info("function %s is up, version %s", function.name, version.number)

    def _explained(self, error: InitError, function: Function) -> ServeError:
        """Keep what the handler printed, such as a traceback, in a file, and name it."""
        path = self._data.logs / f"{function.name}-init.log"
        path.write_text("\n".join([*error.log, str(error), ""]), encoding="utf-8")
        return ServeError(f"{error} (all it wrote is in {path})")

    async def _stop_accepting(self) -> None:
        await self.gateway.server.stop(GRACE_S)
        await self.invoke_api.server.stop(GRACE_S)

    async def _stop_functions(self) -> None:
        # Whoever waits for an answer has been given time by now: the servers and sources have stopped before.
        for function in self.functions:
            await function.stop()
