"""The Lambda Runtime API (2018-06-01) for one execution environment, on a loopback port of its own.

Owns the protocol with the runtime client: hand out the next event, take the response or the error, once each. Must not
know about processes, timeouts or versions; `environment` does.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from cdk.local.errors import EnvironmentGoneError
from cdk.local.invocation import RESPONSE_TOO_LARGE, Invocation, error_payload
from cdk.service import LAMBDA_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX: Final = "/2018-06-01/runtime/"
_RESULT: Final = re.compile(r"^invocation/(?P<id>[^/]+)/(?P<kind>response|error)$")
_ERROR_TYPE_HEADER: Final = "Lambda-Runtime-Function-Error-Type"
_NO_KEEPALIVE_LIMIT_S: Final = 24 * 3600.0
"""The runtime client keeps its connection between invocations, however far apart they are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the runtime client reported for an invocation, or for the init: a payload, or an error with its type."""

    payload: bytes
    error_type: str | None = None


class RuntimeApi:
    """One environment's Runtime API server.

    Workflow: `start`; the runtime client asks for its first event, which calls ``on_ready``, or reports a failed init,
    which resolves `init_error`; then `dispatch` an event, await the future it gives, and wait for the next
    ``on_ready``. One invocation at a time.

    Parameters
    ----------
    on_ready : callable
        Called each time the runtime client asks for an event.
    """

    def __init__(self, on_ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.init_error: asyncio.Future[Outcome] = loop.create_future()
        self.address = ""
        self._on_ready = on_ready
        self._polled: web.BaseRequest | None = None
        self._event: asyncio.Future[web.Response] | None = None
        self._current: tuple[str, asyncio.Future[Outcome]] | None = None
        self._web = web.Server(self._handle, keepalive_timeout=_NO_KEEPALIVE_LIMIT_S, access_log=None)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free loopback port; `address` is then ``host:port``."""
        # In two steps: a `create_server` that is cancelled while it begins to serve would lose its socket.
        self._server = await asyncio.get_running_loop().create_server(
            self._web, "127.0.0.1", 0, start_serving=False
        )
        await self._server.start_serving()
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._event is not None and not self._event.done():
            self._event.set_result(web.Response(status=410))
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await self._web.shutdown(timeout=0.1)
            await server.wait_closed()

    def dispatch(self, invocation: Invocation, deadline_ms: int) -> asyncio.Future[Outcome]:
        """Hand an event to the waiting runtime client; the future gives what it answers.

        Parameters
        ----------
        deadline_ms : int
            When the invocation times out, in ms since the epoch.

        Raises
        ------
        EnvironmentGoneError
            If the client is no longer connected; the event was not handed out.
        """
        polled, event = self._polled, self._event
        if (
            polled is None
            or event is None
            or event.done()
            or polled.transport is None
            or polled.transport.is_closing()
        ):
            message = "the execution environment has ended"
            raise EnvironmentGoneError(message)
        self._polled = self._event = None
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._current = (invocation.request_id, outcome)
        event.set_result(web.Response(body=invocation.payload, headers=headers))
        return outcome

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix(_PREFIX) if request.path.startswith(_PREFIX) else ""
        if request.method == "GET" and path == "invocation/next":
            return await self._next(request)
        if request.method == "POST" and path == "init/error":
            return await self._init_error(request)
        if request.method == "POST" and (match := _RESULT.match(path)):
            return await self._result(request, match["id"], is_error=match["kind"] == "error")
        return _refusal(404, "InvalidPath", f"{request.method} {request.path} is not part of the Runtime API")

    async def _next(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._event is not None or self._current is not None:
            return _refusal(
                403, "InvalidStateTransition", "an invocation is already waited for or not yet answered"
            )
        self._polled = request
        self._event = asyncio.get_running_loop().create_future()
        event = self._event
        self._on_ready()
        return await event

    async def _init_error(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await _read(request, LAMBDA_PAYLOAD_BYTES)
        if not self.init_error.done():
            self.init_error.set_result(_error_outcome(request, body or b""))
        return _accepted()

    async def _result(
        self, request: web.BaseRequest, request_id: str, *, is_error: bool
    ) -> web.StreamResponse:
        body = await _read(request, LAMBDA_PAYLOAD_BYTES)
        if self._current is None or self._current[0] != request_id:
            return _refusal(400, "InvalidRequestID", f"invocation {request_id} is not running here")
        outcome = self._current[1]
        self._current = None
        if body is None:
            size = request.content_length or LAMBDA_PAYLOAD_BYTES + 1
            message = (
                f"Response payload size ({size} bytes) exceeded maximum allowed payload size "
                f"({LAMBDA_PAYLOAD_BYTES} bytes)."
            )
            _resolve(outcome, Outcome(error_payload(RESPONSE_TOO_LARGE, message), RESPONSE_TOO_LARGE))
            return _refusal(413, "RequestEntityTooLarge", message)
        _resolve(outcome, _error_outcome(request, body) if is_error else Outcome(body))
        return _accepted()


def _resolve(outcome: asyncio.Future[Outcome], value: Outcome) -> None:
    # The waiter may have given up (timeout) just before.
    if not outcome.done():
        outcome.set_result(value)


def _error_outcome(request: web.BaseRequest, body: bytes) -> Outcome:
    """Read an error report; its type stands in the body, or in a header where the body is not as documented."""
    fallback = request.headers.get(_ERROR_TYPE_HEADER, "Runtime.UnknownReason")
    try:
        reported = json.loads(body)
    except ValueError:
        return Outcome(error_payload(fallback, "the runtime client reported no reason"), fallback)
    kind = reported.get("errorType") if isinstance(reported, dict) else None
    return Outcome(body, str(kind or fallback))


async def _read(request: web.BaseRequest, limit: int) -> bytes | None:
    """Read a body of at most ``limit`` bytes; None if it is longer, and then nothing of it is kept."""
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
    return b"".join(parts) if size <= limit else None


def _accepted() -> web.Response:
    return web.json_response({"status": "OK"}, status=202)


def _refusal(status: int, kind: str, message: str) -> web.Response:
    return web.json_response({"errorType": kind, "errorMessage": message}, status=status)
