"""How large each image and each of its layers is, written to ``build/images/sizes.json``, and the bound that it keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from cdk.app import ROOT
from tests.support import docker

if TYPE_CHECKING:
    from tests.support.stack import Assembly

MB: Final = 1_000_000
LIMITS_MB: Final = {"classification": 300, "enrichment": 150, "trending": 60}
"""Unpacked, over the base image. The first is the requirement; the others are what they had, and some room."""
OUT: Final = ROOT / "build" / "images" / "sizes.json"


@pytest.mark.parametrize("name", LIMITS_MB)
def test_an_image_is_small_over_its_base(name: str, assembly: Assembly) -> None:
    base = docker.inspect(docker.base_image() or "")
    image = docker.inspect(assembly.images[name])
    shared = len(base["RootFS"]["Layers"])
    assert image["RootFS"]["Layers"][:shared] == base["RootFS"]["Layers"], "it is not built on the base image"
    history = docker.docker(
        "history",
        "--no-trunc",
        "--human=false",
        "--format",
        "{{.Size}}\t{{.CreatedBy}}",
        assembly.images[name],
    )
    steps = [line.partition("\t")[::2] for line in history.splitlines()]
    layers = [{"bytes": int(size), "made_by": made_by} for size, made_by in steps if int(size)]
    over_base = image["Size"] - base["Size"]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    known[name] = {"bytes": image["Size"], "over_base_bytes": over_base, "layers": layers[:-shared]}
    OUT.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    assert sum(layer["bytes"] for layer in known[name]["layers"]) == pytest.approx(over_base, rel=0.02)
    assert over_base < LIMITS_MB[name] * MB
