"""How large an image is over its base, layer by layer, and the table of it that a test run ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support import docker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MB: Final = 1_000_000
MEASURED: Final = pytest.StashKey[dict[str, dict[str, Any]]]()
"""What a run has measured so far, by image."""
_HISTORY: Final = ("history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}")
_WIDTH: Final = 110


def measure(image: str, base: str) -> dict[str, Any]:
    """Give an image's sizes: ``bytes``, ``over_base_bytes``, and ``layers`` over the base, the topmost first.

    Raises
    ------
    ValueError
        If the image is not built on that base.
    """
    below, whole = docker.inspect(base), docker.inspect(image)
    shared = below["RootFS"]["Layers"]
    if whole["RootFS"]["Layers"][: len(shared)] != shared:
        message = f"{image} is not built on {base}"
        raise ValueError(message)
    steps, inherited = _steps(image), len(_steps(base))
    return {
        "bytes": whole["Size"],
        "over_base_bytes": whole["Size"] - below["Size"],
        "layers": [
            {"bytes": size, "made_by": made_by} for size, made_by in steps[: len(steps) - inherited] if size
        ],
    }


def _steps(image: str) -> list[tuple[int, str]]:
    """Give an image's history, the newest step first."""
    lines = docker.docker(*_HISTORY, image).splitlines()
    return [(int(size), made_by) for size, _, made_by in (line.partition("\t") for line in lines)]


def table(measured: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Give the lines of a table, unpacked sizes in MB."""
    for name, sizes in sorted(measured.items()):
        yield f"{sizes['over_base_bytes'] / MB:8.1f} MB  {name}, over its base"
        for layer in sizes["layers"]:
            yield f"{layer['bytes'] / MB:8.1f}       {layer['made_by'][:_WIDTH]}"
