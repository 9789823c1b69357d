"""Repeated events, two events for one object, and overwriting: which version's results lie there at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.classification.uploads.messages import write_message
from functions.classification.uploads.progress import Status
from tests.support.uploads import Depot, a_model, csv_of, predict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cdk.local.emulator import Emulator
    from functions.classification.files import Row
    from functions.classification.uploads.upload import Upload
    from functions.classification.uploads.worker import Model


@pytest.fixture(params=[True, False], ids=["versioned", "unversioned"])
def depot(emulator: Emulator, request: pytest.FixtureRequest) -> Depot:
    return Depot(emulator.endpoint_url, versioned=request.param)


def send(depot: Depot, upload: Upload, times: int = 1) -> None:
    for _ in range(times):
        depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody=write_message(upload))


def once(act: Callable[[], object], after: int = 0) -> Model:
    """Give a model that acts a single time, before its batch number ``after``."""
    seen = 0

    def predicting(rows: Sequence[Row]) -> list[list[float]]:
        nonlocal seen
        seen += 1
        if seen == after + 1:
            act()
        return predict(rows)

    return a_model(predicting)


def status(depot: Depot, upload: Upload) -> Status:
    record = depot.batches()._worker.table.get(upload.id)
    assert record is not None
    return record.status


def writes(depot: Depot, key: str) -> int:
    versions = depot.s3.list_object_versions(Bucket=depot.name, Prefix=key).get("Versions", [])
    return sum(version["Key"] == key for version in versions)


def test_the_same_event_three_times_is_worked_on_once(depot: Depot) -> None:
    upload = depot.put("uploads/a.csv", csv_of(25, bad=[7]))
    send(depot, upload, 2)
    called: list[int] = []

    def counting(rows: Sequence[Row]) -> list[list[float]]:
        called.append(len(rows))
        return predict(rows)

    depot.drain(depot.batches(a_model(counting)))
    assert sum(called) == 24
    assert depot.ids(upload) == [f"r{n}" for n in range(25) if n != 7]
    assert depot.bad_rows(upload) == [9]
    assert (writes(depot, upload.results), writes(depot, upload.summary)) == (1, 1)
    assert depot.buried() == []


def test_a_repeated_bad_file_is_buried_once(depot: Depot) -> None:
    upload = depot.put("uploads/bad.csv", b"")
    send(depot, upload, 2)
    depot.drain(depot.batches())
    assert len(depot.buried()) == 1


def test_an_event_that_arrives_while_its_twin_is_worked_on_waits_without_using_deliveries(
    depot: Depot,
) -> None:
    upload = depot.put("uploads/a.csv", csv_of(25))
    delays: list[int] = []

    def second_worker() -> None:
        send(depot, upload)
        batches = depot.batches()
        queue = batches._queue
        resend = queue.send

        def noting(upload: Upload, *, delay_s: int = 0) -> None:
            delays.append(delay_s)
            resend(upload)  # at once: the test does not wait

        queue.send = noting  # type: ignore[method-assign]
        assert depot.step(batches) == 1

    depot.drain(depot.batches(once(second_worker)))
    assert len(delays) == 1
    assert 0 < delays[0] <= 61
    assert depot.ids(upload) == [f"r{n}" for n in range(25)]
    assert writes(depot, upload.summary) == 1


def test_a_worker_that_was_thought_dead_does_no_harm(depot: Depot) -> None:
    """Its lease passes while it computes; a second worker ends the upload; then the first one goes on."""
    upload = depot.put("uploads/a.csv", csv_of(25, bad=[3]))

    def second_worker() -> None:
        depot.clock += 3_600
        send(depot, upload)
        depot.drain(depot.batches())
        assert depot.summary(upload)["status"] == "done"

    depot.drain(depot.batches(once(second_worker, after=1)))
    assert depot.ids(upload) == [f"r{n}" for n in range(25) if n != 3]
    assert depot.bad_rows(upload) == [5]
    assert depot.summary(upload)["runs"] == 2


@pytest.mark.parametrize("batch", [0, 2])
def test_an_overwrite_while_the_first_version_is_worked_on(depot: Depot, batch: int) -> None:
    made: list[Upload] = []
    first = depot.put("uploads/a.csv", csv_of(25))
    model = once(lambda: made.append(depot.put("uploads/a.csv", csv_of(12, start=100))), after=batch)
    depot.drain(depot.batches(model))
    (second,) = made
    assert depot.ids(second) == [f"r{n}" for n in range(100, 112)]
    assert depot.summary(second)["upload"]["etag"] == second.etag
    assert (status(depot, first), status(depot, second)) == (Status.SUPERSEDED, Status.DONE)
    assert depot.buried() == []


def test_an_older_version_that_comes_late_changes_nothing(depot: Depot) -> None:
    first = depot.put("uploads/a.csv", csv_of(5))
    (message,) = [m for m in depot.receive() if "TestEvent" not in m["Body"]][-1:]
    depot.sqs.delete_message(QueueUrl=depot.names["queue"], ReceiptHandle=message["ReceiptHandle"])
    second = depot.put("uploads/a.csv", csv_of(3, start=50))
    depot.drain(depot.batches())
    before = depot.read(second.summary)
    send(depot, first)
    depot.drain(depot.batches())
    assert depot.ids(second) == ["r50", "r51", "r52"]
    assert depot.read(second.summary) == before
    assert status(depot, first) is Status.SUPERSEDED


def test_a_superseded_upload_says_so_until_the_newer_one_is_done(depot: Depot) -> None:
    first = depot.put("uploads/a.csv", csv_of(5))
    depot.put("uploads/a.csv", csv_of(3))
    batches = depot.batches()
    batches._worker.run(first, again=False, remaining_ms=lambda: 900_000, bury=pytest.fail)
    summary = depot.summary(first)
    assert (summary["status"], summary["results"]) == ("superseded", None)
    depot.drain(batches)
    assert depot.summary(first)["status"] == "done"


def test_a_newer_version_that_publishes_between_the_question_and_the_writing_wins(depot: Depot) -> None:
    """The narrowest race: the older one has asked, and writes after the newer one is complete."""
    made: list[Upload] = []
    depot.put("uploads/a.csv", csv_of(5, bad=[1]))
    batches = depot.batches()
    targets = batches._worker._ending._publisher._targets

    def and_then(upload: Upload) -> Any:
        found = targets(upload)
        results = found[0]
        write = results.write

        def late(content: Any, **options: Any) -> Any:
            if not made:
                made.append(depot.put("uploads/a.csv", csv_of(3, start=50, bad=[51])))
                depot.drain(depot.batches())
            return write(content, **options)

        results.write = late  # type: ignore[method-assign]
        return found

    batches._worker._ending._publisher._targets = and_then  # type: ignore[method-assign]
    depot.drain(batches)
    assert depot.ids(made[0]) == ["r50", "r52"]
    assert depot.bad_rows(made[0]) == [3]
    assert depot.summary(made[0])["upload"]["etag"] == made[0].etag


def test_nothing_of_an_older_version_stays(depot: Depot) -> None:
    first = depot.put("uploads/a.csv", csv_of(5, bad=[1]))
    depot.drain(depot.batches())
    depot.put("uploads/a.csv", csv_of(3))
    depot.drain(depot.batches())
    assert depot.read(first.errors) == b""
    depot.put("uploads/a.csv", b"")
    depot.drain(depot.batches())
    assert depot.read(first.results) == b""
