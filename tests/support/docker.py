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
PLATFORM: Final = "--platform=linux/amd64"
"""What the functions run on, whatever this machine is."""
HARDENED: Final = (
    "--read-only",
    "--tmpfs=/tmp",
    f"--user={UNPRIVILEGED}",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
"""As strictly as on Lambda, and more strictly than Docker's default."""
_DAEMON_S: Final = 20.0
_WORDS: Final = 300


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
    if not answers():
        return f"no Docker daemon answers '{command()} info' within {_DAEMON_S:.0f} s"
    return None


def answers(timeout: float | None = None) -> bool:
    """Tell whether a daemon answers within so many seconds, by default as many as a busy machine may take."""
    asked = [command(), "info", "--format", "{{.ServerVersion}}"]
    try:
        found = subprocess.run(
            asked, capture_output=True, text=True, timeout=timeout or _DAEMON_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # Without a daemon some versions print an empty line and end with 0.
    return found.returncode == 0 and bool(found.stdout.strip())


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


def last_words(text: str) -> str:
    """Give the end of what a command said, in one line and without its full stop."""
    said = " ".join(text.split()).rstrip(".")
    return said if len(said) <= _WORDS else f"...{said[-_WORDS:]}"


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

    It runs `HARDENED`: a read-only file system but for ``/tmp``, an unprivileged user, no capabilities.

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
            *HARDENED,
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
