"""The README, word for word: every shell block is run against a service that `make serve` started.

A block that is too long or needs an account names the test that runs it instead, in a comment above it; that file
must exist. Answers that the README prints are held against the real ones.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.local import PATIENCE_S, eventually
from tests.support.readme import Command, agrees, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = commands(ROOT / "README.md")
HERE = [command for command in README if not command.elsewhere]
READY = re.compile(r"is ready at http://127\.0\.0\.1:(\d+) ")
TOLERANCE = 0.03
"""Probabilities: processors round the float parts of an INT8 network differently."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Start the service as the README says, in a checkout whose environment is ready; give port and data folder."""
    log = tmp_path_factory.mktemp("serve") / "log"
    data = tmp_path_factory.mktemp("data")
    # `make` must not install again what runs this very test.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            ["make", "serve", "PORT=0", f"DATA={data}"],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            env=environment,
            start_new_session=True,
        )
    try:
        assert eventually(lambda: READY.search(log.read_text()) is not None or process.poll() is not None)
        found = READY.search(log.read_text())
        assert found, log.read_text()
        yield int(found[1]), data
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        status = process.wait(timeout=PATIENCE_S)
    # The service ends with 0; make, which the same Ctrl-C meets, ends itself by the signal afterwards.
    assert status in {0, -signal.SIGINT}, log.read_text()
    assert "Stopping" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_readme_has_commands_to_run() -> None:
    assert any("make serve" in command.text for command in README)
    assert any("make test" in command.text for command in README)
    assert any("/classify" in command.text and command.answer for command in HERE)


@pytest.mark.parametrize("command", [c for c in README if c.elsewhere], ids=lambda c: f"line-{c.line}")
def test_what_is_not_run_here_is_run_elsewhere(command: Command) -> None:
    assert (ROOT / command.elsewhere).is_file()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's commands use curl")
@pytest.mark.parametrize("command", HERE, ids=lambda c: f"line-{c.line}")
def test_a_command_of_the_readme_does_what_it_says(
    command: Command, place: tuple[int, Path], tmp_path: Path
) -> None:
    port, data = place
    text = command.text.replace("localhost:8080", f"127.0.0.1:{port}")
    # A file of that name may belong to somebody else on this machine.
    text = text.replace("/tmp/", f"{data.parent}/")  # noqa: S108
    text = re.sub(r"(trending-now (?:upload|rollout \w+))", rf"\1 --data {data}", text)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OUT": str(tmp_path),
    }

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text.replace(".venv/bin/", "")],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    if command.answer is not None:
        assert agrees(command.answer, json.loads(done.stdout), tolerance=TOLERANCE), done.stdout


@pytest.mark.slow
def test_the_page_the_readme_names_is_there(place: tuple[int, Path]) -> None:
    port, _ = place
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/docs", timeout=PATIENCE_S) as answer:
        assert answer.status == 200
        assert b"swagger" in answer.read().lower()


@pytest.mark.slow
def test_an_unknown_path_is_a_problem(place: tuple[int, Path]) -> None:
    port, _ = place
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/nowhere", timeout=PATIENCE_S)
    with caught.value as answer:
        assert answer.code == 404
        assert answer.headers["Content-Type"].startswith("application/problem+json")
