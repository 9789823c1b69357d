"""`trending-now` with a model made of arithmetic: ``python -m tests.support.fake_champion classify ...``.

A row's probabilities follow from the length of its text. With ``MEMORY_REPORT`` in the environment the process
writes its highest memory use, as Linux counts it, to that file at its end.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cdk.cli import classify
from cdk.cli.main import app
from functions.classification.files.results import ResultFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.classification.files import Row

LABELS = ("Action", "Drama")


def predict(rows: Sequence[Row]) -> list[list[float]]:
    return [[len(row.text) % 100 / 100, 1 / len(row.text)] for row in rows]


def load(model: str, threads: int) -> classify.Classifier:
    assert threads >= 1
    return classify.Classifier(predict, ResultFormat(LABELS, (0.5, 0.5), f"fake-{model}", "0.0.1"))


def report_memory(path: str) -> None:
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    Path(path).write_text(line.split()[1])


if __name__ == "__main__":
    classify.load_champion = load
    if "MEMORY_REPORT" in os.environ:
        atexit.register(report_memory, os.environ["MEMORY_REPORT"])
    app()
