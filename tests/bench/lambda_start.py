"""One cold start as Lambda sees it: a fresh process under the real runtime client, timed at its Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import http.server
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIMIT_S: Final = 120
_REQUEST_ID: Final = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True)
class Start:
    """Times of one cold start, in ms since the process was started.

    Attributes
    ----------
    init_ms : float
        Until the runtime client asks for its first event: interpreter, imports, model.
    answer_ms : float
        Until the answer to that event has arrived.
    cpu_ms : float
        Processor time of all that, which other work on the machine does not lengthen as it does the others.
    """

    init_ms: float
    answer_ms: float
    cpu_ms: float


class _Api(http.server.ThreadingHTTPServer):
    def __init__(self, event: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.event = event
        self.asked = self.answered = 0.0
        self.answer = b""
        self.failed = ""
        self.done = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the process is killed while it waits for its next event."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Api

    def do_GET(self) -> None:
        if self.server.asked:
            self.server.done.wait(LIMIT_S)  # the next event, which never comes
            self.close_connection = True
            return
        self.server.asked = time.perf_counter()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", _REQUEST_ID)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 20_000))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f"
        )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.event)))
        self.end_headers()
        self.wfile.write(self.server.event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answered = time.perf_counter()
        if self.path.endswith("/response"):
            self.server.answer = body
        else:
            self.server.failed = body.decode(errors="replace")
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.done.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        pass


def cold_start(
    handler: str, event: Mapping[str, Any], environment: Mapping[str, str], folder: Path
) -> tuple[Start, dict[str, Any]]:
    """Start a function's process, send it one event, stop it; give the times and what it answered.

    Raises
    ------
    SystemExit
        If it fails or does not answer within `LIMIT_S`; the message holds what it printed.
    """
    api = _Api(json.dumps(event).encode())
    threading.Thread(target=api.serve_forever, daemon=True).start()
    given = {**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}", "_HANDLER": handler}
    with tempfile.TemporaryFile() as log:
        spent = _children_s()
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler], env=given, cwd=folder, stdout=log, stderr=log
        )
        try:
            deadline = started + LIMIT_S
            while not api.done.wait(0.05) and process.poll() is None and time.perf_counter() < deadline:
                pass
        finally:
            process.kill()
            process.wait()
            api.shutdown()
            api.server_close()
        log.seek(0)
        if not api.answer:
            message = f"{handler} did not answer: {api.failed or log.read().decode(errors='replace')[-2000:]}"
            raise SystemExit(message)
    answer: dict[str, Any] = json.loads(api.answer)
    times = (api.asked - started, api.answered - started, _children_s() - spent)
    return Start(*(seconds * 1000 for seconds in times)), answer


def _children_s() -> float:
    """Give the processor time of all processes that were started and waited for, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
