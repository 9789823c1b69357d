"""A server that cannot have its port says so in a sentence; one that never began lets go of it."""

from __future__ import annotations

import socket

import pytest
from aiohttp import web

from cdk.local.errors import ServeError
from cdk.local.http_server import HttpServer
from tests.support.local import asynchronous


async def nothing(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response()


def a_server() -> HttpServer:
    return HttpServer(nothing, lambda status, reason: web.Response(status=status, text=reason))


def test_an_address_of_another_machine_is_named() -> None:
    # RFC 5737: an address for documents, which no machine has.
    with pytest.raises(ServeError, match=r"^cannot listen on 192\.0\.2\.1 port 0: "):
        a_server().bind("192.0.2.1", 0)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServeError, match=f"^port {port} on 127.0.0.1 is already in use; "):
            a_server().bind("127.0.0.1", port)


@asynchronous
async def test_it_cannot_start_before_it_has_a_port() -> None:
    with pytest.raises(ServeError, match="no port yet"):
        await a_server().start()


@asynchronous
async def test_a_server_that_never_started_gives_its_port_back() -> None:
    server = a_server()
    server.bind("127.0.0.1", 0)
    await server.stop(timeout_s=1)
    with socket.create_server(("127.0.0.1", server.port)):
        pass
