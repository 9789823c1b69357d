"""`trending-now serve`: the service on this machine until Ctrl-C. Owns signals and what a person sees."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cdk.cli.lines import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cdk.local.companions import Companion, EventSource
    from cdk.local.service import LocalService, ServeOptions
    from cdk.service import Service

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout; functions, layers and models lie in it."""
EXIT_FORCED: Final = 130
"""What a shell reports for a process that Ctrl-C ended."""
_EXAMPLE: Final = '{"text": "A detective hunts a killer who leaves riddles at every scene."}'


def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the API; 0 for a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[Path, typer.Option(help="Folder for what the service keeps.")] = Path(".data"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete what an earlier run kept.")] = False,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            envvar="TRENDING_NOW_API_KEYS",
            show_envvar=True,
            help="Ask for this key in x-api-key, but on public routes. Repeat it for several keys.",
        ),
    ] = None,
    invoke_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the Lambda API for boto3; 0 for a free one.")
    ] = 0,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the functions' log and metrics lines whole.")
    ] = False,
) -> None:
    """Run the whole service on this machine.

    The functions of the spec run under Lambda's own runtime client, behind a gateway that does what API Gateway does.
    Ctrl-C ends it: what is under way has five seconds to end, and a batch of messages that takes longer goes back to its
    queue. A second Ctrl-C ends it at once.
    """
    from cdk.local.service import ServeOptions  # noqa: PLC0415 -- aiohttp is only for those who serve
    from cdk.service import service  # noqa: PLC0415

    options = ServeOptions(
        root=ROOT,
        data=data,
        host=host,
        port=port,
        invoke_port=invoke_port,
        fresh=fresh,
        api_keys=tuple(api_key or ()),
    )
    asyncio.run(run(service("local"), options, write_line if verbose else write_short_line))


async def run(
    spec: Service, options: ServeOptions, on_line: Callable[[str, str], None] | None = None
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Raises
    ------
    LocalServiceError, RegistryError
        If the service cannot start, or not go on.
    """
    from cdk.local.service import GRACE_S, LocalService  # noqa: PLC0415 -- as in `serve`

    _log_to_stderr()
    beside = companions(spec, options)
    service = LocalService(
        spec, options, on_line or write_line, companions=beside, sources=sources(spec, beside)
    )
    asked_to_stop = asyncio.Event()

    def on_signal() -> None:
        if asked_to_stop.is_set():
            service.kill()
            # Nothing may hold up a forced end, not even a cleanup.
            os._exit(EXIT_FORCED)
        asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    try:
        if await _done_before(asked_to_stop, service.start()):
            announce(service, spec)
            await _done_before(asked_to_stop, service.watch())
        typer.echo(
            f"Stopping: what is under way has {GRACE_S:g} s to end; Ctrl-C again ends it at once.", err=True
        )
    finally:
        await service.stop()


async def _done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do some work until a stop is asked for; tell whether it was done by then."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        working.result()
        return True
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def companions(spec: Service, options: ServeOptions) -> tuple[Companion, ...]:
    """Give what the functions need beside them: AWS, if the spec has any data."""
    if not spec.resources:
        return ()
    from cdk.local.aws import AwsCompanion  # noqa: PLC0415 -- brings the emulator and boto3
    from cdk.local.data import DataFolder  # noqa: PLC0415
    from cdk.local.samples import SampleItems  # noqa: PLC0415 -- after AWS

    aws = AwsCompanion(spec, DataFolder(options.data).emulator, fresh=options.fresh)
    return (aws, SampleItems(aws))


def sources(spec: Service, beside: tuple[Companion, ...]) -> tuple[EventSource, ...]:
    """Give what invokes functions besides the gateway: a poller for each queue event."""
    if not beside:
        return ()
    from cdk.local.aws import AwsCompanion  # noqa: PLC0415 -- as in `companions`
    from cdk.local.pollers import queue_pollers  # noqa: PLC0415

    return tuple(
        poller
        for companion in beside
        if isinstance(companion, AwsCompanion)
        for poller in queue_pollers(spec, companion)
    )


def announce(service: LocalService, spec: Service) -> None:
    """Say on stdout where the service is and what to try."""
    url = service.gateway.server.url
    lines = [f"Trending Now is ready at {url} (Ctrl-C ends it)"]
    if any(route.path == "/classify" for function in spec.functions for route in function.routes):
        lines.append(f"  try: curl {url}/classify -H 'Content-Type: application/json' -d '{_EXAMPLE}'")
    lines.append(f"  Lambda API (boto3: endpoint_url): {service.invoke_api.server.url}")
    typer.echo("\n".join(lines))
    sys.stdout.flush()


def write_line(prefix: str, line: str) -> None:
    """Write a function's line to stderr."""
    typer.echo(f"[{prefix}] {line}", err=True)


def write_short_line(prefix: str, line: str) -> None:
    """Write what is worth reading of a function's line to stderr."""
    shown = readable(line)
    if shown is not None:
        write_line(prefix, shown)


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
