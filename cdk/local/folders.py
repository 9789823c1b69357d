"""Folders of the local service."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path


def clear(folder: Path, *, keep: AbstractSet[str]) -> None:
    """Delete what a folder holds, save the entries of these names; a link goes, what it points to stays.

    Raises
    ------
    OSError
        If something cannot be deleted.
    """
    for entry in folder.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
