"""Joining chunks: each is fetched once, and once more only where it has error lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.uploads import Depot, csv_of, session

if TYPE_CHECKING:
    from cdk.local.emulator import Emulator


def test_only_chunks_with_errors_are_fetched_again(emulator: Emulator) -> None:
    depot = Depot(emulator.endpoint_url)
    s3 = session().client("s3", endpoint_url=depot.endpoint_url)
    fetched: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        fetched.append(params["Key"])

    s3.meta.events.register("provide-client-params.s3.GetObject", note)
    upload = depot.put("uploads/a.csv", csv_of(200, bad=[4, 5, 123]))
    depot.drain(depot.batches(s3=s3))
    assert depot.bad_rows(upload) == [6, 7, 125]
    chunks = [key for key in fetched if key.startswith("work/")]
    assert sorted(chunks) == sorted(upload.chunk(number) for number in [*range(20), 0, 12])
