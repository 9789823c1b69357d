"""Who has an upload, where two ask at once: nobody's notes are lost, and nobody takes what another works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.classification.uploads.errors import Busy
from functions.classification.uploads.progress import Status
from tests.support.executions import record
from tests.support.uploads import Depot, csv_of, session
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdk.local.emulator import Emulator


@pytest.fixture(scope="module")
def depot(emulator: Emulator) -> Depot:
    return Depot(emulator.endpoint_url)


def between(depot: Depot, act: Callable[[], object]) -> Any:
    """Give a client before whose first write ``act`` is done, as by somebody who was faster."""
    left = [act]

    def before(operation_name: str, **_: Any) -> None:
        if operation_name in {"PutItem", "UpdateItem"} and left:
            left.pop()()

    client = session().client("dynamodb", endpoint_url=depot.endpoint_url)
    client.meta.events.register("before-call.dynamodb", lambda model, **_: before(model.name))
    return client


def test_what_a_batch_notes_while_its_upload_is_claimed_stays(depot: Depot) -> None:
    upload = depot.put("uploads/noted.csv", csv_of(30))
    depot.drain(depot.batches(map_bytes=0))
    dynamodb = between(depot, lambda: depot.table().add_done(upload, 1, 2))
    taken = depot.table(dynamodb).claim_mapped(upload, 1)
    assert taken is not None
    assert (taken.done, taken.starts) == (frozenset({2}), 1)
    assert record(depot, upload) == taken


def test_a_worker_that_goes_on_while_it_is_given_up_keeps_the_upload(depot: Depot) -> None:
    upload = depot.put("uploads/slow.csv", csv_of(30))
    table = depot.table()
    slow = table.claim(upload, chunk_rows=10, again=False)
    depot.clock += table.lease_s
    dynamodb = between(depot, lambda: table.advance(slow, chunks=1, rows=10))
    with pytest.raises(Busy):
        depot.table(dynamodb).claim(upload, chunk_rows=10, again=False)
    assert (record(depot, upload).owner, record(depot, upload).chunks) == (slow.owner, 1)


def test_an_upload_that_ends_while_it_is_claimed_has_ended(depot: Depot) -> None:
    upload = depot.put("uploads/ended.csv", csv_of(30))
    table = depot.table()
    first = table.claim(upload, chunk_rows=10, again=False)
    depot.clock += table.lease_s
    dynamodb = between(depot, lambda: table.advance(first, status=Status.DONE, lease_until=0.0))
    with pytest.raises(Busy):
        depot.table(dynamodb).claim(upload, chunk_rows=10, again=False)
    assert record(depot, upload).status is Status.DONE


def test_who_breaks_off_leaves_what_others_wrote(depot: Depot) -> None:
    upload = depot.put("uploads/broken.csv", csv_of(30))
    depot.drain(depot.batches(map_bytes=0))
    table = depot.table()
    taken = table.claim_mapped(upload, 1)
    assert taken is not None
    table.add_done(upload, 1, 0)
    with pytest.raises(ZeroDivisionError), table.held(taken):
        raise ZeroDivisionError
    assert (record(depot, upload).done, record(depot, upload).lease_until) == (frozenset({0}), 0.0)
    again = table.claim_mapped(upload, 1)
    assert again is not None
    # The first one, late, no longer has it: nothing of the second one's claim is touched.
    with pytest.raises(Unavailable), table.held(taken):
        raise Unavailable("S3 does not answer.")  # noqa: EM101 -- a test
    assert record(depot, upload) == again


def test_busy_passes_without_a_release(depot: Depot) -> None:
    upload = depot.put("uploads/busy.csv", csv_of(30))
    table = depot.table()
    taken = table.claim(upload, chunk_rows=10, again=False)
    with pytest.raises(Busy), table.held(taken):
        raise Busy(1)
    assert record(depot, upload).lease_until == taken.lease_until > depot.clock
