"""What a stopped or repeated study need not compute again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, TypeVar

from model_artifacts.pipeline.files import write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def digest(*parts: object) -> str:
    """Digest anything that JSON can spell, as 16 hex digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def remembered(folder: Path, key: str, compute: Callable[[], T]) -> T:
    """Give a JSON value computed before under the same key, or compute and keep it.

    Parameters
    ----------
    folder : Path
        One file a key.
    key : str
        A `digest` of all that the value depends on.
    compute : callable
        Gives the value; it must be what JSON gives back.
    """
    path = folder / f"{key}.json"
    try:
        value: T = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = compute()
        write_json(path, value)
    return value
