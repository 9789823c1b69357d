"""Large files by the state machine's steps, walked in this process: the same results as by the queue, whatever dies between."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk.local.pollers import sqs_event
from functions.classification.uploads.progress import Status
from functions.classification.uploads.steps import StepBroke
from tests.support.executions import by_map, record
from tests.support.mortal import Killed, mortal
from tests.support.uploads import FOREVER_MS, Depot, a_model, csv_of, predict, session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cdk.local.emulator import Emulator
    from functions.classification.files import Row
    from functions.classification.uploads.steps import Steps
    from functions.classification.uploads.upload import Upload

MOVING = ("began_at", "ended_at", "runs", "upload", "results", "errors")
"""What of a summary differs between two uploads of the same bytes."""


@pytest.fixture
def depot(emulator: Emulator) -> Depot:
    return Depot(emulator.endpoint_url)


def outcome(depot: Depot, upload: Upload) -> tuple[bytes, bytes, dict[str, Any]]:
    summary = {name: value for name, value in depot.summary(upload).items() if name not in MOVING}
    errors = depot.read(upload.errors) if depot.exists(upload.errors) else b""
    results = depot.read(upload.results) if depot.exists(upload.results) else b""
    return results, errors, summary


ROWS = csv_of(173, bad=[0, 64, 172])
LINES = b"\n".join(
    b"{" if n in {3, 90} else json.dumps({"id": n, "text": f"\u2028Ein St\u00fcck\u0085 {n}"}).encode()
    for n in range(170)
)
QUOTED = (
    'text;id;title\n"Two\nlines, ""quoted""";1;\n' + "".join(f'"A plot {n}";{n};T\n' for n in range(2, 95))
).encode()
FILES = {
    "rows.csv": ROWS,
    "one-chunk.csv": csv_of(10),
    "full.csv": csv_of(160),
    "lines.jsonl": LINES,
    "quoted.csv": b"\xef\xbb\xbf" + QUOTED.replace(b"\n", b"\r\n"),
    "packed.csv.gz": gzip.compress(ROWS),
    "cut.csv.gz": gzip.compress(csv_of(600), 1)[:-500],
    "cut-short.csv.gz": gzip.compress(ROWS)[:-4],
    "header.csv": b"id,text\n",
    "other.csv": b"id,plot\n1,A\n",
    "zip.csv": b"PK\x03\x04 and more",
}


@pytest.mark.parametrize("name", FILES)
def test_the_results_are_those_of_the_queue(depot: Depot, name: str) -> None:
    by_queue = depot.put(f"uploads/queue/{name}", FILES[name])
    depot.drain(depot.batches())
    buried = [reason for _, reason in depot.buried()]
    upload = depot.put(f"uploads/map/{name}", FILES[name])
    by_map(depot)
    results, errors, summary = outcome(depot, by_queue)
    wanted = json.loads(json.dumps(summary).replace("uploads/queue/", "uploads/map/"))
    assert outcome(depot, upload) == (results, errors, wanted)
    assert [reason for _, reason in depot.buried()] == [
        reason and reason.replace("uploads/queue/", "uploads/map/") for reason in buried
    ]
    assert bool(depot.engine.inputs) == bool(summary["rows"])
    assert record(depot, upload).status == summary["status"]


def test_a_file_at_the_threshold_stays_with_the_queue(depot: Depot) -> None:
    content = csv_of(30)
    at, above = depot.put("uploads/at.csv", content), depot.put("uploads/above.csv", content + b"\n")
    depot.drain(depot.batches(map_bytes=len(content)))
    assert depot.summary(at)["status"] == "done"
    assert record(depot, above).status is Status.MAPPED
    assert [given["upload"]["key"] for given in depot.engine.inputs.values()] == [above.key]


def test_batches_are_neighbours_in_order_and_all_of_them(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(203))
    depot.drain(depot.batches(map_bytes=0))
    (given,) = depot.engine.inputs.values()
    batches = json.loads(depot.read(given["batches"]))
    assert batches == [{"first": 0, "count": 8}, {"first": 8, "count": 8}, {"first": 16, "count": 5}]
    assert (given["generation"], given["upload"]["version"]) == (1, upload.version)


def test_what_is_shown_while_it_goes_on_counts_rows_once(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(95, bad=[1]))
    depot.drain(depot.batches(map_bytes=0))
    (given,) = depot.engine.inputs.values()
    assert (record(depot, upload).classified, record(depot, upload).rows) == (0, 95)
    step = {"step": "classify", "upload": given["upload"], "generation": 1, "count": 4}
    for first, shown in ((0, 40), (0, 40), (2, 60), (8, 75), (4, 95)):
        depot.steps().take({**step, "first": first}, remaining_ms=lambda: FOREVER_MS)
        assert record(depot, upload).classified == shown
    depot.engine.run(depot.steps(), depot.read)
    assert depot.ids(upload) == [f"r{n}" for n in range(95) if n != 1]


def budget(batches: int) -> Callable[[], int]:
    """Give an invocation that has time for so many questions."""
    left = batches

    def remaining_ms() -> int:
        nonlocal left
        left -= 1
        return FOREVER_MS if left >= 0 else 0

    return remaining_ms


def test_a_file_that_takes_long_to_lay_out_is_handed_over(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(400, bad=[5]))
    invocations = 0
    while not depot.engine.inputs:
        # One question a chunk that was laid out before, then two a checkpoint.
        found = depot.table().get(upload.id)
        asked = 2 + (found.chunks if found else 0)
        assert depot.step(depot.batches(map_bytes=0), remaining_ms=budget(asked))
        invocations += 1
        assert invocations < 20
    assert invocations > 2
    depot.engine.run(depot.steps(), depot.read)
    assert depot.ids(upload) == [f"r{n}" for n in range(400) if n != 5]


def test_one_that_never_gets_anywhere_is_given_up_with_the_rows_named(depot: Depot) -> None:
    upload = depot.put("uploads/stuck.csv", csv_of(20))
    depot.drain(depot.batches(map_bytes=0), remaining_ms=lambda: 0)
    reason = "6 starts got no further than rows 1 to 10."
    assert depot.summary(upload)["reason"] == reason
    assert [found for _, found in depot.buried()] == [reason]
    assert depot.engine.inputs == {}


def test_a_batch_longer_than_an_invocation_goes_on_in_the_next(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(80))
    depot.drain(depot.batches(map_bytes=0))
    (given,) = depot.engine.inputs.values()
    step = {"step": "classify", "upload": given["upload"], "generation": 1, "first": 0, "count": 8}
    answers: list[dict[str, Any]] = []
    model = a_model(in_lengths(40))
    while not answers or answers[-1]["left"]:
        clock = iter([FOREVER_MS] * 40 + [0] * 100)
        answers.append(depot.steps(model).take(step, remaining_ms=lambda clock=clock: next(clock)))  # type: ignore[misc]
        assert len(answers) < 20
        model = a_model(predict)
    assert answers[-1] == {"left": 0, "stopped": False}
    depot.engine.run(depot.steps(), depot.read)
    assert depot.ids(upload) == [f"r{n}" for n in range(80)]


def in_lengths(limit: int) -> Callable[[Sequence[Row]], list[list[float]]]:
    """Give a model that answers for so many rows and then is out of time."""
    from functions.classification.uploads.errors import TimeIsUp  # noqa: PLC0415 -- as the worker raises it

    left = limit

    def predicting(rows: Sequence[Row]) -> list[list[float]]:
        nonlocal left
        left -= len(rows)
        if left < 0:
            raise TimeIsUp
        return predict(rows)

    return predicting


def test_a_death_before_any_single_call_loses_and_doubles_nothing(depot: Depot) -> None:
    """The first call, then the second, and so on: claim, rows, lists, records, chunks, results, errors, summary, end."""
    one = session()
    deaths = 0
    finished = False
    while not finished:
        upload = depot.put(f"uploads/dies-{deaths}.csv", csv_of(25, bad=[4, 24]))
        messages = [m for m in depot.receive() if "TestEvent" not in m["Body"]]
        left = deaths

        def die() -> None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1

        s3, dynamodb = (
            mortal(one.client(name, endpoint_url=depot.endpoint_url), die) for name in ("s3", "dynamodb")
        )
        try:
            batches = depot.batches(map_bytes=0, s3=s3, dynamodb=dynamodb)
            batches.work(sqs_event("queue", messages), remaining_ms=lambda: FOREVER_MS)
            depot.engine.run(depot.steps(s3=s3, dynamodb=dynamodb), depot.read)
            finished = True
        except Killed:
            deaths += 1
        depot.clock += 3_600
        for message in messages:
            depot.sqs.change_message_visibility(
                QueueUrl=depot.names["queue"], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        depot.drain(depot.batches(map_bytes=0))
        depot.engine.run(depot.steps(), depot.read)
        assert depot.ids(upload) == [f"r{n}" for n in range(25) if n not in {4, 24}], deaths
        assert depot.bad_rows(upload) == [6, 26], deaths
        assert depot.summary(upload)["status"] == "done"
    assert deaths > 25
    assert depot.buried() == []


def broken(steps: Steps, event: dict[str, Any]) -> str:
    with pytest.raises(StepBroke) as raised:
        steps.take(event, remaining_ms=lambda: FOREVER_MS)
    return raised.value.detail


def test_an_error_is_told_without_its_text(depot: Depot) -> None:
    def break_(rows: Sequence[Row]) -> list[list[float]]:
        raise RuntimeError(rows[0].text)

    depot.put("uploads/a.csv", csv_of(20))
    depot.drain(depot.batches(map_bytes=0))
    (given,) = depot.engine.inputs.values()
    step = {"step": "classify", "upload": given["upload"], "generation": 1, "first": 0, "count": 8}
    said = "An unexpected error ended the step (RuntimeError)."
    assert broken(depot.steps(a_model(break_)), step) == said
    assert broken(depot.steps(), {**step, "step": "dance"}) == "There is no step 'dance'."
    elsewhere = {**given["upload"], "bucket": "elsewhere"}
    assert broken(depot.steps(), {**step, "upload": elsewhere}) == "elsewhere is not the bucket of uploads."
