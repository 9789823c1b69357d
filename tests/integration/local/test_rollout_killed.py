"""The service is killed (SIGKILL) in each phase of a rollout: it comes up again on one version, and says what happened."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cdk.cli.control_client import ControlClient
from cdk.local.change import Change
from cdk.local.gateway import VERSION_HEADER
from cdk.local.rollout_state import Deployed, FunctionState, StateFile
from tests.support.local import PATIENCE_S, ROOT, eventually
from tests.support.rollouts import SPEED, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PROGRAM = """
from functools import partial
import cdk.local.service as local
from cdk import service
from cdk.cli import main
from cdk.service import Rollout, Strategy
from tests.support.local import a_service
from tests.support.rollouts import GOLDEN, PATIENT, a_canary

limits = Rollout(strategy=Strategy.ALL_AT_ONCE, golden="canary", **PATIENT)
service.service = lambda stage: a_service(a_canary(limits, environment={{"HOLD": {hold!r}}}))
local.ServeOptions = partial(local.ServeOptions, golden=GOLDEN)
main.app(["serve", "--port", "0", "--data", {data!r}], prog_name="trending-now")
"""


class Killable:
    """The command in a process of its own."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes]) -> None:
        self.control = ControlClient(data)
        self.url: str = json.loads((data / "service.json").read_text(encoding="utf-8"))["url"]
        self._process = process

    @property
    def state(self) -> dict[str, Any]:
        return self.control.status("canary")[0]

    def reaches(self, phase: str) -> bool:
        return eventually(lambda: self.state["rollout"]["phase"] == phase)

    def ask(self, body: dict[str, Any] | None = None) -> httpx.Response:
        return httpx.post(f"{self.url}/classify", json=body or {}, timeout=PATIENCE_S)

    def ask_aside(self, body: dict[str, Any]) -> None:
        """Send a request whose answer never comes: the service is killed before."""

        def send() -> None:
            with pytest.raises(httpx.TransportError):
                self.ask(body)

        threading.Thread(target=send, daemon=True).start()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=PATIENCE_S)


@contextmanager
def serving(data: Path) -> Iterator[Killable]:
    """Serve on a data folder; a record of an earlier run does not count as this one's."""
    (data / "service.json").unlink(missing_ok=True)
    log = data.parent / "stderr.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(data=str(data), hold=str(data.parent / "hold"))],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        assert eventually(lambda: (data / "service.json").exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield Killable(data, process)
    finally:
        process.kill()
        process.wait(timeout=PATIENCE_S)


def assert_serves(data: Path, version: str, phase: str, reason: str) -> None:
    """Start again: one version, all traffic on it, and the rollout's end on record."""
    with serving(data) as service:
        state = service.state
        assert (state["live"], state["under_way"]) == (version, False)
        assert [(entry["version"], entry["weight"]) for entry in state["versions"]] == [(version, 1.0)]
        assert (state["rollout"]["phase"], state["rollout"]["reason"]) == (phase, reason)
        answer = service.ask()
        assert (answer.status_code, answer.headers[VERSION_HEADER]) == (200, f"canary:{version}")
        assert answer.json()["note"] == ("second" if version == "2" else "")
        # The next rollout begins as after any other.
        assert service.control.start("canary", [], {"NOTE": "third"}, 1)["new"] == "3"


@pytest.mark.parametrize("phase", ["starting", "testing", "shifting"])
def test_killed_before_or_while_traffic_moves(tmp_path: Path, phase: str) -> None:
    data, hold = tmp_path / "data", tmp_path / "hold"
    change = {"NOTE": "second"}
    if phase == "starting":
        change["DEFECT"] = "slow-init"
    if phase == "testing":
        hold.touch()
    with serving(data) as service:
        service.control.start("canary", [], change, 1)
        assert service.reaches(phase)
        service.kill()
    hold.unlink(missing_ok=True)
    assert_serves(data, "1", "rolled back", f"the service ended while the rollout was {phase}")


def test_killed_while_the_alias_is_checked_at_full_traffic(tmp_path: Path) -> None:
    data, hold = tmp_path / "data", tmp_path / "hold"
    with serving(data) as service:
        service.control.start("canary", [], {"NOTE": "second"}, SPEED)
        assert service.reaches("shifting")
        hold.touch()
        with Traffic(service.url):
            assert service.reaches("checking")
        service.kill()
    hold.unlink()
    assert_serves(data, "1", "rolled back", "the service ended while the rollout was checking")


def test_killed_while_it_rolls_back(tmp_path: Path) -> None:
    data, hold = tmp_path / "data", tmp_path / "hold"
    with serving(data) as service:
        service.control.start("canary", [], {"NOTE": "second"}, 1)
        assert service.reaches("shifting")
        hold.touch()
        service.ask_aside({"hold": True})
        assert eventually(lambda: service.state["versions"][1]["in_flight"] == 1)
        threading.Thread(target=_ask_to_roll_back, args=(service,), daemon=True).start()
        assert service.reaches("rolling back")
        service.kill()
    hold.unlink()
    reason = "asked for by hand; the service ended while the rollout was rolling back"
    assert_serves(data, "1", "rolled back", reason)


def test_killed_after_the_promotion_while_the_old_version_ends(tmp_path: Path) -> None:
    data, hold = tmp_path / "data", tmp_path / "hold"
    hold.touch()
    with serving(data) as service:
        service.ask_aside({"hold": True})
        assert eventually(lambda: service.state["versions"][0]["in_flight"] == 1)
        service.control.start("canary", [], {"NOTE": "second", "HOLD": str(tmp_path / "never")}, SPEED)
        with Traffic(service.url):
            assert service.reaches("promoted")
        assert [version["weight"] for version in service.state["versions"]] == [0.0, 1.0]
        service.kill()
    hold.unlink()
    assert_serves(data, "2", "promoted", "")


def test_a_promoted_version_that_is_gone_at_the_next_start_is_a_sentence(tmp_path: Path) -> None:
    data, gone = tmp_path / "data", tmp_path / "gone"
    state = FunctionState(
        published=2,
        live=Deployed("2", Change(code=gone)),
        previous=Deployed("1", Change()),
    )
    StateFile(data / "rollouts" / "canary.json").save(state)
    # What marks the folder as a service's own.
    (data / ".trending-now").touch()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(data=str(data), hold=str(tmp_path / "hold"))],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert str(gone) in sentence
    assert sentence.endswith(f"delete {data / 'rollouts' / 'canary.json'} to start with the checkout")


def _ask_to_roll_back(service: Killable) -> None:
    with pytest.raises(Exception, match="does not answer"):
        service.control.roll_back("canary")
