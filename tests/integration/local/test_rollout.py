"""Whole rollouts with compressed time: real processes, real requests through the gateway, one defect each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cdk.cli.control_client import ControlClient
from cdk.local.errors import RolloutError
from cdk.local.function import Alias
from cdk.local.gateway import VERSION_HEADER
from cdk.local.rollout_state import Phase, StateFile
from cdk.service import MetricAlarm, Rollout, Strategy, Warmup
from tests.support.local import PATIENCE_S, eventually
from tests.support.rollouts import PATIENT, SPEED, Traffic, a_canary, serving_canary, wait_for_end

if TYPE_CHECKING:
    from pathlib import Path

    from cdk.service import Function

pytestmark = pytest.mark.slow
MAX_FAILED_SHARE = 0.02


def roll_out(data: Path, defect: str, function: Function | None = None) -> tuple[dict[str, Any], Traffic]:
    """Roll out a version with a defect under traffic; the old version must be the only one left."""
    with serving_canary(data, function) as running, Traffic(running.url) as traffic:
        control = ControlClient(data)
        assert eventually(lambda: traffic.total > 10)
        control.start("canary", [], {"DEFECT": defect}, SPEED)
        record = wait_for_end(control)
        (version,) = control.status("canary")[0]["versions"]
        assert (version["version"], version["weight"]) == ("1", 1.0)
    assert (record["phase"], record["old"], record["new"]) == ("rolled back", "1", "2")
    return record, traffic


def assert_few_clients_noticed(record: dict[str, Any], traffic: Traffic) -> None:
    """What the rollout reports is what clients met, and it is below 2 % of its traffic."""
    assert traffic.failed == record["failed"] == record["failed_new"]
    assert 0 < record["requests"] <= traffic.total
    assert record["failed_share"] == record["failed"] / record["requests"] < MAX_FAILED_SHARE


def assert_no_client_noticed(record: dict[str, Any], traffic: Traffic) -> None:
    assert (record["requests"], record["failed"]) == (0, 0)
    assert set(traffic.answers) == {200}
    assert set(traffic.versions) == {"canary:1"}


@pytest.mark.parametrize("defect", ["raises", "answers-500"])
def test_a_version_that_fails_on_5_percent_of_requests_is_rolled_back(tmp_path: Path, defect: str) -> None:
    # In one process each, so that it is exactly every 20th request of a version that fails.
    record, traffic = roll_out(tmp_path / "data", defect, a_canary(reserved_concurrency=1))
    assert "requests failed, more than the allowed 2.0%" in record["reason"]
    assert record["weight"] == 0.1
    assert record["failed"] >= 2
    assert_few_clients_noticed(record, traffic)


def test_a_version_3_times_slower_than_the_one_beside_it_is_rolled_back(tmp_path: Path) -> None:
    # The longer an answer takes by itself, the less a busy machine adds to the ratio.
    limits = Rollout(interval_minutes=1, percent=50, max_p99_ms=PATIENT["max_p99_ms"])
    record, traffic = roll_out(tmp_path / "data", "slow", a_canary(limits, environment={"BASE_MS": "200"}))
    assert "is more than 2 times the" in record["reason"]
    assert record["weight"] == 0.5
    assert_few_clients_noticed(record, traffic)


def test_a_version_slower_than_the_spec_s_p99_is_rolled_back(tmp_path: Path) -> None:
    limits = Rollout(interval_minutes=1, max_p99_ms=150, max_slowdown=1000)
    record, traffic = roll_out(tmp_path / "data", "slow", a_canary(limits, environment={"BASE_MS": "60"}))
    assert record["reason"].endswith("ms exceeds the allowed 150 ms")
    assert_few_clients_noticed(record, traffic)


def test_golden_requests_stop_a_slow_version_before_traffic(tmp_path: Path) -> None:
    limits = Rollout(interval_minutes=1, max_p99_ms=150, golden="canary")
    record, traffic = roll_out(tmp_path / "data", "slow", a_canary(limits, environment={"BASE_MS": "60"}))
    assert "ms, more than 150 ms" in record["reason"]
    assert_no_client_noticed(record, traffic)


@pytest.mark.parametrize("provisioned", [0, 1])
def test_a_version_whose_init_fails_never_gets_a_request(tmp_path: Path, provisioned: int) -> None:
    # Without golden requests nothing but the start itself can notice it.
    function = a_canary(Rollout(interval_minutes=1, **PATIENT), warmup=Warmup(provisioned=provisioned))
    record, traffic = roll_out(tmp_path / "data", "init", function)
    assert "failed to initialise: RuntimeError: the model folder is missing" in record["reason"]
    assert_no_client_noticed(record, traffic)


def test_a_version_whose_labels_disagree_with_the_golden_set_never_gets_a_request(tmp_path: Path) -> None:
    record, traffic = roll_out(tmp_path / "data", "labels")
    assert record["reason"] == "golden requests: 0 of 2 expected labels were selected, less than 70%"
    assert_no_client_noticed(record, traffic)


def test_a_version_that_leaks_memory_until_it_dies_is_rolled_back(tmp_path: Path) -> None:
    # Touching ever more memory is slow too; what is tested here is its end.
    limits = Rollout(interval_minutes=1, golden="canary", **PATIENT)
    record, traffic = roll_out(tmp_path / "data", "leaks", a_canary(limits, memory_mb=160))
    assert "exceeded the memory setting" in record["reason"] or "requests failed" in record["reason"]
    assert_few_clients_noticed(record, traffic)


def test_a_version_whose_own_metrics_ring_is_rolled_back(tmp_path: Path) -> None:
    alarm = MetricAlarm(
        name="unlabelled",
        metric="Unlabelled",
        per="Classified",
        threshold=0.5,
        per_version=True,
        meaning="Texts get no genre.",
        remedy="Roll back.",
    )
    record, traffic = roll_out(tmp_path / "data", "unlabelled", a_canary(alarms=(alarm,)))
    assert record["reason"].endswith("Classified, above 0.5: Texts get no genre.")
    assert record["weight"] == 0.1
    # Every answer was a good one: nothing but the metric could tell.
    assert set(traffic.answers) == {200}
    assert (record["failed"], record["failed_new"]) == (0, 0)


def test_an_alarm_that_is_not_of_a_version_stops_no_rollout(tmp_path: Path) -> None:
    alarm = MetricAlarm(
        name="unlabelled", metric="Unlabelled", threshold=0, meaning="Texts get no genre.", remedy="Look."
    )
    data = tmp_path / "data"
    with serving_canary(data, a_canary(alarms=(alarm,))) as running, Traffic(running.url):
        control = ControlClient(data)
        control.start("canary", [], {"DEFECT": "unlabelled"}, SPEED)
        assert wait_for_end(control)["phase"] == "promoted"


@pytest.mark.parametrize("strategy", [Strategy.CANARY, Strategy.LINEAR, Strategy.ALL_AT_ONCE])
def test_a_good_version_reaches_100_percent_and_can_be_taken_back(tmp_path: Path, strategy: Strategy) -> None:
    data = tmp_path / "data"
    limits = Rollout(strategy=strategy, percent=40, interval_minutes=1, golden="canary", **PATIENT)
    with serving_canary(data, a_canary(limits)) as running, Traffic(running.url) as traffic:
        control = ControlClient(data)
        control.start("canary", [], {"NOTE": "second"}, SPEED)
        record = wait_for_end(control)
        assert (record["phase"], record["weight"], record["failed"]) == ("promoted", 1.0, 0), record
        assert record["new_requests"] >= 100
        (version,) = control.status("canary")[0]["versions"]
        assert (version["version"], version["weight"], version["provisioned"]) == ("2", 1.0, 1)
        answer = httpx.post(f"{running.url}/classify", json={"text": "x"}, timeout=PATIENCE_S)
        assert (answer.headers[VERSION_HEADER], answer.json()["note"]) == ("canary:2", "second")
        control.roll_back("canary")
        answer = httpx.post(f"{running.url}/classify", json={"text": "x"}, timeout=PATIENCE_S)
        assert (answer.headers[VERSION_HEADER], answer.json()["note"]) == ("canary:1", "")
        with pytest.raises(RolloutError, match="function canary has no version before 1 to go back to"):
            control.roll_back("canary")
    assert set(traffic.answers) == {200}


def test_a_second_rollout_is_refused_and_the_first_ended_by_hand(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving_canary(data) as running:
        control = ControlClient(data)
        control.start("canary", [], {"NOTE": "second"}, 1)
        assert eventually(lambda: control.status("canary")[0]["rollout"]["phase"] == "shifting")
        weights = {
            version["version"]: version["weight"] for version in control.status("canary")[0]["versions"]
        }
        assert weights == {"1": 0.9, "2": 0.1}
        with pytest.raises(RolloutError) as refused:
            control.start("canary", [], {"NOTE": "third"}, 1)
        assert str(refused.value) == (
            "a rollout of canary is under way (version 2 beside 1, shifting); "
            "wait for its end or roll it back first"
        )
        record = control.roll_back("canary")
        assert (record["phase"], record["reason"]) == ("rolled back", "asked for by hand")
        assert (
            httpx.post(f"{running.url}/classify", json={}, timeout=PATIENCE_S).headers[VERSION_HEADER]
            == "canary:1"
        )
        # A number is never used twice.
        assert control.start("canary", [], {"NOTE": "third"}, 1)["new"] == "3"
        control.roll_back("canary")


@pytest.mark.parametrize("defect", ["slow-init", "hold"])
def test_a_rollout_that_waits_can_be_ended_by_hand(tmp_path: Path, defect: str) -> None:
    data, hold = tmp_path / "data", tmp_path / "hold"
    hold.touch()
    with serving_canary(data) as running:
        control = ControlClient(data)
        control.start("canary", [], {"DEFECT": defect, "HOLD": str(hold)}, 1)
        phase = "starting" if defect == "slow-init" else "testing"
        assert eventually(lambda: control.status("canary")[0]["rollout"]["phase"] == phase)
        # A golden request that waits is given up, and its environment ended with the version.
        assert control.roll_back("canary")["phase"] == "rolled back"
        assert [version["version"] for version in control.status("canary")[0]["versions"]] == ["1"]
        assert httpx.post(f"{running.url}/classify", json={}, timeout=PATIENCE_S).status_code == 200


def test_a_promotion_that_cannot_be_kept_does_not_happen(tmp_path: Path) -> None:
    data = tmp_path / "data"
    in_the_way = data / "rollouts" / "canary.tmp"
    function = a_canary(Rollout(strategy=Strategy.ALL_AT_ONCE, golden="canary", **PATIENT))
    with serving_canary(data, function) as running:
        control = ControlClient(data)
        in_the_way.mkdir(parents=True)
        with pytest.raises(RolloutError, match="cannot be written"):
            control.start("canary", [], {"NOTE": "second"}, SPEED)
        assert control.status("canary")[0]["rollout"] is None
        in_the_way.rmdir()
        control.start("canary", [], {"NOTE": "second"}, SPEED)
        assert eventually(lambda: control.status("canary")[0]["rollout"]["phase"] == "shifting")
        in_the_way.mkdir()
        with Traffic(running.url) as traffic:
            record = wait_for_end(control)
        assert (record["phase"], record["failed"]) == ("rolled back", 0)
        assert "cannot be written" in record["reason"]
        assert [version["version"] for version in control.status("canary")[0]["versions"]] == ["1"]
    assert set(traffic.answers) == {200}
    in_the_way.rmdir()
    with serving_canary(data, function):
        (state,) = ControlClient(data).status("canary")
        assert (state["live"], state["rollout"]["phase"]) == ("1", "rolled back")
        assert state["rollout"]["reason"] == "the service ended while the rollout was shifting"


def test_a_stop_lets_the_new_version_of_a_rollout_end_its_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdk.local.service.GRACE_S", PATIENCE_S)
    data, hold = tmp_path / "data", tmp_path / "hold"
    limits = Rollout(strategy=Strategy.ALL_AT_ONCE, **PATIENT)
    function = a_canary(limits, environment={"HOLD": str(hold)})
    with ThreadPoolExecutor(2) as executor, serving_canary(data, function) as running:
        control, (local,) = ControlClient(data), running.service.functions
        control.start("canary", [], {"NOTE": "second"}, 1)
        assert eventually(lambda: control.status("canary")[0]["rollout"]["phase"] == "shifting")
        hold.touch()
        slow = executor.submit(httpx.post, f"{running.url}/classify", json={"hold": True}, timeout=PATIENCE_S)
        assert eventually(lambda: local.versions["2"].in_flight == 1)
        stopping = executor.submit(running.call, running.service.stop())
        gateway = running.service.gateway.server._server
        assert gateway is not None
        assert eventually(lambda: not gateway.is_serving())
        hold.unlink()
        answer = slow.result()
        assert (answer.status_code, answer.json()["note"]) == (200, "second")
        stopping.result()
    state = StateFile(data / "rollouts" / "canary.json").load()
    assert state.rollout is not None
    assert (state.live.number, state.rollout.phase) == ("1", Phase.SHIFTING)


def test_a_defect_of_the_rollout_itself_leaves_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        message = "a defect"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("cdk.local.rollout.alarm", fails)
    data = tmp_path / "data"
    with serving_canary(data) as running:
        control = ControlClient(data)
        control.start("canary", [], {"NOTE": "second"}, SPEED)
        record = wait_for_end(control)
        assert (record["phase"], record["reason"]) == (
            "rolled back",
            "an unexpected error: ZeroDivisionError('a defect')",
        )
        (function,) = running.service.functions
        assert function.alias == Alias("1")
        assert list(function.versions) == ["1"]
        assert control.start("canary", [], {"NOTE": "third"}, 1)["new"] == "3"
