"""Step 4, quantize: float32 weights -> INT8, safe on every x86 processor that Lambda may assign.

Weights are signed and kept within 7 bits (`saturation`). Activations are quantized at run time (dynamic), so there is no
calibration set to be wrong about; fixed ranges would save one to two hundredths of the time (step `study`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import onnx

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.export import FP32_NAME
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.integers import in_integers
from model_artifacts.pipeline.saturation import check_no_saturation, product_weight_extremes

if TYPE_CHECKING:
    from pathlib import Path

    from model_artifacts.pipeline.recipe import QuantizeRecipe

logger = logging.getLogger(__name__)

INT8_NAME: Final = "model.int8.onnx"
# The pooled mean and the classifier see one vector per text: no time to win, accuracy to lose.
ALWAYS_FLOAT: Final = ("pool.", "classifier")


def kept_in_float(model: onnx.ModelProto, exclude: tuple[str, ...] = ()) -> list[str]:
    """Name the nodes that stay in floating point: the head's, and those whose name starts with one of ``exclude``."""
    return [node.name for node in model.graph.node if node.name.startswith((*ALWAYS_FLOAT, *exclude))]


def quantize(*, exported: Path, out: Path, recipe: QuantizeRecipe) -> None:
    """Run the step.

    Parameters
    ----------
    exported : Path
        The folder of the step `export`.
    out : Path
        The step's folder; gets ``model.int8.onnx`` and ``quantize.json``.

    Raises
    ------
    StepError
        If the exported model is missing, or the result could saturate.
    """
    source = exported / FP32_NAME
    if not source.is_file():
        message = f"{source} is missing: run the step `export`"
        raise StepError(message)
    floating = onnx.load(source)
    kept = kept_in_float(floating, recipe.exclude)
    model = in_integers(floating, kept=kept)
    check_no_saturation(model)
    with replacing(out / INT8_NAME) as temporary:
        onnx.save(model, temporary)
    size = (out / INT8_NAME).stat().st_size
    logger.info("quantized: %.1f MB", size / 1e6)
    write_json(
        out / "quantize.json",
        {
            "input": {FP32_NAME: sha256(source)},
            "recipe": recipe.model_dump(mode="json"),
            "kept_in_float": kept,
            "weights": {
                name: {"dtype": dtype, "largest_magnitude": magnitude}
                for name, (dtype, magnitude) in product_weight_extremes(model).items()
            },
            "size": size,
        },
    )
