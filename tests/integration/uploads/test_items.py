"""Results become items: which, once each, whatever dies; and what the files beside the upload say of it."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cdk.constructs.access import TABLE_ADD
from cdk.local.pollers import sqs_event
from tests.integration.uploads.test_hand_over import rows as rows_of
from tests.integration.uploads.test_hand_over import runs, worker
from tests.support.local import PATIENCE_S, eventually
from tests.support.mortal import Killed, mortal
from tests.support.stores import enrichment, total
from tests.support.table_actions import table_actions
from tests.support.uploads import FOREVER_MS, Depot, a_model, predict, session
from trending_core.decay import DAY
from trending_core.errors import NotFound
from trending_core.models import Draft, Status
from trending_core.ranking import ALL
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk.local.emulator import Emulator
    from functions.classification.files import Row
    from functions.classification.uploads.upload import Upload
    from trending_core.store import ItemStore

ENTRY = 3.5
"""What an item without reviews enters the rankings with: a view, and half a point per point of the score 5."""
KILLS = 6
ROWS = 1_500


@pytest.fixture
def depot(emulator: Emulator) -> Depot:
    made = Depot(emulator.endpoint_url)
    made.keep_items()
    return made


def rows(*changes: dict[str, Any]) -> bytes:
    return b"".join(
        json.dumps({"id": f"r{n}", "title": f"Title {n}", "text": f"A plot, number {n}", **change}).encode()
        + b"\n"
        for n, change in enumerate(changes)
    )


def catalogue(count: int) -> bytes:
    """Give a CSV file whose rows name items; every seventh has no title."""
    lines = ["item_id,title,text"]
    lines += [f'm{n},{"" if n % 7 == 3 else f"Title {n}"},"A plot, number {n}"' for n in range(count)]
    return "\n".join(lines).encode() + b"\n"


def expected(count: int) -> list[str]:
    return [f"m{n}" for n in range(count) if n % 7 != 3]


def lines(depot: Depot, key: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in depot.read(key).splitlines()]


def item_ids(depot: Depot, upload: Upload) -> list[str | None]:
    return [line.get("item_id") for line in lines(depot, upload.results)]


def drained(depot: Depot, upload: Upload, **options: Any) -> dict[str, Any]:
    depot.drain(depot.batches(**options))
    return depot.summary(upload)


def ranked(store: ItemStore) -> list[str]:
    """Give the ids of everything in the ranking of all items."""
    found: list[str] = []
    after = None
    while True:
        page = store.trending(ALL, DAY, limit=100, now=datetime.now(UTC), after=after)
        found += [entry.item.item_id for entry in page.entries]
        after = page.next_place
        if after is None:
            return found


def test_every_row_becomes_an_item_where_the_metadata_asks_for_it(depot: Depot) -> None:
    content = rows({"item_id": "low-tide"}, {}, {"title": ""}, {"item_id": "not an id"}, {"text": ""})
    upload = depot.put("uploads/a.jsonl", content, items="true")
    summary = drained(depot, upload)
    first, second, *others = item_ids(depot, upload)
    assert first == "low-tide"
    assert second is not None
    assert second.startswith("it-")
    assert others == [None, None]
    assert lines(depot, upload.errors) == [
        {"row": 3, "id": "r2", "reason": "classified, but no item: an item needs a title"},
        {
            "row": 4,
            "id": "r3",
            "reason": "classified, but no item: an item's item_id must match the pattern "
            "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        },
        {"row": 5, "reason": "the text is empty"},
    ]
    assert (summary["status"], summary["rows"], summary["classified"], summary["failed"]) == ("done", 5, 4, 1)
    assert summary["items"] == {"stored": 2, "refused": 2}
    assert summary["errors"] == upload.errors
    item = depot.store.get("low-tide")
    assert (item.title, item.status) == ("Title 0", Status.READY)
    assert item.enrichment is not None
    assert (item.enrichment.enriched_by, item.enrichment.model) == ("upload", "fake 0.0.1")
    assert [genre.label for genre in item.enrichment.genres] == ["Action"]
    assert depot.store.draft("low-tide").plot == "A plot, number 0"
    assert sorted(ranked(depot.store)) == sorted(["low-tide", second])


def test_without_metadata_the_rows_that_name_an_item_become_one(depot: Depot) -> None:
    upload = depot.put("uploads/a.jsonl", rows({"item_id": "a"}, {}, {"item_id": None}, {"item_id": 17}))
    summary = drained(depot, upload)
    assert item_ids(depot, upload) == ["a", None, None, "17"]
    assert summary["items"] == {"stored": 2, "refused": 0}
    assert not depot.exists(upload.errors)


def test_metadata_that_says_no_is_obeyed_and_what_is_neither_fails_the_upload(depot: Depot) -> None:
    upload = depot.put("uploads/no.csv", catalogue(3), items="false")
    assert drained(depot, upload)["items"] is None
    assert ranked(depot.store) == []
    odd = depot.put("uploads/odd.csv", catalogue(3), items="perhaps")
    summary = drained(depot, odd)
    assert (summary["status"], summary["reason"]) == (
        "failed",
        "The object's metadata items is neither true nor false.",
    )
    assert len(depot.buried()) == 1
    assert ranked(depot.store) == []


def test_an_item_that_is_there_is_never_overwritten(depot: Depot) -> None:
    now = datetime.now(UTC)
    full = depot.store.complete(
        Draft(item_id="full", title="Title 0", plot="A plot, number 0"), enrichment(score=9), now
    )
    waiting = depot.store.begin(Draft(item_id="waiting", title="Title 1", plot="A plot, number 1"), now).item
    other = depot.store.complete(Draft(item_id="other", title="Other", plot="Other."), enrichment(), now)
    upload = depot.put(
        "uploads/a.jsonl", rows({"item_id": "full"}, {"item_id": "waiting"}, {"item_id": "other"})
    )
    summary = drained(depot, upload)
    assert summary["items"] == {"stored": 2, "refused": 1}
    assert [line["reason"] for line in lines(depot, upload.errors)] == [
        "classified, but no item: there is an item other with another title or text"
    ]
    assert [depot.store.get(name) for name in ("full", "waiting", "other")] == [full, waiting, other]


def test_the_same_rows_in_another_upload_are_the_same_items(depot: Depot) -> None:
    content = rows({}, {}, {})
    first = depot.put("uploads/a.jsonl", content, items="true")
    drained(depot, first)
    second = depot.put("uploads/b.jsonl", content + rows({}), items="true")
    assert drained(depot, second)["items"] == {"stored": 4, "refused": 0}
    assert item_ids(depot, second) == [*item_ids(depot, first), item_ids(depot, first)[0]]
    assert len(ranked(depot.store)) == 3


def test_a_large_file_s_rows_become_items_in_the_state_machine_too(depot: Depot) -> None:
    upload = depot.put("uploads/large.csv", catalogue(45))
    depot.step(depot.batches(map_bytes=0))
    depot.engine.run(depot.steps(), depot.read)
    assert item_ids(depot, upload) == [None if n % 7 == 3 else f"m{n}" for n in range(45)]
    assert depot.summary(upload)["items"] == {"stored": len(expected(45)), "refused": 45 - len(expected(45))}
    assert sorted(ranked(depot.store)) == sorted(expected(45))


def test_the_worker_needs_no_more_of_the_items_table_than_its_role_allows(depot: Depot) -> None:
    client = session().client("dynamodb", endpoint_url=depot.endpoint_url)
    needed = table_actions(client)
    depot.store = DynamoItemStore(client, depot.names["items"])
    depot.store.begin(Draft(item_id="m5", title="Title 5", plot="A plot, number 5"), datetime.now(UTC))
    upload = depot.put("uploads/a.csv", catalogue(9), items="true")
    assert drained(depot, upload)["items"] == {"stored": 8, "refused": 1}
    assert needed == set(TABLE_ADD)


def test_a_death_before_any_single_call_makes_no_second_item(depot: Depot) -> None:
    """S3, the record and the items die alike: before the first call, before the second, and so on."""
    one = session()
    deaths = 0
    store = depot.store
    while True:
        content = b"item_id,title,text\n" + b"".join(
            f"d{deaths}-{n},Title {n},A plot\n".encode() for n in range(12)
        )
        upload = depot.put(f"uploads/dies-{deaths}.csv", content)
        messages = [m for m in depot.receive() if "TestEvent" not in m["Body"]]
        left = deaths

        def die() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        s3 = mortal(one.client("s3", endpoint_url=depot.endpoint_url), die)
        records, items = (
            mortal(one.client("dynamodb", endpoint_url=depot.endpoint_url), die) for _ in range(2)
        )
        depot.store = DynamoItemStore(items, depot.names["items"])
        batches = depot.batches(s3=s3, dynamodb=records)
        try:
            batches.work(sqs_event("queue", messages), remaining_ms=lambda: FOREVER_MS)
        except Killed:
            died = True
        else:
            died = False
        depot.store = store
        depot.clock += 3_600
        for message in messages:
            depot.sqs.change_message_visibility(
                QueueUrl=depot.names["queue"], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        depot.drain(depot.batches())
        wanted = [f"d{deaths}-{n}" for n in range(12)]
        assert item_ids(depot, upload) == wanted, deaths
        assert depot.summary(upload)["items"] == {"stored": 12, "refused": 0}, deaths
        for item_id in wanted:
            now = store.get(item_id).updated_at
            assert total(store, item_id, DAY, now) == pytest.approx(ENTRY, rel=1e-9), (deaths, item_id)
        if not died:
            break
        deaths += 3  # in steps: what lies between two of them is of the same kind
    assert deaths > 20
    assert depot.buried() == []


def test_items_of_an_upload_that_runs_out_of_time_are_finished_by_the_next(depot: Depot) -> None:
    upload = depot.put("uploads/long.csv", catalogue(60))
    batches = depot.batches(reserve_ms=20_000)

    def invocation() -> Any:
        left = [250_000]

        def remaining_ms() -> int:
            left[0] -= 10_000
            return left[0]

        return remaining_ms

    turns = 0
    while depot.step(batches, remaining_ms=invocation()):
        turns += 1
        assert turns < 60
    summary = depot.summary(upload)
    assert (summary["status"], summary["items"]) == (
        "done",
        {"stored": len(expected(60)), "refused": 60 - len(expected(60))},
    )
    assert summary["runs"] > 2
    assert sorted(ranked(depot.store)) == sorted(expected(60))


def test_an_item_store_that_does_not_answer_brings_the_upload_back(depot: Depot) -> None:
    table, depot.names["items"] = depot.names["items"], "gone"
    depot.store = DynamoItemStore(depot.dynamodb, "gone")
    upload = depot.put("uploads/a.csv", catalogue(5))
    taken = depot.step(depot.batches())
    assert taken
    assert not depot.exists(upload.summary)
    depot.store = DynamoItemStore(depot.dynamodb, table)
    depot.clock += 3_600
    batches = depot.batches()
    batches._worker.run(upload, again=False, remaining_ms=lambda: FOREVER_MS, bury=pytest.fail)
    assert depot.summary(upload)["items"] == {"stored": 4, "refused": 1}


@pytest.mark.slow
def test_killed_again_and_again_each_item_is_there_once_and_counted_once(emulator: Emulator) -> None:
    """The worker is a process; SIGKILL meets it while rows become items."""
    depot = Depot(emulator.endpoint_url, visibility_s=1)
    store = depot.keep_items()
    upload = depot.put("uploads/killed.csv", catalogue(ROWS))
    chance = random.Random(20261122)
    for kill in range(KILLS):
        with worker(depot, 0.005) as process:
            before, done = runs(depot, upload), rows_of(depot, upload)
            assert eventually(lambda before=before: runs(depot, upload) > before)  # type: ignore[misc]
            if kill % 2:
                # A worker that gets nowhere is given up after some runs, and a slow machine must not look like that.
                assert eventually(lambda done=done: rows_of(depot, upload) > done)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.5))
            assert process.poll() is None
            assert not depot.exists(upload.summary)
    with worker(depot, 0) as process:
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not depot.exists(upload.summary):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    wanted = expected(ROWS)
    summary = depot.summary(upload)
    assert (summary["status"], summary["rows"]) == ("done", ROWS)
    assert summary["items"] == {"stored": len(wanted), "refused": ROWS - len(wanted)}
    assert [line["item_id"] for line in lines(depot, upload.results) if "item_id" in line] == wanted
    found = ranked(store)
    assert len(found) == len(set(found))
    assert sorted(found) == sorted(wanted)
    for item_id in chance.sample(wanted, 100):
        assert total(store, item_id, DAY, store.get(item_id).updated_at) == pytest.approx(ENTRY, rel=1e-9)
    with pytest.raises(NotFound):
        store.get("m3")
    assert depot.buried() == []


def test_the_model_is_asked_no_second_time_for_items(depot: Depot) -> None:
    asked: list[int] = []

    def counting(batch: Sequence[Row]) -> list[list[float]]:
        asked.append(len(batch))
        return predict(batch)

    depot.put("uploads/a.csv", catalogue(25))
    depot.drain(depot.batches(a_model(counting)))
    assert sum(asked) == 25
