"""Writes an artifact folder: the files a function needs and the manifest that vouches for them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from genre_model.calibration import Calibration
from genre_model.labels import GENRES
from genre_model.manifest import MANIFEST_NAME, SCHEMA_VERSION, Manifest
from genre_model.wide import BYTES_PER_FEATURE, HEAD_BYTES
from model_artifacts.pipeline.files import sha256, write_json
from model_artifacts.pipeline.recipe import BertRecipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import SupportsFloat

    from model_artifacts.pipeline.recipe import Recipe

TOKENIZER_NAME: Final = "tokenizer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WideFile:
    """The linear model beside a network: its file, and what each label's logit of it counts, 18 numbers from 0 up."""

    path: Path
    weights: Sequence[float]

    def entry(self, recipe: Recipe) -> dict[str, Any]:
        """Give what the manifest says of it; see `genre_model.manifest.WidePart`."""
        section = recipe.wide if isinstance(recipe, BertRecipe) else None
        assert section is not None  # noqa: S101 -- there is no file without a section
        features, left = divmod(self.path.stat().st_size - HEAD_BYTES, BYTES_PER_FEATURE)
        assert not left  # noqa: S101 -- written by the step before
        return {
            "file": self.path.name,
            "features": features,
            "ngrams": section.ngrams,
            # As many as training saw of a text.
            "max_tokens": recipe.prepare.max_text_tokens,
            "weights": _rounded(self.weights),
        }


def write_artifact(
    out: Path,
    *,
    recipe: Recipe,
    network: Path,
    tokenizer: Path,
    thresholds: Sequence[float],
    calibration: Calibration,
    wide: WideFile | None = None,
) -> None:
    """Copy the files into ``out`` and write its manifest last, so that a half-written folder has none.

    Parameters
    ----------
    thresholds : sequence of float
        One number per label; see `genre_model.manifest.Manifest`.
    calibration : Calibration
        What turns the network's logits into probabilities.
    wide : WideFile or None
        The linear model beside the network.
    """
    out.mkdir(parents=True, exist_ok=True)
    # The manifest first; then whatever another recipe left here.
    (out / MANIFEST_NAME).unlink(missing_ok=True)
    for old in out.iterdir():
        if old.is_file():
            old.unlink()
    sources = {network.name: network, TOKENIZER_NAME: tokenizer}
    if wide is not None:
        sources[wide.path.name] = wide.path
    for name, source in sources.items():
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
                name: {"sha256": sha256(out / name), "size": (out / name).stat().st_size} for name in sources
            },
            "labels": list(GENRES),
            **recipe.manifest_input(),
            **({} if wide is None else {"wide": wide.entry(recipe)}),
            "calibration": {
                "slope": _rounded(calibration.slope),
                "intercept": _rounded(calibration.intercept),
                "length": {"scale": calibration.length_scale, "centre": _rounded(calibration.centre)},
            },
            "thresholds": _rounded(thresholds),
        },
    )


def _rounded(values: Iterable[SupportsFloat]) -> list[float]:
    return [round(float(v), 6) for v in values]


def network_name(artifact: Path) -> str:
    """Name the network's file of a finished artifact."""
    return Manifest.load(artifact).network


def served_size(artifact: Path) -> int:
    """Give the bytes that a function reads of an artifact: the manifest and the files it lists."""
    listed = sum(entry.size for entry in Manifest.load(artifact).files.values())
    return listed + (artifact / MANIFEST_NAME).stat().st_size


def write_draft(
    out: Path, *, recipe: Recipe, network: Path, tokenizer: Path, wide: Path | None = None
) -> None:
    """Write an artifact with neutral calibration, to read logits through the serving code."""
    neutral = len(GENRES)
    write_artifact(
        out,
        recipe=recipe,
        network=network,
        tokenizer=tokenizer,
        thresholds=[0.5] * neutral,
        calibration=Calibration(
            slope=np.ones(neutral, np.float32),
            intercept=np.zeros(neutral, np.float32),
            centre=np.zeros(neutral, np.float32),
            length_scale=0.0,
        ),
        wide=None if wide is None else WideFile(path=wide, weights=[1.0] * neutral),
    )
