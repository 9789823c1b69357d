"""How large each image and each of its layers is: printed, written to ``build/images/sizes.json``, and bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from cdk.app import ROOT
from tests.support import docker, sizes

if TYPE_CHECKING:
    from tests.support.stack import Assembly

LIMITS_MB: Final = {"classification": 300, "enrichment": 150, "trending": 60}
"""Unpacked, over the base image. The first is the requirement; the others are what they had, and some room."""
OUT: Final = ROOT / "build" / "images" / "sizes.json"


@pytest.mark.parametrize("name", LIMITS_MB)
def test_an_image_is_small_over_its_base(name: str, assembly: Assembly, pytestconfig: pytest.Config) -> None:
    measured = pytestconfig.stash.setdefault(sizes.MEASURED, {})
    found = measured[name] = sizes.measure(assembly.images[name], docker.base_image() or "")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(measured, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert sum(layer["bytes"] for layer in found["layers"]) == pytest.approx(
        found["over_base_bytes"], rel=0.02
    )
    assert found["over_base_bytes"] < LIMITS_MB[name] * sizes.MB


def test_an_image_on_another_base_is_not_measured(assembly: Assembly) -> None:
    with pytest.raises(ValueError, match="not built on"):
        sizes.measure(docker.base_image() or "", assembly.images["trending"])
