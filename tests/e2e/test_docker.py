"""Which Docker `make e2e` uses, and what it says where there is none or half of one.

Docker is played by two scripts: ``docker`` does what a folder tells it, ``dockerd`` what a file named like its storage driver tells it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import base_image, daemon, docker, preflight, stack
from tests.support.daemon import DockerUnavailableError
from tests.support.local import ROOT, alive

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S: Final = 30.0
DOCKER: Final = """#!/bin/sh
# A daemon is up where its socket is, or where 'running' says that one ran before.
folder={folder}
echo "$@" >> $folder/asked
[ -e $folder/hanging ] && [ "$1" = "$(cat $folder/hanging)" ] && exec sleep 600
if [ -e $folder/failing ] && [ "$1" = "$(head -n 1 $folder/failing)" ]; then tail -n 1 $folder/failing >&2; exit 1; fi
[ -e "${{DOCKER_HOST#unix://}}" ] || [ -e $folder/running ] || exit 1
case "$1" in
  info) echo 20.10.24 ;;
  network) echo '[{{"IPAM": {{"Config": [{{"Gateway": "127.0.0.1"}}]}}}}]' ;;
esac
"""
DAEMON: Final = """#!/bin/sh
folder={folder}
for option in "$@"; do
  case $option in
    --host=unix://*) socket=${{option#--host=unix://}} ;;
    --storage-driver=*) driver=${{option#*=}} ;;
  esac
done
echo $$ >> $folder/pids
case "$(cat $folder/$driver)" in
  up) trap 'rm $socket; exit 0' TERM; : > $socket; while :; do sleep 0.05; done ;;
  silent) exec sleep 600 ;;
  *) echo 'level=info msg="Starting up"'; cat $folder/$driver; exit 1 ;;
esac
"""


class Machine:
    """A machine with Docker installed, root, and no daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        (folder / "bin").mkdir()
        for name, script in (("docker", DOCKER), ("dockerd", DAEMON)):
            path = folder / "bin" / name
            path.write_text(script.format(folder=folder), encoding="utf-8")
            path.chmod(0o755)

    def has(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def lacks(self, name: str) -> None:
        (self.folder / "bin" / name).unlink()

    @property
    def started(self) -> list[int]:
        """Every daemon that was started, by its process."""
        path = self.folder / "pids"
        return [int(line) for line in path.read_text().split()] if path.is_file() else []

    @property
    def asked(self) -> str:
        return (self.folder / "asked").read_text()

    def refuses(self, *, start_s: float = PATIENCE_S) -> str:
        """Give the sentence; nothing that was started may be left."""
        with pytest.raises(DockerUnavailableError) as caught, daemon.running(self.home, start_s=start_s):
            pytest.fail("it runs")
        assert not [pid for pid in self.started if alive(pid)]
        return str(caught.value)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("DOCKER", str(tmp_path / "bin" / "docker"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(daemon, "_SBIN", str(tmp_path / "sbin"))
    monkeypatch.setattr(daemon, "PIDFILE", tmp_path / "docker.pid")
    monkeypatch.setattr(daemon, "SETTINGS", tmp_path / "daemon.json")
    monkeypatch.setattr(daemon, "VFS_BYTES", 0)
    return made


def test_a_daemon_that_runs_is_used_and_left_alone(machine: Machine) -> None:
    machine.has("running")
    with daemon.running(machine.home):
        assert "DOCKER_HOST" not in os.environ
    assert machine.started == []


def test_a_daemon_is_started_for_the_run_and_stopped_after_it(machine: Machine) -> None:
    machine.has("overlay2", "up")
    with daemon.running(machine.home) as which:
        (pid,) = machine.started
        assert alive(pid)
        assert os.environ["DOCKER_HOST"].startswith("unix:///")
        assert "overlay2" in which
    assert not alive(pid)
    assert "DOCKER_HOST" not in os.environ


def test_a_failing_run_stops_the_daemon_too(machine: Machine) -> None:
    machine.has("overlay2", "up")
    with pytest.raises(KeyboardInterrupt), daemon.running(machine.home):
        raise KeyboardInterrupt
    assert [alive(pid) for pid in machine.started] == [False]


def test_without_overlays_whole_copies_are_kept(machine: Machine) -> None:
    machine.has("overlay2", "failed to start daemon: driver not supported")
    machine.has("vfs", "up")
    with daemon.running(machine.home) as which:
        assert "vfs" in which


def test_whole_copies_need_room(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "VFS_BYTES", 2**62)
    machine.has("overlay2", "failed to start daemon: driver not supported")
    assert "driver not supported, and vfs would need" in machine.refuses()


@pytest.mark.parametrize(
    "words",
    [
        "failed to start daemon: Devices cgroup isn't mounted",
        "failed to start daemon: Error initializing network controller: iptables failed: Permission denied\n (exit status 4)",
    ],
)
def test_a_daemon_that_gives_up_is_quoted(machine: Machine, words: str) -> None:
    machine.has("overlay2", words)
    machine.has("vfs", words)
    assert machine.refuses() == f"dockerd ended at its start (vfs): {words.replace(chr(10), '')}"


def test_a_daemon_that_never_answers_is_ended(machine: Machine) -> None:
    machine.has("overlay2", "silent")
    machine.has("vfs", "silent")
    assert "did not answer within" in machine.refuses(start_s=0.5)
    assert len(machine.started) == len(daemon.DRIVERS)


def test_a_command_line_that_hangs_counts_as_no_answer(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "_DAEMON_S", 0.5)
    machine.has("hanging", "info")
    machine.has("overlay2", "up")
    machine.has("vfs", "up")
    assert "did not answer within" in machine.refuses(start_s=0.5)


def test_nothing_is_started_beside_a_daemon_that_hangs(machine: Machine, tmp_path: Path) -> None:
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\nsleep 600 &\nwait\n", encoding="utf-8")
    program.chmod(0o755)
    with subprocess.Popen([str(program)], start_new_session=True) as process:
        try:
            machine.has("docker.pid", str(process.pid))
            machine.has("overlay2", "up")
            assert f"process {process.pid}" in machine.refuses()
        finally:
            os.killpg(process.pid, 9)
    assert machine.started == []


def test_what_is_missing_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 1000)
        assert "only root" in machine.refuses()
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
        assert "tcp://127.0.0.1:1" in machine.refuses()
    machine.lacks("dockerd")
    assert "no dockerd" in machine.refuses()
    machine.lacks("docker")
    assert "there is no" in machine.refuses()


def test_the_machines_settings_are_kept_but_for_those_that_are_given(machine: Machine) -> None:
    machine.has("daemon.json", '{"registry-mirrors": ["https://mirror.example"], "data-root": "/srv/docker"}')
    assert daemon._settings() == {"registry-mirrors": ["https://mirror.example"]}


def test_a_base_image_that_was_asked_for_is_not_replaced(machine: Machine) -> None:
    machine.has("running")
    machine.has("failing", "image\nno such image")
    assert base_image.obtain("registry.example/base:1") == "registry.example/base:1"
    assert "pull --quiet --platform=linux/amd64 registry.example/base:1" in machine.asked


def test_a_base_image_that_cannot_be_pulled_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("failing", "pull\ndial tcp: no such host")
    monkeypatch.setattr(docker, "has_image", lambda _: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(
        DockerUnavailableError, match=r"registry\.example/base:1 cannot be pulled .*no such host"
    ):
        base_image.obtain("registry.example/base:1")
    with pytest.raises(DockerUnavailableError, match=r"cannot be pulled .*no such host.* no mmdebstrap"):
        base_image.obtain(base_image.AWS_BASE)


@pytest.mark.parametrize("step", ["build", "run"])
def test_a_docker_that_answers_but_cannot_work_is_found_out(
    machine: Machine, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("running")
    preflight.check("base")
    with monkeypatch.context() as patch:
        patch.setattr(preflight, "LIMIT_S", 0.5)
        machine.has("hanging", step)
        with pytest.raises(DockerUnavailableError, match="no end within"):
            preflight.check("base")
    machine.has("hanging", "nothing")
    machine.has("failing", f"{step}\nOCI runtime create failed: no cgroup mount found")
    with pytest.raises(DockerUnavailableError, match="no cgroup mount found"):
        preflight.check("base")


def test_a_bridge_that_is_elsewhere_is_found_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.has("running")
    monkeypatch.setattr(stack, "bridge", lambda: "192.0.2.1")
    with pytest.raises(DockerUnavailableError, match="bridge is not on this machine"):
        preflight.check("base")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.e2e", *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_without_docker_one_sentence_says_so(machine: Machine) -> None:
    machine.lacks("docker")
    strict, lenient = run(), run("--where-possible")
    assert (strict.returncode, lenient.returncode) == (69, 0)
    assert strict.stdout == lenient.stdout
    assert strict.stdout.startswith("The images and the deployed app (make e2e) are not tested: there is no ")
    assert len(strict.stdout.splitlines()) == 1
    assert strict.stderr == lenient.stderr == ""


def test_a_failed_test_is_a_failure_wherever_docker_can_be_used(machine: Machine, tmp_path: Path) -> None:
    machine.has("running")
    failing = tmp_path / "test_failing.py"
    failing.write_text("def test_that_fails() -> None:\n    assert False\n", encoding="utf-8")
    done = run("--where-possible", "-q", "-k", "test_that_fails", str(failing))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
