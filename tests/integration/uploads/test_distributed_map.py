"""Large files through the emulator's Distributed Map, as `make serve` runs it: bucket, queue, worker, batches, results."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cdk.cli import main
from cdk.local.aws import AwsCompanion
from cdk.local.pollers import queue_pollers
from cdk.local.service import LocalService, ServeOptions
from cdk.service import Service, service
from functions.classification.uploads.progress import FINAL, ProgressTable, Status
from functions.classification.uploads.upload import Upload
from tests.support import faulty
from tests.support.local import ROOT, eventually
from tests.support.uploads import Depot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 20_000
CHUNK_ROWS = 512
BATCHES = 5
"""40 chunks, eight a batch."""
BAD = frozenset(range(11, ROWS, 997))
KILLS = 7_000


@dataclass(frozen=True)
class Here:
    """The service while it runs."""

    aws: AwsCompanion
    data: Path

    def client(self, name: str) -> Any:
        return self.aws.session().client(name, endpoint_url=self.aws.endpoint_url)

    def read(self, key: str) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket="files", Key=key)["Body"].read()
        return body

    def upload(self, file: Path, *options: object) -> tuple[int, str]:
        arguments = ["upload", file, "--data", self.data, *options]
        done = CliRunner().invoke(main.app, [str(argument) for argument in arguments])
        return done.exit_code, done.output

    def executions(self) -> list[dict[str, Any]]:
        """Give every execution of the state machine with its map runs, the latest first."""
        states = self.client("stepfunctions")
        listed = states.list_executions(stateMachineArn=self.aws.names["upload-map"])["executions"]
        return [
            {
                **entry,
                "runs": [
                    states.describe_map_run(mapRunArn=run["mapRunArn"])
                    for run in states.list_map_runs(executionArn=entry["executionArn"])["mapRuns"]
                ],
            }
            for entry in listed
        ]


def spec(**environment: str) -> Service:
    full = service("local")
    function = replace(
        full.function("uploads"),
        handler="tests.support.handlers.uploads.handler",
        environment=environment,
    )
    return replace(full, functions=(function,))


def serve(folder: Path, use: Callable[[Here], None], **environment: str) -> list[str]:
    """Run the service, use it from a thread, stop it; give every line that the function wrote."""
    lines: list[str] = []
    marks = folder / "marks"
    marks.mkdir(exist_ok=True)

    async def run() -> None:
        one = spec(MARKS=str(marks), **environment)
        # What waits between two tries is a fiftieth.
        aws = AwsCompanion(one, folder / "data" / "aws", settings={"SFN_WAIT_SCALE": "0.02"})
        local = LocalService(
            one,
            ServeOptions(root=ROOT, data=folder / "data", port=0),
            lambda _, line: lines.append(line),
            companions=(aws,),
            sources=queue_pollers(one, aws),
        )
        try:
            await local.start()
            await asyncio.to_thread(use, Here(aws, folder / "data"))
        finally:
            await local.stop()

    asyncio.run(run())
    return lines


def row(number: int, *, ending: str = "a town and its river") -> str:
    return f"r{number}\n" if number in BAD else f'r{number},"A plot, number {number}, of {ending}"\n'


@pytest.mark.slow
def test_twenty_thousand_rows_a_killed_worker_and_a_batch_that_always_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_MAP_BYTES", "50000")
    large, broken, out = tmp_path / "large.csv", tmp_path / "broken.csv", tmp_path / "out.jsonl"
    large.write_text(
        "id,text\n"
        + "".join(row(n, **({"ending": faulty.KILL_ONCE} if n == KILLS else {})) for n in range(ROWS))
    )
    broken.write_text(
        "id,text\n" + "".join(row(n, **({"ending": faulty.BREAK} if n == 700 else {})) for n in range(2_000))
    )
    assert min(large.stat().st_size, broken.stat().st_size) > 50_000

    def use(here: Here) -> None:
        code, said = here.upload(large, "--output", out)
        assert code == 3, said
        wanted = f"{ROWS - len(BAD):,} rows classified, {len(BAD)} not"
        assert f"{wanted}; results: s3://files/results/large.csv.jsonl" in said
        assert [mark.name for mark in (tmp_path / "marks").iterdir()] == [f"r{KILLS}"]
        (execution,) = here.executions()
        assert execution["status"] == "SUCCEEDED"
        (run,) = execution["runs"]
        assert (run["itemCounts"]["total"], run["itemCounts"]["succeeded"]) == (BATCHES, BATCHES)
        assert run["maxConcurrency"] == 2
        compare_with_the_queue(here)

        code, said = here.upload(broken, "--wait")
        reason = (
            "6 tries got no further than rows 513 to 1024 "
            "(StepBroke: An unexpected error ended the step (RuntimeError).)."
        )
        assert (code, said.splitlines()[-1]) == (1, f"trending-now: {reason}")
        assert "classified" not in said
        summary = json.loads(here.read("results/broken.csv.summary.json"))
        assert (summary["status"], summary["reason"], summary["results"]) == ("failed", reason, None)
        found = here.client("sqs").receive_message(
            QueueUrl=here.aws.names["new-uploads-dead-letters"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
        )["Messages"]
        assert [message["MessageAttributes"]["reason"]["StringValue"] for message in found] == [reason]
        assert "broken.csv" in found[0]["Body"]
        assert sorted(entry["status"] for entry in here.executions()) == ["FAILED", "SUCCEEDED"]

    def compare_with_the_queue(here: Here) -> None:
        depot = Depot(here.aws.endpoint_url)
        same = depot.put("uploads/large.csv", large.read_bytes())
        depot.drain(depot.batches(chunk_rows=CHUNK_ROWS))
        assert depot.engine.inputs == {}
        assert here.read("results/large.csv.jsonl") == depot.read(same.results) == out.read_bytes()
        assert here.read("results/large.csv.errors.jsonl") == depot.read(same.errors)
        mapped, queued = json.loads(here.read("results/large.csv.summary.json")), depot.summary(same)
        for moving in ("began_at", "ended_at", "runs", "upload"):
            mapped.pop(moving)
            queued.pop(moving)
        assert mapped == queued

    lines = serve(tmp_path, use)
    results = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [result["id"] for result in results] == [f"r{n}" for n in range(ROWS) if n not in BAD]
    # Neither a text nor an error that holds one reaches the log.
    assert "A plot, number" not in "\n".join(lines)


@pytest.mark.slow
def test_a_service_that_is_stopped_goes_on_with_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_MAP_BYTES", "50000")
    file = tmp_path / "slow.csv"
    file.write_text("id,text\n" + "".join(row(n) for n in range(5_000)))
    sent: list[Upload] = []

    def table(here: Here) -> ProgressTable:
        return ProgressTable(
            here.client("dynamodb"), here.aws.names["upload-progress"], lease_s=0, now=time.time
        )

    def begin(here: Here) -> None:
        code, said = here.upload(file)
        assert code == 0, said
        head = here.client("s3").head_object(Bucket="files", Key="uploads/slow.csv")
        sent.append(Upload("files", "uploads/slow.csv", head["VersionId"], head["ETag"].strip('"')))

        def some() -> bool:
            found = table(here).get(sent[0].id)
            return found is not None and len(found.done) > 0

        assert eventually(some)

    def go_on(here: Here) -> None:
        found = table(here).get(sent[0].id)
        assert found is not None
        # On a busy machine the watch may have started the next execution before this looks.
        assert found.status is Status.MAPPED
        assert found.generation in {1, 2}
        assert 0 < len(found.done) < found.chunks

        def ended() -> bool:
            found = table(here).get(sent[0].id)
            return found is not None and found.status in FINAL

        assert eventually(ended)
        assert sorted(entry["status"] for entry in here.executions()) == ["FAILED", "SUCCEEDED"]
        lines = here.read("results/slow.csv.jsonl").splitlines()
        assert [json.loads(line)["id"] for line in lines] == [f"r{n}" for n in range(5_000) if n not in BAD]

    serve(tmp_path, begin, ROW_S="0.004", UPLOAD_WATCH_S="1")
    serve(tmp_path, go_on, UPLOAD_WATCH_S="1")
