"""A Docker daemon for the length of a run: the one that answers, or one that is started here and stopped at the end.

A daemon that is started here keeps what it holds in a folder of its own, listens on a socket of its own, and is told so
to every child by ``DOCKER_HOST``. Docker itself is not installed here. Must not know: what the daemon is used for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support import docker

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S: Final = 25.0
"""Seconds a daemon has to answer, for each storage driver."""
STOP_S: Final = 60.0
DRIVERS: Final = ("overlay2", "vfs")
"""vfs works on every file system, but copies the whole image for each layer."""
VFS_BYTES: Final = 30_000_000_000
"""What three images, their base and their intermediate stages need at most under vfs."""
SETTINGS: Final = Path("/etc/docker/daemon.json")
PIDFILE: Final = Path("/var/run/docker.pid")
_OWN_SETTINGS: Final = {"hosts", "data-root", "exec-root", "pidfile", "storage-driver", "storage-opts"}
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_GAVE_UP: Final = "failed to start daemon: "
_TAIL_BYTES: Final = 8_000
_WORDS: Final = 400
_PROBE_S: Final = 10.0
_POLL_S: Final = 0.1


class DockerUnavailableError(Exception):
    """Docker cannot be used here; the message is the reason, in one sentence without its full stop."""


@contextmanager
def running(home: Path, *, start_s: float = START_S) -> Iterator[str]:
    """Use the daemon that answers, or start one with its data in ``home`` and stop it afterwards.

    Yields
    ------
    str
        Which daemon it is, in words.

    Raises
    ------
    DockerUnavailableError
        If none answers and none can be started; after twice ``start_s`` at the latest.
    """
    if docker.answers():
        yield "the daemon that runs here"
        return
    program = _startable()
    with tempfile.TemporaryDirectory(prefix="docker-", ignore_cleanup_errors=True) as folder:
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
        try:
            process, driver = _start(program, home, Path(folder), start_s)
            try:
                yield f"a daemon of its own ({driver}, data in {home})"
            finally:
                _stop(process)
        finally:
            if before is None:
                del os.environ["DOCKER_HOST"]
            else:
                os.environ["DOCKER_HOST"] = before


def _startable() -> str:
    """Find the program, or say why starting it is out of the question."""
    if shutil.which(docker.command()) is None:
        message = f"there is no {docker.command()} on this machine"
        raise DockerUnavailableError(message)
    if host := os.environ.get("DOCKER_HOST"):
        message = f"the daemon that DOCKER_HOST names ({host}) does not answer"
        raise DockerUnavailableError(message)
    program = shutil.which("dockerd", path=os.pathsep.join((os.environ.get("PATH", ""), _SBIN)))
    if program is None:
        message = "no Docker daemon answers, and there is no dockerd to start"
        raise DockerUnavailableError(message)
    if os.geteuid() != 0:
        message = "no Docker daemon answers, and only root can start one"
        raise DockerUnavailableError(message)
    if pid := _alive(PIDFILE):
        # Two daemons would share one bridge and its firewall rules.
        message = f"a Docker daemon runs (process {pid}) but does not answer"
        raise DockerUnavailableError(message)
    return program


def _alive(pidfile: Path) -> int | None:
    try:
        pid = int(pidfile.read_text(encoding="ascii"))
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return pid if name == "dockerd" else None


def _start(program: str, home: Path, folder: Path, start_s: float) -> tuple[subprocess.Popen[bytes], str]:
    """Try one storage driver after the other; give the daemon that answers and its driver."""
    home.mkdir(parents=True, exist_ok=True)
    settings = folder / "daemon.json"
    settings.write_text(json.dumps(_settings()), encoding="utf-8")
    reason = ""
    for driver in DRIVERS:
        if driver == "vfs" and (free := shutil.disk_usage(home).free) < VFS_BYTES:
            reason += f", and vfs would need {VFS_BYTES / 1e9:.0f} GB where {free / 1e9:.0f} are free"
            break
        log = home / f"{driver}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [
                    program,
                    f"--config-file={settings}",
                    f"--data-root={home / 'data'}",
                    f"--exec-root={folder / 'exec'}",
                    f"--pidfile={folder / 'docker.pid'}",
                    f"--host=unix://{folder / 'docker.sock'}",
                    f"--storage-driver={driver}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # Ctrl-C goes to the tests, which remove their containers first.
                start_new_session=True,
            )
        try:
            if _answers_in_time(process, start_s):
                return process, driver
        except BaseException:
            _stop(process)
            raise
        ended = process.poll() is not None
        _stop(process)
        how = "ended at its start" if ended else f"did not answer within {start_s:.0f} s"
        reason = f"dockerd {how} ({driver}): {_last_words(log)}"
    raise DockerUnavailableError(reason)


def _settings() -> dict[str, object]:
    """Give this machine's settings for Docker (mirrors, proxies, DNS) without those that are given as options."""
    try:
        found = json.loads(SETTINGS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in found.items() if key not in _OWN_SETTINGS}


def _answers_in_time(process: subprocess.Popen[bytes], start_s: float) -> bool:
    deadline = time.monotonic() + start_s
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if docker.answers(min(left, _PROBE_S)):
            return True
        time.sleep(_POLL_S)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let it end its containers and unmount; kill it if it does not in time."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(log: Path) -> str:
    """Give why a daemon gave up, which may take it several lines, or else the last line it wrote."""
    text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    if not text:
        return "it printed nothing"
    _, mark, reason = text.rpartition(_GAVE_UP)
    said = f"{mark}{reason}" if mark else text.splitlines()[-1]
    return " ".join(said.split()).rstrip(".")[:_WORDS]
