"""The proof that no INT8 product of a network saturates, whatever x86 processor runs it.

Without VNNI, x86 multiplies unsigned activations by signed weights with VPMADDUBSW, which adds two 16-bit products with
saturation; 255 * 127 * 2 overflows, 255 * 64 * 2 does not.
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from model_artifacts.pipeline.errors import StepError

WEIGHT_LIMIT: Final = 64
"""Largest magnitude of a weight that a matrix product reads: 2 * 255 * 64 still fits 16 bits."""
_PRODUCTS: Final = frozenset(
    {"MatMulInteger", "QAttention", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat"}
)


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
