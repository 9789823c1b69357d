"""NumPy files between the steps, read so that a missing or damaged one is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model_artifacts.pipeline.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt


def load_arrays(path: Path, names: Iterable[str], step: str) -> dict[str, npt.NDArray[Any]]:
    """Read the named arrays of a ``.npz`` file that ``step`` wrote.

    Raises
    ------
    StepError
        If the file is missing or damaged, or lacks one of them.
    """
    try:
        # Opened here: NumPy leaves a file open that begins like a zip file and is none.
        with path.open("rb") as stream, np.load(stream) as arrays:
            return {name: arrays[name] for name in names}
    except Exception as error:
        raise _unreadable(path, step, error) from error


def load_array(path: Path, step: str) -> npt.NDArray[Any]:
    """Read a ``.npy`` file that ``step`` wrote.

    Raises
    ------
    StepError
        If the file is missing or damaged.
    """
    try:
        with path.open("rb") as stream:
            array: npt.NDArray[Any] = np.load(stream)
    except Exception as error:
        raise _unreadable(path, step, error) from error
    return array


def _unreadable(path: Path, step: str, error: Exception) -> StepError:
    """Say so. A flipped byte makes NumPy raise nearly anything: what `zipfile`, `zlib` and the header's parser have."""
    return StepError(f"{path} is missing or damaged ({error!r}): run the step `{step}`")
