"""The benchmark itself runs to its end; what it measures is for the README, not for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_benchmark_measures_both_sides_and_writes_what_it_prints(tmp_path: Path) -> None:
    out = tmp_path / "result.json"

    done = subprocess.run(
        [sys.executable, "tests/bench/genre_model_bench.py", "--rounds", "1", "--out", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )

    result = json.loads(out.read_text())
    assert result == json.loads(done.stdout)
    assert result["cold_start"]["genre_model_ms"] > 0
    assert result["cold_start"]["rival_ms"] > 0
    assert result["agreement"]["largest_probability_difference"] > 0
    assert set(result["warm_by_tokens"]) == {"32", "64", "128"}
    assert set(result["warm_by_tokens"]["64"]) == {"torch", "onnxruntime_fp32"}
    assert set(result["student_by_tokens"]) == {"32", "64", "128"}
    assert result["ms_per_window_by_tokens_and_batch"]["64"].keys() == {"1", "4", "8", "16"}
