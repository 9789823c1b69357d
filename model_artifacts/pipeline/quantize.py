"""Step 4, quantize: float32 weights -> INT8, safe on every x86 processor that Lambda may assign.

Weights are signed and kept within 7 bits (``reduce_range``): without VNNI, x86 multiplies unsigned activations by
signed weights with VPMADDUBSW, which adds two 16-bit products with saturation; 255 * 127 * 2 overflows, 255 * 64 * 2
does not. https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
Activations are quantized at run time (dynamic), so there is no calibration set to be wrong about.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import numpy_helper

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.export import FP32_NAME
from model_artifacts.pipeline.files import replacing, sha256, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_artifacts.pipeline.recipe import QuantizeRecipe

logger = logging.getLogger(__name__)

INT8_NAME: Final = "model.int8.onnx"
WEIGHT_LIMIT: Final = 64
"""Largest magnitude of a weight that a matrix product reads: 2 * 255 * 64 still fits 16 bits."""
_PRODUCTS: Final = frozenset(
    {"MatMulInteger", "QAttention", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat"}
)
# The pooled mean and the classifier see one vector per text: no time to win, accuracy to lose.
_ALWAYS_FLOAT: Final = ("pool.", "classifier")


def product_weight_extremes(model: onnx.ModelProto) -> dict[str, tuple[str, int]]:
    """Find every INT8 weight that a quantized matrix product reads.

    Returns
    -------
    dict
        Initializer name -> (``int8`` or ``uint8``, largest magnitude of a value).
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type not in _PRODUCTS:
            continue
        for name in node.input:
            if name not in weights:
                continue
            value = numpy_helper.to_array(weights[name])
            if value.dtype in (np.int8, np.uint8) and value.ndim > 1:
                found[name] = (str(value.dtype), int(np.abs(value.astype(np.int16)).max()))
    return found


def check_no_saturation(model: onnx.ModelProto) -> None:
    """Prove that no product of the model can saturate on a processor without VNNI.

    Raises
    ------
    StepError
        If a product reads a signed weight beyond 7 bits, or the model holds no INT8 product at all.
    """
    extremes = product_weight_extremes(model)
    if not extremes:
        message = "the quantized model holds no INT8 matrix product"
        raise StepError(message)
    for name, (dtype, magnitude) in extremes.items():
        if dtype == "int8" and magnitude > WEIGHT_LIMIT:
            message = f"weight {name} reaches {magnitude}, more than {WEIGHT_LIMIT}: it can saturate"
            raise StepError(message)


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep back what the quantizer tells the root logger of each of our fused operators: it is all as intended."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


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
    # Not at the top: `genre_model.runtime`, which `export` imports, has to silence the library first.
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

    source = exported / FP32_NAME
    if not source.is_file():
        message = f"{source} is missing: run the step `export`"
        raise StepError(message)
    names = [node.name for node in onnx.load(source).graph.node]
    kept = [name for name in names if name.startswith((*_ALWAYS_FLOAT, *recipe.exclude))]
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / INT8_NAME
        with _without_remarks():
            quantize_dynamic(
                source,
                target,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=kept,
                # The fused operators are not ONNX's own, so shape inference cannot type what they give.
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
            )
        model = onnx.load(target)
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
