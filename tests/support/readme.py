"""Reads the commands out of a Markdown file, and the answers that it promises for them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_FENCE: Final = re.compile(
    r"(?:<!-- tested by: (?P<elsewhere>[^>]*?) -->\n)?```(?P<language>[a-z]*)\n(?P<text>.*?)```", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Command:
    """One fenced ``sh`` block.

    Parameters
    ----------
    line : int
        Where it starts in the file.
    text : str
        The shell commands.
    answer : Any
        The JSON of a ``json`` block that follows directly, else None.
    elsewhere : str
        The file that runs it instead, from a comment ``<!-- tested by: ... -->`` above the block; else empty.
    """

    line: int
    text: str
    answer: Any
    elsewhere: str


def commands(path: Path) -> list[Command]:
    """Give all ``sh`` blocks in order."""
    content = path.read_text(encoding="utf-8")
    blocks = list(_FENCE.finditer(content))
    found = []
    for number, block in enumerate(blocks):
        if block["language"] != "sh":
            continue
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        promised = following is not None and following["language"] == "json"
        found.append(
            Command(
                line=content.count("\n", 0, block.start("text")),
                text=block["text"],
                answer=json.loads(following["text"]) if promised and following is not None else None,
                elsewhere=block["elsewhere"] or "",
            )
        )
    return found


def agrees(promised: Any, found: Any, *, tolerance: float) -> bool:
    """Say whether an answer is what was promised: the same shape and values, numbers within a tolerance.

    A promised ``"..."`` stands for any value; an object may hold more than was promised only if it promised ``"..."``
    as a key.
    """
    if promised == "...":
        return True
    if isinstance(promised, dict) and isinstance(found, dict):
        wanted = {k: v for k, v in promised.items() if k != "..."}
        keys_fit = wanted.keys() <= found.keys() if "..." in promised else wanted.keys() == found.keys()
        return keys_fit and all(agrees(v, found[k], tolerance=tolerance) for k, v in wanted.items())
    if isinstance(promised, list) and isinstance(found, list):
        if promised and promised[-1] == "...":
            found = found[: len(promised) - 1]
            promised = promised[:-1]
        return len(promised) == len(found) and all(
            agrees(p, f, tolerance=tolerance) for p, f in zip(promised, found, strict=True)
        )
    if isinstance(promised, float) and isinstance(found, (int, float)):
        return abs(promised - found) <= tolerance
    return bool(promised == found)
