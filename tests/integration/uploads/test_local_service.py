"""The whole path on this machine as `make serve` runs it, driven by the commands: bucket, queue, poller, worker, results."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cdk.cli import main
from cdk.local.aws import AwsCompanion
from cdk.local.pollers import queue_pollers
from cdk.local.service import LocalService, ServeOptions
from cdk.service import Service, service
from tests.support.uploads import csv_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


def spec() -> Service:
    full = service("local")
    return replace(full, functions=(full.function("uploads"),))


def serve(folder: Path, use: Callable[[], None]) -> list[str]:
    """Run the service, use it from a thread, stop it; give every line that the function wrote."""
    lines: list[str] = []

    async def run() -> None:
        one = spec()
        aws = AwsCompanion(one, folder / "aws")
        local = LocalService(
            one,
            ServeOptions(root=ROOT, data=folder, port=0),
            lambda _, line: lines.append(line),
            companions=(aws,),
            sources=queue_pollers(one, aws),
        )
        try:
            await local.start()
            await asyncio.to_thread(use)
        finally:
            await local.stop()

    asyncio.run(run())
    return lines


def command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main.app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


@pytest.mark.slow
def test_a_file_goes_in_and_results_come_out(tmp_path: Path) -> None:
    data = tmp_path / "data"
    good, bad, out = tmp_path / "plots +é.csv", tmp_path / "bad.csv", tmp_path / "out.jsonl"
    good.write_bytes(csv_of(60, bad=[7]))
    bad.write_text("id,plot\n1,A plot\n", encoding="utf-8")

    def use() -> None:
        code, said = command("upload", good, "--data", data, "--output", out)
        assert code == 3, said
        assert "59 rows classified, 1 not; results: s3://files/results/plots +é.csv.jsonl" in said
        code, said = command("upload", bad, "--data", data, "--wait")
        assert (code, said.splitlines()[-1]) == (
            1,
            "trending-now: uploads/bad.csv has no column named text in its first line",
        )
        for _ in range(2):  # it is still there after it was redriven, because it can never succeed
            code, said = command("uploads", "dead-letters", "--data", data)
            assert (code, said.splitlines()) == (
                0,
                [
                    "uploads/bad.csv: uploads/bad.csv has no column named text in its first line",
                    "1 message in the dead-letter queue",
                ],
            )
            code, said = command("uploads", "redrive", "--data", data)
            assert (code, said.splitlines()[-1]) == (0, "1 message sent back to the queue")
            code, said = command("upload", good, "--data", data, "--wait")  # after the redriven one
            assert code == 3, said

    lines = serve(data, use)
    results = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [result["id"] for result in results] == [f"r{n}" for n in range(60) if n != 7]
    assert {result["model"]["name"] for result in results} == {"genre-bert"}
    assert "A plot, number" not in "\n".join(lines)
    code, said = command("upload", good, "--data", data)
    assert code == 1
    assert said.startswith(f"trending-now: no service runs with the data folder {data}: start")


@pytest.mark.slow
def test_rows_get_the_same_answer_whichever_way_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    small, large, out = tmp_path / "small.csv", tmp_path / "large.csv", tmp_path / "out.jsonl"
    small.write_bytes(csv_of(20))
    large.write_bytes(csv_of(60, bad=[30]))
    monkeypatch.setenv("UPLOAD_MAP_BYTES", str(small.stat().st_size))

    def use() -> None:
        code, said = command("upload", small, "--data", data, "--output", out)
        assert code == 0, said
        code, said = command("upload", large, "--data", data, "--output", out.with_suffix(".large"))
        assert code == 3, said
        assert "59 rows classified, 1 not; results: s3://files/results/large.csv.jsonl" in said

    lines = "\n".join(serve(data, use))
    results = out.with_suffix(".large").read_bytes().splitlines()
    assert results[:20] == out.read_bytes().splitlines()
    assert [json.loads(result)["id"] for result in results] == [f"r{n}" for n in range(60) if n != 30]
    assert "FailedSteps" in lines


def test_a_deployed_service_needs_all_of_its_names(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(csv_of(1))
    code, said = command("upload", file, "--bucket", "files")
    assert (code, said) == (
        1,
        "trending-now: a deployed service needs all of its names: upload-progress is not given\n",
    )
