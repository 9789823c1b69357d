"""Whether a Docker that answers can do what the tests need: build, install packages, run hardened containers, reach this machine.

A daemon may answer and still be good for none of it, on a machine without cgroups, without a firewall it may change, or behind
``DOCKER_HOST``. Each check says its reason, so that a failing test is about the tested thing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Final

from tests.support import docker, stack
from tests.support.daemon import DockerUnavailableError

LIMIT_S: Final = 60.0
_BUILD: Final = """
FROM {base}
RUN python3 -m pip download --quiet --no-cache-dir --no-deps --retries 1 --timeout 15 --dest /tmp/probe six
"""
_CONNECT: Final = "import socket; socket.create_connection(({host!r}, {port}), 10).close()"


def check(base: str) -> None:
    """Build one step on the base image, and run it as strictly as the tests do.

    Raises
    ------
    DockerUnavailableError
        If something cannot be done here; it says what.
    """
    _builds(base)
    _runs(base)


def _builds(base: str) -> None:
    _try(
        "images cannot be built here with packages from the index",
        ["build", "--no-cache", "--quiet", docker.PLATFORM, "-"],
        given=_BUILD.format(base=base),
    )


def _runs(base: str) -> None:
    try:
        host = stack.bridge()
        listener = socket.create_server((host, 0))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        message = (
            f"Docker's bridge is not on this machine, so containers cannot reach the emulated AWS ({error})"
        )
        raise DockerUnavailableError(message) from error
    with listener:
        seen = host if sys.platform == "linux" else "host.docker.internal"
        code = _CONNECT.format(host=seen, port=listener.getsockname()[1])
        _try(
            "containers cannot be run here as strictly as on Lambda, or cannot reach this machine",
            [
                "run",
                "--rm",
                docker.PLATFORM,
                *docker.HARDENED,
                "--memory=128m",
                "--publish=127.0.0.1::8080",
                "--entrypoint=python3",
                base,
                "-c",
                code,
            ],
        )


def _try(otherwise: str, arguments: list[str], *, given: str = "") -> None:
    try:
        done = subprocess.run(
            [docker.command(), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
        )
    except subprocess.TimeoutExpired:
        message = f"{otherwise} (no end within {LIMIT_S:.0f} s)"
        raise DockerUnavailableError(message) from None
    if done.returncode:
        message = f"{otherwise} ({docker.last_words(done.stderr) or f'status {done.returncode}'})"
        raise DockerUnavailableError(message)
