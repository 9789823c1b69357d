"""Magnitude pruning: the smallest weights of every encoder matrix set to zero, once, without training afterwards.

The zeros are unstructured: no kernel here skips them, so they make a file compress better and nothing run faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import numpy_helper

from model_artifacts.pipeline.files import replacing
from model_artifacts.pipeline.integers import in_integers
from model_artifacts.pipeline.quantize import kept_in_float
from model_artifacts.pipeline.saturation import check_no_saturation
from model_artifacts.pipeline.study.onnx_family import opener
from model_artifacts.pipeline.study.variant import Variant

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import QuantizeRecipe

SHARES: Final = (0.3, 0.5, 0.7)


def prune(weight: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.float32]:
    """Set the given share of a matrix's elements, those of smallest magnitude, to zero.

    Parameters
    ----------
    weight : ndarray
        float32, any shape.
    share : float
        0 to 1.

    Returns
    -------
    ndarray
        A new array of the same shape; exactly ``round(share * size)`` elements were set to zero.
    """
    pruned = weight.copy()
    smallest = np.argsort(np.abs(weight), axis=None, kind="stable")[: round(share * weight.size)]
    pruned.ravel()[smallest] = 0
    return pruned


def prune_graph(model: onnx.ModelProto, share: float) -> onnx.ModelProto:
    """Prune the matrices of the encoder's products; embeddings, norms and the head keep all their weights."""
    matrices = {
        node.input[1]
        for node in model.graph.node
        if node.op_type in {"MatMul", "Attention"} and node.name.startswith("layers.")
    }
    pruned = onnx.ModelProto()
    pruned.CopyFrom(model)
    for tensor in pruned.graph.initializer:
        if tensor.name in matrices:
            tensor.CopyFrom(numpy_helper.from_array(prune(numpy_helper.to_array(tensor), share), tensor.name))
    return pruned


def pruned_variants(*, exported: Path, recipe: QuantizeRecipe, out: Path) -> list[Variant]:
    """Make them, in float32 and in dynamic INT8.

    Parameters
    ----------
    exported : Path
        The float32 file of the step `export`.
    out : Path
        Folder for their files.

    Raises
    ------
    StepError
        If a quantized variant could saturate.
    """
    variants = []
    for share in SHARES:
        percent = round(100 * share)
        paths = {label: out / f"pruned_{percent}_{label.lower()}.onnx" for label in ("fp32", "INT8")}
        if not all(path.is_file() for path in paths.values()):
            pruned = prune_graph(onnx.load(exported), share)
            quantized = in_integers(pruned, kept=kept_in_float(pruned, recipe.exclude))
            check_no_saturation(quantized)
            for path, model in zip(paths.values(), (pruned, quantized), strict=True):
                with replacing(path) as temporary:
                    onnx.save(model, temporary)
        variants += [
            Variant(
                name=f"{label}, {percent} % pruned",
                family="pruned, ONNX Runtime",
                file=path,
                load=opener(path),
                note="Not trained after pruning.",
            )
            for label, path in paths.items()
        ]
    return variants
