"""The rollout commands against a running service, as a person calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cdk.cli import main
from tests.support.local import eventually
from tests.support.rollouts import SPEED, Traffic, serving_canary

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main.app, ["rollout", *arguments, "--data", str(data)])


def test_start_status_and_rollback(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving_canary(data):
        begun = run(data, "start", "canary", "--env", "NOTE=a secret=1")
        assert begun.exit_code == 0
        assert begun.stdout.startswith("version 2 of canary (with NOTE) beside version 1\n")
        assert eventually(lambda: "shifting" in run(data, "status").stdout)
        shown = run(data, "status", "canary")
        assert [word for word in ("90%", "10%", "p99 ms", "error rate") if word not in shown.stdout] == []
        assert "a secret" not in shown.stdout
        (state,) = json.loads(run(data, "status", "--json").stdout)
        assert state["rollout"]["phase"] == "shifting"
        second = run(data, "start", "canary", "--env", "NOTE=third")
        assert second.exit_code == 1
        assert second.stderr.startswith("trending-now: a rollout of canary is under way (version 2 beside 1")
        back = run(data, "rollback", "canary")
        assert (back.exit_code, back.stdout) == (
            0,
            "version 1 of canary serves again; version 2 is rolled back\n",
        )
        assert "rolled back because asked for by hand" in run(data, "status").stdout


@pytest.mark.slow
@pytest.mark.parametrize(("defect", "code", "end"), [("", 0, "promoted"), ("labels", 1, "rolled back")])
def test_watching_ends_with_the_rollout(tmp_path: Path, defect: str, code: int, end: str) -> None:
    data = tmp_path / "data"
    with serving_canary(data) as running, Traffic(running.url):
        begun = run(data, "start", "canary", "--env", f"DEFECT={defect}", "--speed", str(SPEED), "--watch")
    assert begun.exit_code == code
    last = begun.stdout.splitlines()[-1]
    assert last.startswith(f"canary: version 2 beside 1: {end}")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("start", "x", "--version", "0.2.0"), 1, "trending-now: no service runs on data folder"),
        (("status",), 1, "trending-now: no service runs on data folder"),
        (("rollback", "x"), 1, "trending-now: no service runs on data folder"),
    ],
)
def test_without_a_service(tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    result = run(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(sentence)


def test_a_variable_without_a_value_is_wrong_usage(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving_canary(data):
        result = run(data, "start", "canary", "--env", "NOTE")
    assert result.exit_code == 2
    assert "'NOTE' is not NAME=VALUE" in result.stderr
