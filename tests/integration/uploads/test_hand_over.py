"""A file longer than one invocation, and workers that die: every row is there once, in order."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cdk.local.pollers import sqs_event
from functions.classification.uploads.target import PART_BYTES, Changed, Target
from tests.support.local import PATIENCE_S, ROOT, eventually
from tests.support.mortal import Killed, mortal
from tests.support.uploads import FOREVER_MS, Depot, a_model, csv_of, predict, session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cdk.local.emulator import Emulator
    from functions.classification.files import Row
    from functions.classification.uploads.upload import Upload

KILLS = 10
ROWS = 4_000


@pytest.fixture
def depot(emulator: Emulator) -> Depot:
    return Depot(emulator.endpoint_url)


def test_a_file_longer_than_an_invocation_goes_on_in_the_next(depot: Depot) -> None:
    upload = depot.put("uploads/long.csv", csv_of(200, bad=[0, 64, 199]))
    starts: list[int] = []

    def budget() -> Callable[[], int]:
        """Give an invocation of so many batches."""
        left = 100 * 1_000
        starts.append(1)

        def remaining_ms() -> int:
            nonlocal left
            left -= 25_000
            return left

        return remaining_ms

    batches = depot.batches(reserve_ms=20_000)
    while depot.step(batches, remaining_ms=budget()):
        assert len(starts) < 60
    assert depot.ids(upload) == [f"r{n}" for n in range(200) if n not in {0, 64, 199}]
    assert depot.bad_rows(upload) == [2, 66, 201]
    assert depot.summary(upload)["runs"] > 5
    assert depot.buried() == []


def test_an_invocation_that_never_gets_anywhere_is_given_up_with_the_rows_named(depot: Depot) -> None:
    upload = depot.put("uploads/stuck.csv", csv_of(20))
    depot.drain(depot.batches(), remaining_ms=lambda: 0)
    summary = depot.summary(upload)
    assert summary["status"] == "failed"
    assert summary["reason"] == "6 starts got no further than rows 1 to 10."
    assert [reason for _, reason in depot.buried()] == [summary["reason"]]


def test_lost_intermediate_results_are_made_again(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(35))

    def lose(rows: Sequence[Row]) -> list[list[float]]:
        if rows[0].id == "r30":
            depot.s3.delete_object(Bucket=depot.name, Key=upload.chunk(1))
        return predict(rows)

    batches = depot.batches(a_model(lose))
    assert depot.step(batches) >= 1
    depot.drain(depot.batches())
    assert depot.ids(upload) == [f"r{n}" for n in range(35)]


def test_a_large_object_is_written_in_parts_and_on_condition(depot: Depot) -> None:
    pieces = [bytes([65 + n % 26]) * 1_000_000 for n in range(20)]
    assert sum(map(len, pieces)) > 2 * PART_BYTES
    target = Target(depot.s3, depot.name, "results/large")
    late = Target(depot.s3, depot.name, "results/large")
    target.write(iter(pieces), content_type="text/plain")
    assert depot.read("results/large") == b"".join(pieces)
    with pytest.raises(Changed):
        late.write(iter(pieces[::-1]), content_type="text/plain")
    assert depot.read("results/large") == b"".join(pieces)
    assert "Uploads" not in depot.s3.list_multipart_uploads(Bucket=depot.name)


@pytest.mark.parametrize("range_bytes", [1, 7, 100, 4096])
def test_ranges_join_to_the_object(depot: Depot, range_bytes: int) -> None:
    content = csv_of(12)
    source = depot.source(depot.put("uploads/ranges.csv", content), range_bytes=range_bytes)
    source.check()
    assert b"".join(iter(lambda: source.read(5), b"")) == content


@contextmanager
def worker(depot: Depot, row_s: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.uploads", depot.to_json(), str(row_s)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def runs(depot: Depot, upload: Upload) -> int:
    progress = depot.batches()._worker.table.get(upload.id)
    return progress.runs if progress else 0


def rows(depot: Depot, upload: Upload) -> int:
    progress = depot.batches()._worker.table.get(upload.id)
    return progress.rows if progress else 0


def test_a_death_before_any_single_call_loses_and_doubles_nothing(depot: Depot) -> None:
    """The first call, then the second, and so on: claim, ranges, chunks, records, results, errors, summary, end."""
    one = session()
    deaths = 0
    while True:
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
        batches = depot.batches(s3=s3)
        batches._worker.table._client = dynamodb
        try:
            batches.work(sqs_event("queue", messages), remaining_ms=lambda: FOREVER_MS)
        except Killed:
            deaths += 1
        else:
            break
        depot.clock += 3_600
        for message in messages:
            depot.sqs.change_message_visibility(
                QueueUrl=depot.names["queue"], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        depot.drain(depot.batches())
        assert depot.ids(upload) == [f"r{n}" for n in range(25) if n not in {4, 24}], deaths
        assert depot.bad_rows(upload) == [6, 26], deaths
        assert depot.summary(upload)["status"] == "done"
    assert deaths > 20
    assert depot.buried() == []


@pytest.mark.slow
def test_killed_ten_times_each_row_is_there_once(emulator: Emulator) -> None:
    """The worker is a process; SIGKILL meets it anywhere: computing, storing, recording, publishing."""
    depot = Depot(emulator.endpoint_url, visibility_s=1)
    bad = list(range(5, ROWS, 97))
    upload = depot.put("uploads/killed.csv", csv_of(ROWS, bad=bad))
    chance = random.Random(20260504)
    kills = 0
    table = depot.batches()._worker.table
    while kills < KILLS:
        with worker(depot, 0.01) as process:
            before, done = runs(depot, upload), rows(depot, upload)
            assert eventually(lambda before=before: runs(depot, upload) > before)  # type: ignore[misc]
            if kills % 2:
                # A worker that gets nowhere is given up after some runs, and a slow machine must not look like that.
                assert eventually(lambda done=done: rows(depot, upload) > done)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.5))
            assert process.poll() is None
        kills += 1
    progress = table.get(upload.id)
    assert progress is not None
    assert progress.runs == KILLS
    assert 0 < progress.rows < ROWS
    with worker(depot, 0) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not depot.exists(upload.summary):
            assert process.poll() is None
            assert time.monotonic() < deadline, depot.batches()._worker.table.get(upload.id)
            time.sleep(0.2)
    assert depot.ids(upload) == [f"r{n}" for n in range(ROWS) if n not in bad]
    assert depot.bad_rows(upload) == [n + 2 for n in bad]
    summary = depot.summary(upload)
    assert (summary["status"], summary["rows"]) == ("done", ROWS)
    assert summary["runs"] == progress.runs + 1
    assert depot.buried() == []
