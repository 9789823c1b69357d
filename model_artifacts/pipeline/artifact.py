"""Writes an artifact folder: the files a function needs and the manifest that vouches for them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from genre_model.labels import GENRES
from genre_model.manifest import MANIFEST_NAME, SCHEMA_VERSION, Manifest
from model_artifacts.pipeline.files import sha256, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model_artifacts.pipeline.recipe import Recipe

TOKENIZER_NAME: Final = "tokenizer.json"


def write_artifact(
    out: Path,
    *,
    recipe: Recipe,
    network: Path,
    tokenizer: Path,
    thresholds: Sequence[float],
    slope: Sequence[float],
    intercept: Sequence[float],
) -> None:
    """Copy network and tokenizer into ``out`` and write its manifest last, so that a half-written folder has none.

    Parameters
    ----------
    thresholds, slope, intercept : sequence of float
        One number per label; see `genre_model.manifest.Manifest`.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST_NAME).unlink(missing_ok=True)
    names = (network.name, TOKENIZER_NAME)
    for source, name in zip((network, tokenizer), names, strict=True):
        shutil.copyfile(source, out / name)
    write_json(
        out / MANIFEST_NAME,
        {
            "schema_version": SCHEMA_VERSION,
            "name": recipe.model,
            "version": recipe.version,
            "description": recipe.description,
            "network": network.name,
            "tokenizer": TOKENIZER_NAME,
            "files": {
                name: {"sha256": sha256(out / name), "size": (out / name).stat().st_size} for name in names
            },
            "labels": list(GENRES),
            **recipe.manifest_input(),
            "calibration": {
                "slope": [round(float(v), 6) for v in slope],
                "intercept": [round(float(v), 6) for v in intercept],
            },
            "thresholds": [round(float(v), 6) for v in thresholds],
        },
    )


def network_name(artifact: Path) -> str:
    """Name the network's file of a finished artifact."""
    return Manifest.load(artifact).network


def write_draft(out: Path, *, recipe: Recipe, network: Path, tokenizer: Path) -> None:
    """Write an artifact with neutral calibration, to read logits through the serving code."""
    neutral = len(GENRES)
    write_artifact(
        out,
        recipe=recipe,
        network=network,
        tokenizer=tokenizer,
        thresholds=[0.5] * neutral,
        slope=[1.0] * neutral,
        intercept=[0.0] * neutral,
    )
