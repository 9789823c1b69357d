"""The cold-start measurement itself: it times a real runtime client, and a function that fails ends it with its reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cdk.app import ROOT
from tests.bench import cold_start_bench, image_starts, transformers_rival
from tests.bench.cold_start_bench import describe
from tests.bench.lambda_start import Start, cold_start

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_REGION": "us-east-1"}


def handler_of(folder: Path, body: str) -> dict[str, str]:
    (folder / "measured.py").write_text(body)
    return {**ENVIRONMENT, "PYTHONPATH": str(folder)}


def test_time_spent_in_init_and_in_the_handler_is_told_apart(tmp_path: Path) -> None:
    body = "import time\ntime.sleep(0.3)\ndef handler(event, context):\n    time.sleep(0.2)\n    return {'got': event}\n"
    start, answer = cold_start("measured.handler", {"a": 1}, handler_of(tmp_path, body), tmp_path)
    assert answer == {"got": {"a": 1}}
    assert start.init_ms >= 300
    assert start.answer_ms - start.init_ms >= 200


def test_a_function_that_fails_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    environment = handler_of(tmp_path, "raise RuntimeError('no model here')\n")
    with pytest.raises(SystemExit, match="no model here"):
        cold_start("measured.handler", {}, environment, tmp_path)


def test_medians_are_of_all_counted_starts() -> None:
    starts = [Start(100, 110, 90), Start(300, 330, 95), Start(200, 220, 85)]
    assert describe(starts) == {
        "init_ms": 200,
        "first_answer_ms": 220,
        "longest_first_answer_ms": 330,
        "cpu_ms": 90,
    }


def test_processor_time_counts_work_and_not_waiting(tmp_path: Path) -> None:
    wait = "import time\ntime.sleep(1)\ndef handler(event, context):\n    return {}\n"
    work = (
        "import time\nwhile time.process_time() < 1:\n    pass\ndef handler(event, context):\n    return {}\n"
    )
    for name, body in (("wait", wait), ("work", work)):
        (tmp_path / name).mkdir()
        start, _ = cold_start("measured.handler", {}, handler_of(tmp_path / name, body), tmp_path / name)
        assert start.init_ms >= 1000
        assert (start.cpu_ms >= 1000) == (name == "work")


def test_without_the_rival_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tests/bench/cold_start_bench.py", "--rival", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"pip install --target {tmp_path} transformers" in done.stderr


@pytest.mark.parametrize(
    ("first_answer_ms", "times_faster", "sentences"),
    [
        (600, 10, []),
        (601, 10, ["longer than 600 ms"]),
        (600, 9.9, ["less than 10 times as fast"]),
        (601, 9.9, ["longer than 600 ms", "less than 10 times as fast"]),
    ],
)
def test_a_missed_bound_is_said_and_is_the_exit_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first_answer_ms: float,
    times_faster: float,
    sentences: list[str],
) -> None:
    measured = {
        "ours": {"first_answer_ms": first_answer_ms},
        "times_faster": {"first_answer": {"median": times_faster}},
    }
    monkeypatch.setattr(cold_start_bench, "compare", lambda *_: measured)
    monkeypatch.setattr(transformers_rival, "missing", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["cold_start_bench.py", "--out", str(tmp_path / "out.json")])

    assert cold_start_bench.main() == (1 if sentences else 0)

    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(sentences)
    assert all(part in line for part, line in zip(sentences, said, strict=True))
    assert json.loads((tmp_path / "out.json").read_text())["process"] == measured


def test_our_function_starts_and_answers(tmp_path: Path) -> None:
    from model_artifacts.registry import Registry  # noqa: PLC0415 -- only this test needs a model
    from tests.bench.cold_start_bench import EVENT, environments  # noqa: PLC0415

    ours, _ = environments(Registry.load().resolve("genre-bert"), tmp_path, tmp_path)
    start, answer = cold_start(
        "functions.classification.handler.handler", json.loads(EVENT.read_text()), ours, ROOT
    )
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["genres"][0]["label"] == "Western"
    assert 0 < start.init_ms <= start.answer_ms


def test_an_image_is_described_by_the_medians_of_its_starts() -> None:
    found = image_starts.describe([(1, 10, 5), (3, 30, 7), (2, 500, 6)])
    assert found == {"init_ms": 2, "first_answer_ms": 30, "docker_alone_ms": 6, "rounds": 3}
