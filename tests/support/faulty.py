"""A model made of arithmetic that ends its process, or breaks, on rows that say so."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from functions.classification.files.results import ResultFormat
from functions.classification.uploads.worker import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.classification.files import Row

LABELS = ("Action", "Drama")
KILL_ONCE = "kills its worker, once"
BREAK = "breaks its worker, always"


def predict(rows: Sequence[Row]) -> list[list[float]]:
    time.sleep(float(os.environ.get("ROW_S", "0")) * len(rows))
    for row in rows:
        if row.text.endswith(KILL_ONCE):
            mark = Path(os.environ["MARKS"]) / row.id
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if row.text.endswith(BREAK):
            raise RuntimeError(row.text)
    return [[len(row.text) % 100 / 100, 1 / len(row.text)] for row in rows]


MODEL = Model(predict, ResultFormat(LABELS, (0.5, 0.5), "fake", "0.0.1"))
