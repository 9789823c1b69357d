"""The rival's weights: those of the shipped INT8 network, back in float32, so that anybody can run the comparison.

The names are `model_artifacts.pipeline.network.GenreNetwork`'s; the graph's initializers carry them too. What quantization lost
stays lost: the rival answers like the shipped network within the rounding of its activations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

_LINEAR: Final = ("attention_output", "intermediate", "output")
_NORMS: Final = ("attention_norm", "output_norm")


def dequantized(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read every weight of a network file as float32.

    Returns
    -------
    dict
        Initializer name, without ``_quantized`` and the like, to ``(values - zero point) * scale``. Matrices lie as the graph has
        them, ``[in, out]``.

    Raises
    ------
    ValueError
        If a quantized weight has no scale.
    """
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name, tensor in tensors.items():
        if name.endswith("_quantized"):
            weight = name.removesuffix("_quantized")
            if f"{weight}_scale" not in tensors:
                message = f"{path}: {name} has no scale"
                raise ValueError(message)
            zero = tensors.get(f"{weight}_zero_point", np.zeros((), np.int8))
            steps = tensor.astype(np.float32) - zero.astype(np.float32)
            found[weight] = steps * tensors[f"{weight}_scale"]
        elif not name.endswith(("_scale", "_zero_point")) and tensor.dtype == np.float32:
            found[name] = tensor
    return found


def network_state(weights: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
    """Give `GenreNetwork`'s state from what `dequantized` read.

    The graph holds one matrix for query, key and value, linear layers transposed, and the embedding of the one segment
    within every position's; so the segments' own are zero here.

    Raises
    ------
    KeyError
        If the file is of another network.
    """
    position = weights["position_embeddings.weight"]
    state = {
        "word_embeddings.weight": weights["word_embeddings.weight"],
        "position_embeddings.weight": position,
        "token_type_embeddings.weight": np.zeros((2, position.shape[1]), np.float32),
        "embedding_norm.weight": weights["embedding_norm.weight"],
        "embedding_norm.bias": weights["embedding_norm.bias"],
        "classifier.weight": weights["classifier.weight"].T,
        "classifier.bias": weights["classifier.bias"],
    }
    for number in range(layers_of(weights)):
        layer = f"layers.{number}"
        matrices = np.split(weights[f"{layer}.qkv.weight"], 3, axis=1)
        biases = np.split(weights[f"{layer}.qkv.bias"], 3)
        for part, matrix, bias in zip(("query", "key", "value"), matrices, biases, strict=True):
            state[f"{layer}.{part}.weight"] = matrix.T
            state[f"{layer}.{part}.bias"] = bias
        for part in _LINEAR:
            state[f"{layer}.{part}.weight"] = weights[f"{layer}.{part}.weight"].T
            state[f"{layer}.{part}.bias"] = weights[f"{layer}.{part}.bias"]
        for part in _NORMS:
            for kind in ("weight", "bias"):
                state[f"{layer}.{part}.{kind}"] = weights[f"{layer}.{part}.{kind}"]
    return {name: np.ascontiguousarray(value) for name, value in state.items()}


def layers_of(weights: Mapping[str, object]) -> int:
    """Count the encoder layers."""
    return len({name.split(".")[1] for name in weights if name.startswith("layers.")})
