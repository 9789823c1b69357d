"""The real command in a process of its own: it comes up, ends by a signal, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.local import PATIENCE_S, ROOT, alive, eventually
from tests.support.stores import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PROGRAM = """
from cdk import service
from cdk.cli import main
from tests.support.local import a_function, a_service
service.service = lambda stage: a_service(a_function({handler!r}))
main.app(prog_name="trending-now")
"""
WITH_QUEUE = """
from cdk import service
from cdk.cli import main
from cdk.service import Queue, QueueEvent
from tests.support.local import a_function, a_service
worker = a_function({handler!r}, routes=(), timeout_s=900, events=(QueueEvent(queue="jobs"),))
service.service = lambda stage: a_service(worker, queues=(Queue(name="jobs", visibility_s=5_400),))
main.app(prog_name="trending-now")
"""


@contextmanager
def command(
    tmp_path: Path, *arguments: str, handler: str = "echo.proxy", code: str = PROGRAM
) -> Iterator[subprocess.Popen[str]]:
    """Run the command with a spec of one tiny handler."""
    program = tmp_path / "program.py"
    program.write_text(code.format(handler=handler), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, program, "serve", "--data", tmp_path / "data", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"ready at (http://\S+)", line)
    assert found, line
    return found[1]


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return
    pytest.fail(f"the command never said {word!r}")


def family(process: subprocess.Popen[str]) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with command(tmp_path, "--port", "0") as process:
        url = url_of(process)
        assert httpx.get(f"{url}/echo", timeout=PATIENCE_S).status_code == 200
        record = json.loads((tmp_path / "data/service.json").read_text())
        assert (record["pid"], record["url"]) == (process.pid, url)
        children = family(process)
        assert children
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert not [pid for pid in children if alive(pid)]
        assert not (tmp_path / "data/service.json").exists()


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    # With so much grace the first one alone would end nothing.
    code = "import cdk.local.service\ncdk.local.service.GRACE_S = 600.0\n" + PROGRAM
    with command(tmp_path, "--port", "0", code=code) as process:
        address = urlsplit(url_of(process))
        children = family(process)
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(b"GET /echo?do=sleep&seconds=600 HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(process, "sleeping")
            process.send_signal(signal.SIGINT)
            read_until(process, "Stopping")
            process.send_signal(signal.SIGINT)
            process.wait(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert eventually(lambda: not [pid for pid in children if alive(pid)])


def test_ctrl_c_does_not_wait_for_a_batch_and_its_message_comes_again(tmp_path: Path) -> None:
    def serving() -> AbstractContextManager[subprocess.Popen[str]]:
        return command(tmp_path, "--port", "0", handler="queue_worker.handler", code=WITH_QUEUE)

    with serving() as process:
        url_of(process)
        place = json.loads((tmp_path / "data/aws/place.json").read_text(encoding="utf-8"))
        sqs = session().client("sqs", endpoint_url=place["endpoint_url"])
        sqs.send_message(QueueUrl=place["names"]["jobs"], MessageBody="one")
        sqs.close()
        read_until(process, "working on delivery 1")
        children = family(process)
        process.send_signal(signal.SIGINT)
        # The handler works for ten minutes.
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "a batch of 1 that is not done goes back to the queue" in errors
        assert "Traceback" not in errors
        assert not [pid for pid in children if alive(pid)]
    with serving() as process:
        # At once, not after the queue's visibility timeout of an hour and a half.
        read_until(process, "working on delivery 2")


def test_the_service_ends_with_its_emulator_and_says_so(tmp_path: Path) -> None:
    with command(tmp_path, "--port", "0", handler="queue_worker.handler", code=WITH_QUEUE) as process:
        url_of(process)
        children = family(process)
        (emulator,) = (pid for pid in children if "cdk.local.emulator_child" in psutil.Process(pid).cmdline())
        os.kill(emulator, signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        sentence = "the AWS emulator ended unasked with status -9"
        assert errors.count(f"ERROR {sentence}") == 1
        assert errors.splitlines()[-1].startswith(f"trending-now: {sentence}")
        assert "Traceback" not in errors
        assert not [pid for pid in children if alive(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the children on Linux only")
def test_sigkill_leaves_no_orphan(tmp_path: Path) -> None:
    with command(tmp_path, "--port", "0") as process:
        url_of(process)
        children = family(process)
        assert children
        process.kill()
        process.wait()
        assert eventually(lambda: not [pid for pid in children if alive(pid)])


def test_ctrl_c_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    with command(tmp_path, "--port", "0", handler="slow_start.handler") as process:
        assert eventually(lambda: bool(family(process)))
        children = family(process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, output) == (0, "")
        assert "Traceback" not in errors
        assert not [pid for pid in children if alive(pid)]


def fails_with(tmp_path: Path, *arguments: str, handler: str = "echo.proxy") -> str:
    """Run the command until it fails, and give its last line; nothing else may be said but log lines."""
    with command(tmp_path, *arguments, handler=handler) as process:
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert output == ""
    assert "Traceback" not in errors
    return errors.strip().splitlines()[-1]


def test_busy_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = fails_with(tmp_path, "--port", str(port))
    assert sentence == (
        f"trending-now: port {port} on 127.0.0.1 is already in use; choose another with --port, or 0 for a free one"
    )


@pytest.mark.parametrize("key", ["", " "])
def test_a_blank_key_is_refused(tmp_path: Path, key: str) -> None:
    sentence = fails_with(tmp_path, "--port", "0", "--api-key", key)
    assert sentence.startswith("trending-now: an API key is empty or blank")


def test_data_folder_in_use(tmp_path: Path) -> None:
    with command(tmp_path, "--port", "0") as process:
        url_of(process)
        sentence = fails_with(tmp_path, "--port", "0")
    assert sentence.startswith("trending-now: data folder ")
    assert "is used by another running service" in sentence


def test_handler_that_fails_at_init(tmp_path: Path) -> None:
    sentence = fails_with(tmp_path, "--port", "0", handler="bad_init.handler")
    log = tmp_path / "data/logs/echo-init.log"
    assert sentence == (
        "trending-now: function echo:1 failed to initialise: RuntimeError: model folder /opt/models/x is missing "
        f"(all it wrote is in {log})"
    )
    assert "Traceback" in log.read_text()
