"""Which part of the network quantization hurts: each quantized alone, all else in floating point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from model_artifacts.pipeline.integers import in_integers
from model_artifacts.pipeline.study.onnx_family import open_onnx
from model_artifacts.pipeline.study.sample import logits_of

if TYPE_CHECKING:
    from pathlib import Path

_QUANTIZED = frozenset({"MatMul", "Attention", "EmbedLayerNormalization"})


def sensitivity(exported: Path, windows: list[list[int]]) -> list[dict[str, Any]]:
    """Measure what quantizing one part alone does to the logits.

    Parameters
    ----------
    exported : Path
        The float32 file of the step `export`.
    windows : list of list of int
        Token ids of the windows to compare on.

    Returns
    -------
    list of dict
        ``part`` (a node's name) and ``logit_rms``, the root mean square of the change of a logit; the worst first. The pooled mean
        and the classifier are never quantized and not listed.
    """
    floating = onnx.load(exported)
    names = [node.name for node in floating.graph.node]
    titles = [[window] for window in windows]
    expected = logits_of(open_onnx(exported), titles)
    found = []
    for node in floating.graph.node:
        if node.op_type not in _QUANTIZED or not node.name.startswith(("layers.", "embeddings")):
            continue
        alone = in_integers(floating, kept={name for name in names if name != node.name})
        change = logits_of(open_onnx(alone.SerializeToString()), titles) - expected
        found.append({"part": node.name, "logit_rms": float(np.sqrt(np.mean(np.square(change))))})
    return sorted(found, key=lambda part: -float(part["logit_rms"]))
