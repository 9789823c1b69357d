"""How large files end: stopped, given up, replaced, deleted, asked for again. The steps are walked in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.classification.uploads import staging
from functions.classification.uploads.messages import write_message
from functions.classification.uploads.progress import Status
from tests.support.executions import by_map, record, send
from tests.support.mortal import mortal
from tests.support.uploads import FOREVER_MS, Depot, csv_of, session
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from cdk.local.emulator import Emulator
    from functions.classification.uploads.upload import Upload


@pytest.fixture
def depot(emulator: Emulator) -> Depot:
    return Depot(emulator.endpoint_url)


def test_an_announcement_while_it_goes_on_starts_nothing(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(50))
    send(depot, upload)
    depot.drain(depot.batches(map_bytes=0))
    send(depot, upload)
    depot.drain(depot.batches(map_bytes=0))
    assert len(depot.engine.inputs) == 1
    depot.engine.run(depot.steps(), depot.read)
    send(depot, upload)
    depot.drain(depot.batches(map_bytes=0))
    assert len(depot.engine.inputs) == 1
    assert depot.ids(upload) == [f"r{n}" for n in range(50)]


def test_an_execution_that_was_stopped_is_followed_by_one_for_what_is_left(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(203))
    depot.drain(depot.batches(map_bytes=0))
    (given,) = depot.engine.inputs.values()
    step = {"step": "classify", "upload": given["upload"], "generation": 1, "first": 8, "count": 8}
    depot.steps().take(step, remaining_ms=lambda: FOREVER_MS)
    depot.engine.stop()
    send(depot, upload)
    depot.drain(depot.batches(map_bytes=0))
    (name,) = depot.engine.running
    batches = json.loads(depot.read(depot.engine.inputs[name]["batches"]))
    assert batches == [{"first": 0, "count": 8}, {"first": 16, "count": 5}]
    late = depot.steps().take({**step, "first": 0}, remaining_ms=lambda: FOREVER_MS)
    assert late == {"left": 0, "stopped": True}
    depot.engine.run(depot.steps(), depot.read)
    assert depot.ids(upload) == [f"r{n}" for n in range(203)]
    assert depot.buried() == []


def test_one_that_is_stopped_every_time_is_given_up(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(50))
    for executions in range(1, 4):
        send(depot, upload)
        depot.drain(depot.batches(map_bytes=0))
        assert len(depot.engine.inputs) == executions
        depot.engine.stop()
    send(depot, upload)
    depot.drain(depot.batches(map_bytes=0))
    reason = "The state machine ended 3 times without a result."
    assert (depot.summary(upload)["status"], depot.summary(upload)["reason"]) == ("failed", reason)
    assert [found for _, found in depot.buried()] == [reason]
    send(depot, upload, again=True)
    by_map(depot)
    assert len(depot.engine.inputs) == 4
    assert depot.summary(upload)["status"] == "done"


def failing(depot: Depot, upload: Upload, error: dict[str, str]) -> dict[str, Any]:
    """Note a failure of the second batch as the state machine does, and give up."""
    (name,) = depot.engine.running
    given = depot.engine.inputs[name]
    common = {"upload": given["upload"], "generation": given["generation"]}
    steps = depot.steps()
    note = {"step": "note", **common, "first": 8, "count": 8, "tries": 6, "error": error}
    assert steps.take(note, remaining_ms=lambda: FOREVER_MS) == {}
    exceeded = {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "too many"}
    depot.engine.stop()
    return steps.take({"step": "fail", **common, "error": exceeded}, remaining_ms=lambda: FOREVER_MS)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            {"Error": "Runtime.ExitError", "Cause": '{"errorMessage": "a row"}'},
            "(Runtime.ExitError)",
        ),
        (
            {"Error": "TimeIsUp", "Cause": '{"errorMessage": "The invocation\'s time ends."}'},
            "(TimeIsUp: The invocation's time ends.)",
        ),
        ({"Error": "StepBroke", "Cause": "no JSON"}, "(StepBroke)"),
    ],
)
def test_a_batch_that_is_given_up_fails_the_upload_with_its_rows_named(
    depot: Depot, error: dict[str, str], said: str
) -> None:
    upload = depot.put("uploads/a.csv", csv_of(170))
    depot.drain(depot.batches(map_bytes=0))
    reason = f"6 tries got no further than rows 81 to 90 {said}."
    assert failing(depot, upload, error) == {"status": "failed", "reason": reason}
    assert (depot.summary(upload)["reason"], depot.summary(upload)["results"]) == (reason, None)
    assert depot.buried() == [(write_message(upload), reason)]
    send(depot, upload, again=True)
    by_map(depot)
    assert depot.ids(upload) == [f"r{n}" for n in range(170)]
    assert sorted(given["generation"] for given in depot.engine.inputs.values()) == [1, 2]


@pytest.mark.parametrize("step", ["publish", "fail"])
def test_a_last_step_that_breaks_off_can_be_asked_for_at_once(depot: Depot, step: str) -> None:
    upload = depot.put("uploads/a.csv", csv_of(20))
    depot.drain(depot.batches(map_bytes=0))
    (given,) = depot.engine.inputs.values()
    event = {"step": step, "upload": given["upload"], "generation": 1, "error": {"Error": "States.Timeout"}}
    classify = {**event, "step": "classify", "first": 0, "count": 8}
    assert not depot.steps().take(classify, remaining_ms=lambda: FOREVER_MS)["left"]

    def die() -> None:
        raise EndpointConnectionError(endpoint_url="s3")

    broken = mortal(session().client("s3", endpoint_url=depot.endpoint_url), die)
    with pytest.raises(Unavailable):
        depot.steps(s3=broken).take(event, remaining_ms=lambda: FOREVER_MS)
    depot.steps().take(event, remaining_ms=lambda: FOREVER_MS)
    assert depot.summary(upload)["status"] == {"publish": "done", "fail": "failed"}[step]


def test_a_step_taken_twice_is_taken_once(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(20))
    by_map(depot)
    (given,) = depot.engine.inputs.values()
    common = {"upload": given["upload"], "generation": 1}
    before = depot.s3.list_object_versions(Bucket=depot.name, Prefix="results/")["Versions"]
    again = depot.steps().take({"step": "publish", **common}, remaining_ms=lambda: FOREVER_MS)
    late = depot.steps().take(
        {"step": "fail", **common, "error": {"Error": "States.Timeout", "Cause": ""}},
        remaining_ms=lambda: FOREVER_MS,
    )
    assert (again, late) == ({"status": "done", "reason": ""}, {"status": "done", "reason": ""})
    assert depot.s3.list_object_versions(Bucket=depot.name, Prefix="results/")["Versions"] == before
    assert depot.summary(upload)["status"] == "done"
    assert depot.buried() == []


def test_an_overwrite_while_it_goes_on_stops_it(depot: Depot) -> None:
    old = depot.put("uploads/a.csv", csv_of(50))
    depot.drain(depot.batches(map_bytes=0))
    new = depot.put("uploads/a.csv", csv_of(7, start=100))
    depot.drain(depot.batches())
    assert depot.engine.run(depot.steps(), depot.read)[0]["status"] == "superseded"
    assert depot.ids(new) == [f"r{n}" for n in range(100, 107)]
    assert record(depot, old).status is Status.SUPERSEDED
    assert depot.buried() == []


def test_a_deletion_while_it_goes_on_is_said(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(50))
    depot.drain(depot.batches(map_bytes=0))
    depot.s3.delete_object(Bucket=depot.name, Key=upload.key)
    (end,) = depot.engine.run(depot.steps(), depot.read)
    reason = "S3 has nothing to read uploads/a.csv (404): it was deleted."
    assert end == {"status": "failed", "reason": reason}
    assert depot.summary(upload)["reason"] == reason
    assert [found for _, found in depot.buried()] == [reason]


def test_rows_that_are_gone_are_said(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(50))
    depot.drain(depot.batches(map_bytes=0))
    depot.s3.delete_object(Bucket=depot.name, Key=upload.rows(3))
    (end,) = depot.engine.run(depot.steps(), depot.read)
    assert (end["status"], end["reason"]) == (
        "failed",
        "S3 has nothing to read intermediate rows (NoSuchKey): it was deleted.",
    )


def test_more_rows_than_are_joined_are_refused(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "MAX_CHUNKS", 8)
    fits, over = depot.put("uploads/80.csv", csv_of(80)), depot.put("uploads/81.csv", csv_of(81))
    by_map(depot)
    assert depot.summary(fits)["status"] == "done"
    reason = "uploads/81.csv has more than 80 rows."
    assert depot.summary(over)["reason"] == reason
    assert [found for _, found in depot.buried()] == [reason]
