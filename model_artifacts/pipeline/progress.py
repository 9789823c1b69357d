"""How far a training has come: one JSON object a line, which the report draws."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from model_artifacts.pipeline.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

LOG: Final = "log.jsonl"


def log_progress(folder: Path, line: Mapping[str, float | None]) -> None:
    """Append a line to the log in ``folder`` and show what it says; None is written and not shown."""
    with (folder / LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    logger.info("%s", "  ".join(f"{name} {value}" for name, value in line.items() if value is not None))


def read_progress(folder: Path, step: str) -> list[dict[str, Any]]:
    """Read the log that ``step`` wrote into ``folder``.

    Raises
    ------
    StepError
        If it is missing or damaged.
    """
    path = folder / LOG
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path} is missing or damaged ({error}): run the step `{step}`"
        raise StepError(message) from error
    if not all(isinstance(line, dict) and {"step", "loss"} <= line.keys() for line in lines):
        message = f"{path} is damaged (a line lacks step or loss): run the step `{step}`"
        raise StepError(message)
    return lines
