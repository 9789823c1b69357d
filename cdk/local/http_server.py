"""An HTTP/1.1 server on aiohttp's low-level one: bounded bodies, and no answer that is not ours.

Shared by `gateway` and `invoke_api`; knows neither routes nor functions.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from cdk.local.errors import PayloadTooLargeError, ServeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LOG: Final = logging.getLogger(__name__)
_KEEPALIVE_S: Final = 75.0
_BACKLOG: Final = 512


class _Connection(RequestHandler):
    """A connection whose protocol errors (no HTTP, a header too long) are answered by ``refuse``."""

    __slots__ = ("_refuse",)

    def __init__(
        self,
        manager: web.Server,
        refuse: Callable[[int, str], web.Response],
        **options: Any,  # noqa: ANN401 -- aiohttp's own
    ) -> None:
        super().__init__(manager, **options)
        self._refuse = refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            text = "the answer was under way when it failed"
            raise ConnectionError(text)
        if status >= 500:  # noqa: PLR2004 -- server errors
            _LOG.error("unexpected error while answering a request", exc_info=exc)
        response = self._refuse(status, message or "")
        response.force_close()
        return response


class _Server(web.Server):
    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        refuse: Callable[[int, str], web.Response],
    ) -> None:
        # API Gateway hands a compressed body on as it is; so does auto_decompress=False.
        super().__init__(handler, keepalive_timeout=_KEEPALIVE_S, access_log=None, auto_decompress=False)
        self._refuse = refuse

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._refuse, loop=asyncio.get_running_loop(), **self._kwargs)


class HttpServer:
    """A listening socket and the requests on it.

    Workflow: `bind` takes the port, and fails if it is taken; `start` begins to accept; `stop` lets running requests
    end.

    Parameters
    ----------
    handler : callable
        Answers a request.
    refuse : callable
        Makes the answer to what is no request, from a status and a reason.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        refuse: Callable[[int, str], web.Response],
    ) -> None:
        self._handler = handler
        self._refuse = refuse
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._web: _Server | None = None
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        """Where it can be called."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def bind(self, host: str, port: int) -> None:
        """Take the port; 0 takes a free one.

        Raises
        ------
        ServeError
            If the port is taken, or the address is not one of this machine.
        """
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = socket.socket(family, kind, protocol)
        except (OSError, OverflowError) as error:
            message = f"cannot listen on {host} port {port}: {error}"
            raise ServeError(message) from error
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # Only listen() finds out about another process on Linux when both asked for address reuse.
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                message = f"port {port} on {host} is already in use; choose another with --port, or 0 for a free one"
            else:
                message = f"cannot listen on {host} port {port}: {error.strerror}"
            raise ServeError(message) from error
        listener.setblocking(False)  # noqa: FBT003 -- the socket module's signature
        self._socket = listener
        self.host, self.port = listener.getsockname()[:2]

    async def start(self) -> None:
        """Begin to accept connections; the port is bound by now."""
        if self._socket is None:
            message = "the server has no port yet"
            raise ServeError(message)
        self._web = _Server(self._handler, self._refuse)
        self._server = await asyncio.get_running_loop().create_server(
            self._web, sock=self._socket, backlog=_BACKLOG
        )

    async def stop(self, timeout_s: float) -> None:
        """Accept nothing more, give running requests ``timeout_s`` seconds, close every connection."""
        if self._server is not None:
            self._server.close()
        if self._web is not None:
            self._web.pre_shutdown()
            await self._web.shutdown(timeout_s)
        elif self._socket is not None:
            self._socket.close()


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes.

    Raises
    ------
    PayloadTooLargeError
        If it is longer; a length announced as longer is refused before anything is read.
    """
    message = f"the body exceeds {limit} bytes"
    if (request.content_length or 0) > limit:
        raise PayloadTooLargeError(message)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > limit:
            raise PayloadTooLargeError(message)
        parts.append(part)
    return b"".join(parts)
