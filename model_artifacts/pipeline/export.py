"""Step 3, export: trained weights -> an ONNX graph of ONNX Runtime's fused transformer operators, proven equal to torch.

The graph is written operator by operator instead of traced and pattern-matched: the fusions an optimizer would look
for (embedding + norm + mask, attention with one QKV product, bias + GELU) are simply what is built, and
nothing depends on how an exporter happens to spell attention. One fusion is avoided: skip and norm are ``Sum`` and
``LayerNormalization`` (docs/adr/0003).
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from genre_model.labels import GENRES
from genre_model.runtime import onnxruntime
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.network import HEADS, LAYER_NORM_EPSILON
from model_artifacts.pipeline.states import load_network

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.network import GenreNetwork

logger = logging.getLogger(__name__)

FP32_NAME: Final = "model.fp32.onnx"
OPSET: Final = 17
CONTRIB: Final = "com.microsoft"
TOLERANCE: Final = 1e-4
"""Largest difference of a logit between torch and ONNX Runtime; both sum in float32, in different orders."""


class _Graph:
    """Collects nodes and weights; every method gives the name of its output."""

    def __init__(self, weights: dict[str, npt.NDArray[np.float32]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._weights = weights

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def transposed(self, name: str) -> str:
        """Give a linear layer's matrix as MatMul wants it, ``[in, out]``."""
        return self.constant(name, self._weights[name].T)

    def node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:  # noqa: ANN401
        domain = CONTRIB if operator in _CONTRIB_OPERATORS else ""
        outputs = [f"{name}.out", f"{name}.mask_index"] if "Embed" in operator else [f"{name}.out"]
        self.nodes.append(helper.make_node(operator, inputs, outputs, name, domain=domain, **attributes))
        return outputs[0]


_CONTRIB_OPERATORS: Final = frozenset({"EmbedLayerNormalization", "Attention", "BiasGelu"})


def build_graph(weights: dict[str, npt.NDArray[np.float32]], layers: int) -> onnx.ModelProto:
    """Write the network as ONNX.

    Parameters
    ----------
    weights : dict
        `GenreNetwork`'s state, float32.
    layers : int
        Encoder layers.

    Returns
    -------
    ModelProto
        Inputs ``input_ids`` and ``attention_mask``, int32 ``[batch, tokens]``, padding on the right; output ``logits``,
        float32 ``[batch, 18]``.
    """
    graph = _Graph(weights)
    # There is one segment, so its embedding is part of every position's.
    positions = weights["position_embeddings.weight"] + weights["token_type_embeddings.weight"][0]
    hidden = graph.node(
        "EmbedLayerNormalization",
        [
            "input_ids",
            "",
            graph.weight("word_embeddings.weight"),
            graph.constant("position_embeddings.weight", positions),
            "",
            graph.weight("embedding_norm.weight"),
            graph.weight("embedding_norm.bias"),
            "attention_mask",
        ],
        "embeddings",
        epsilon=LAYER_NORM_EPSILON,
    )
    for number in range(layers):
        hidden = _layer(graph, weights, f"layers.{number}", hidden)
    # Mean over the tokens: (mask [B, 1, S] x hidden [B, S, 384]) / number of tokens.
    mask = graph.node("Cast", ["attention_mask"], "pool.mask", to=TensorProto.FLOAT)
    row = graph.node("Unsqueeze", [mask, graph.constant("pool.axis", np.array([1], np.int64))], "pool.row")
    total = graph.node("MatMul", [row, hidden], "pool.sum")
    count = graph.node(
        "ReduceSum",
        [row, graph.constant("pool.last", np.array([2], np.int64))],
        "pool.count",
        keepdims=1,
    )
    mean = graph.node("Div", [total, count], "pool.mean")
    flat = graph.node("Squeeze", [mean, "pool.axis"], "pool.flat")
    product = graph.node("MatMul", [flat, graph.transposed("classifier.weight")], "classifier.product")
    graph.nodes.append(
        helper.make_node("Add", [product, graph.weight("classifier.bias")], ["logits"], "classifier.logits")
    )
    sequence = ["batch", "tokens"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "genre-bert",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT32, sequence),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT32, sequence),
            ],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(GENRES)])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        ir_version=8,
        producer_name="trending-now",
    )
    onnx.checker.check_model(model)
    return model


def _layer(graph: _Graph, weights: dict[str, npt.NDArray[np.float32]], name: str, hidden: str) -> str:
    """Append one encoder layer."""
    parts = [f"{name}.{part}" for part in ("query", "key", "value")]
    context = graph.node(
        "Attention",
        [
            hidden,
            graph.constant(
                f"{name}.qkv.weight",
                np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1),
            ),
            graph.constant(f"{name}.qkv.bias", np.concatenate([weights[f"{part}.bias"] for part in parts])),
            "embeddings.mask_index",
        ],
        f"{name}.attention",
        num_heads=HEADS,
    )

    def product(x: str, which: str) -> str:
        return graph.node("MatMul", [x, graph.transposed(f"{which}.weight")], f"{which}.product")

    def skip_norm(residual: str, x: str, dense: str, norm: str) -> str:
        update = graph.node("Add", [product(x, dense), graph.weight(f"{dense}.bias")], f"{dense}.biased")
        # `Sum` and not `Add`: after an `Add` the runtime would fuse what is faster apart (docs/adr/0003).
        total = graph.node("Sum", [update, residual], f"{norm}.sum")
        return graph.node(
            "LayerNormalization",
            [total, graph.weight(f"{norm}.weight"), graph.weight(f"{norm}.bias")],
            norm,
            epsilon=LAYER_NORM_EPSILON,
        )

    hidden = skip_norm(hidden, context, f"{name}.attention_output", f"{name}.attention_norm")
    expanded = graph.node(
        "BiasGelu",
        [product(hidden, f"{name}.intermediate"), graph.weight(f"{name}.intermediate.bias")],
        f"{name}.gelu",
    )
    return skip_norm(hidden, expanded, f"{name}.output", f"{name}.output_norm")


def export(*, weights: Path, out: Path, layers: int) -> None:
    """Run the step.

    Parameters
    ----------
    weights : Path
        The state dict that `train` wrote.
    out : Path
        The step's folder; gets ``model.fp32.onnx`` and ``export.json``.

    Raises
    ------
    StepError
        If the weights are missing, damaged or do not fit, or if ONNX Runtime's logits differ from torch's.
    """
    network = load_network(weights, layers)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    with replacing(out / FP32_NAME) as temporary:
        onnx.save(build_graph(state, layers), temporary)
    difference = _difference(network, out / FP32_NAME)
    if not difference <= TOLERANCE:
        message = f"ONNX differs from torch by {difference:.2e} in a logit, more than {TOLERANCE}"
        raise StepError(message)
    logger.info("exported; largest difference of a logit to torch: %.1e", difference)
    write_json(
        out / "export.json",
        {
            "input": {weights.name: sha256(weights)},
            "opset": OPSET,
            "onnx": onnx.__version__,
            "largest_difference_to_torch": difference,
            "size": (out / FP32_NAME).stat().st_size,
        },
    )


def _difference(network: GenreNetwork, path: Path) -> float:
    """Compare torch and ONNX Runtime on random padded batches: the largest difference of any logit."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    largest = 0.0
    for tokens in (2, 17, 128, 512):
        ids = rng.integers(1000, 30_000, (4, tokens), dtype=np.int32)
        lengths = np.maximum(1, rng.integers(tokens // 2, tokens + 1, (4, 1)))
        mask = (np.arange(tokens) < lengths).astype(np.int32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(ids).long(), torch.from_numpy(mask).long()).numpy()
        (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        largest = max(largest, float(np.abs(found - expected).max()))
    return largest
