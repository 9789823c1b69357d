"""What a finished step leaves behind: a digest of everything it was made from.

That is its part of the recipe, the corpus files, the teacher's training where there is one, and the stamp of the step before.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from model_artifacts.pipeline.files import sha256
from model_artifacts.pipeline.prepare import corpus_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from model_artifacts.pipeline.steps import Run

STAMP: Final = "stamp.json"
_RECIPE_PARTS: Final[dict[str, dict[str, Any]]] = {
    "prepare": {"prepare": True},
    "cross-fit": {"joint": {"folds", "seed"}, "wide": True},
    "teach": {"teacher": True},
    "train": dict.fromkeys(
        ("model", "train", "layers", "distil", "joint", "teacher", "answers_share", "trees"), True
    ),
    "quantize": {"quantize": True},
    "wide": {"wide": True},
    "calibrate": {"version": True, "description": True, "serve": True},
}
"""What of the recipe a step reads beyond what the steps before it read."""

_FORMATS: Final = {"calibrate": 2, "evaluate": 3, "report": 3}
"""Raised when a step writes more than it did, so that what it wrote before is due again. Training takes hours and is due for
its own inputs alone: no step before `calibrate` has a number here."""


def stamps_of(run: Run, steps: Iterable[str]) -> dict[str, str]:
    """Digest what each of the steps, given in their order, is made from: a chain."""
    corpus = {split: sha256(corpus_file(run.corpus, split)) for split in ("train", "validation")}
    chain = json.dumps([corpus, run.skip_bad_lines], sort_keys=True)
    stamps = {}
    for name in steps:
        part = run.recipe.model_dump_json(include=_RECIPE_PARTS.get(name, {}), exclude_none=True)
        if name == "train" and run.teacher is not None:
            part += f"\n{stamp_in(run.teacher / name)}"
        if name in _FORMATS:
            part += f"\nformat {_FORMATS[name]}"
        chain = hashlib.sha256(f"{chain}\n{name}\n{part}".encode()).hexdigest()
        stamps[name] = chain
    return stamps


def stamp_in(folder: Path) -> str | None:
    """Read the stamp of a step's folder; None where it has not finished there."""
    try:
        content = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(content.get("made_from")) if isinstance(content, dict) else None
