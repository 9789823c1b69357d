"""Docker's command line for tests, and a function's image running under the Runtime Interface Emulator.

The command is ``docker`` or what ``DOCKER`` names. Must not know the service: which images there are is `tests.support.stack`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


INVOKE_PATH: Final = "/2015-03-31/functions/function/invocations"
READY_S: Final = 60.0
UNPRIVILEGED: Final = "65534:65534"
_DAEMON_S: Final = 20


def command() -> str:
    """Name of the command line; another one than ``docker`` where it lacks BuildKit."""
    return os.environ.get("DOCKER") or "docker"


def base_image() -> str | None:
    """What images are built on; None keeps everything that needs Docker from running."""
    return os.environ.get("BASE_IMAGE") or None


def unavailable() -> str | None:
    """Say in one sentence why images cannot be built here, or give None."""
    if not base_image():
        return "BASE_IMAGE names no Lambda base image; `make e2e` sets it"
    if shutil.which(command()) is None:
        return f"there is no {command()} on this machine"
    try:
        found = subprocess.run(
            [command(), "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=_DAEMON_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the Docker daemon does not answer within {_DAEMON_S} s"
    if found.returncode or not found.stdout.strip():
        return f"the Docker daemon does not answer: {found.stderr.strip().splitlines()[-1:]}"
    return None


def docker(*arguments: str, timeout: float = 600) -> str:
    """Run one Docker command and give what it prints; its error text is in the exception."""
    done = subprocess.run(
        [command(), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
    )
    if done.returncode:
        message = f"docker {arguments[0]} ended with status {done.returncode}: {done.stderr.strip()[-2000:]}"
        raise RuntimeError(message)
    return done.stdout


def has_image(name: str) -> bool:
    """Tell whether the daemon holds this image."""
    done = subprocess.run([command(), "image", "inspect", name], capture_output=True, check=False)
    return done.returncode == 0


def inspect(name: str) -> dict[str, Any]:
    """Give what Docker knows of an image."""
    found: dict[str, Any] = json.loads(docker("image", "inspect", name))[0]
    return found


def shell(image: str, script: str) -> str:
    """Run a shell script in an image, without network."""
    return docker("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", image, "-c", script)


def python(image: str, code: str, variables: Mapping[str, str] | None = None) -> str:
    """Run Python code in an image as its function would: read-only, unprivileged, but without network."""
    pairs = [f"--env={name}={value}" for name, value in (variables or {}).items()]
    hardened = ["--read-only", "--user", UNPRIVILEGED, "--network", "none"]
    return docker("run", "--rm", *hardened, *pairs, "--entrypoint", "python3", image, "-c", code)


class Container:
    """A function's image under the Runtime Interface Emulator; one request at a time, or the emulator dies.

    It runs as strictly as on Lambda and stricter than Docker's default: a read-only file system but for ``/tmp``,
    an unprivileged user, no capabilities.

    Parameters
    ----------
    image : str
    command : sequence of str
        The handler, where it is not the image's own.
    variables : mapping
        The function's environment.
    memory_mb : int
        The function's memory setting, enforced.
    """

    def __init__(
        self, image: str, *, command: Sequence[str] = (), variables: Mapping[str, str], memory_mb: int
    ) -> None:
        pairs = [f"--env={name}={value}" for name, value in variables.items()]
        self.id = docker(
            "run",
            "--detach",
            "--read-only",
            "--tmpfs=/tmp",
            f"--user={UNPRIVILEGED}",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            f"--memory={memory_mb}m",
            "--publish=127.0.0.1::8080",
            *pairs,
            image,
            *command,
        ).strip()
        self._port = int(docker("port", self.id, "8080/tcp").strip().rsplit(":", 1)[1])

    def invoke(self, event: Mapping[str, Any], *, timeout: float = 60) -> dict[str, Any]:
        """Send one event and give what the handler returned; a failed invocation is in ``errorMessage``."""
        deadline = time.monotonic() + READY_S
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
            try:
                connection.request("POST", INVOKE_PATH, body=json.dumps(event))
                answer: dict[str, Any] = json.loads(connection.getresponse().read())
            except (http.client.RemoteDisconnected, ConnectionError):
                # The port is published before the emulator listens behind it.
                if time.monotonic() > deadline or not self.running():
                    raise RuntimeError(self.logs()) from None
                time.sleep(0.01)
            else:
                return answer
            finally:
                connection.close()

    def running(self) -> bool:
        """Tell whether the container still runs."""
        return docker("inspect", "--format", "{{.State.Running}}", self.id).strip() == "true"

    def logs(self) -> str:
        """Give what the function wrote."""
        done = subprocess.run([command(), "logs", self.id], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        docker("rm", "--force", self.id)
