"""One form of the trained network: a file, and a way to run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

Network = Callable[["npt.NDArray[Any]", "npt.NDArray[Any]"], "npt.NDArray[Any]"]
"""Token ids and mask, int32 ``[1, tokens]``, to logits, float32 ``[1, 18]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A form of the network.

    Parameters
    ----------
    name : str
        Unique within a study.
    family : str
        What a plot gives one colour: the runtime, or ``pruned``.
    file : Path
        All that a service would have to ship of it, for the size.
    load : callable
        Opens the file for one thread.
    note : str
        What a reader must know to judge its figures; a sentence or nothing.
    """

    name: str
    family: str
    file: Path
    load: Callable[[], Network]
    note: str = ""
