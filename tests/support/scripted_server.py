"""An HTTP server that does what it is told, request by request: the misbehaviour that `llmock` cannot show."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Step = Callable[["Exchange"], None]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Script:
    """What happens to each request, in order; the last step repeats."""

    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class Exchange(BaseHTTPRequestHandler):
    """One connection; a step writes to it."""

    protocol_version = "HTTP/1.1"
    script: Script

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        script = self.script
        step = script.steps[min(len(script.seen), len(script.steps) - 1)]
        script.seen.append(Seen(self.path, dict(self.headers), body))
        step(self)

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Write nothing."""


class ScriptedServer:
    """The server in a thread, for a ``with`` block."""

    def __init__(self, *steps: Step) -> None:
        self.script = Script(list(steps))
        handler = type("BoundExchange", (Exchange,), {"script": self.script})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def seen(self) -> list[Seen]:
        return self.script.seen

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.script.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def says(text: str, *, finish: str | int = "STOP", tokens: tuple[int, int, int] = (100, 20, 120)) -> Step:
    """Answer as Gemini does, with this text."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish, "index": 0}
    return gives({"candidates": [candidate], "usageMetadata": _usage(tokens)})


def gives(body: Mapping[str, Any]) -> Step:
    """Answer 200 with this JSON."""
    return lambda exchange: exchange.answer(200, json.dumps(body).encode())


def _usage(tokens: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip(("promptTokenCount", "candidatesTokenCount", "totalTokenCount"), tokens, strict=True))


def fails(
    status: int,
    *,
    headers: Mapping[str, str] | None = None,
    details: list[dict[str, Any]] | None = None,
    message: str = "no",
) -> Step:
    """Answer with one of Google's errors."""
    error = {"error": {"code": status, "message": message, "status": "UNAVAILABLE", "details": details or []}}
    return lambda exchange: exchange.answer(status, json.dumps(error).encode(), headers)


def raw(body: bytes, *, status: int = 200) -> Step:
    """Answer with exactly these bytes."""
    return lambda exchange: exchange.answer(status, body)


def redirects(address: str, *, status: int = 307) -> Step:
    """Name another address, to which the same request should be sent."""
    return lambda exchange: exchange.answer(status, b"", {"Location": address})


def hangs(exchange: Exchange) -> None:
    """Say nothing until the test is over."""
    exchange.script.over.wait(240)
    exchange.close_connection = True


def drops(exchange: Exchange) -> None:
    """Close the connection without an answer."""
    exchange.close_connection = True


def breaks_off(exchange: Exchange) -> None:
    """Promise a thousand bytes, send ten, and close."""
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000")
    exchange.end_headers()
    exchange.wfile.write(b'{"candidat')
    exchange.close_connection = True


def trickles(exchange: Exchange) -> None:
    """Send one byte at a time, each sooner than a socket's timeout, until the test is over."""
    exchange.send_response(200)
    exchange.send_header("Content-Length", "100000")
    exchange.end_headers()
    while not exchange.script.over.wait(0.02):
        try:
            exchange.wfile.write(b" ")
            exchange.wfile.flush()
        except OSError:
            break
    exchange.close_connection = True
