"""Rewrites an exported graph's floating-point products as ONNX Runtime's INT8 operators.

Written operator by operator, like the graph itself: what the runtime executes is what stands in the file, so a session starts
without a search for fusions. It must not know where weights or ranges come from.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from model_artifacts.pipeline.saturation import WEIGHT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy.typing as npt

CONTRIB: Final = "com.microsoft"
MATRIX_RANK: Final = 2
_LEVELS: Final = 255
"""Steps of an unsigned byte."""
_SMALLEST: Final = float(np.finfo(np.float32).tiny)
"""No scale is smaller, so that none is 0."""


def quantize_columns(
    weight: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Quantize a matrix symmetrically, each column with a scale of its own, within 7 bits.

    Parameters
    ----------
    weight : ndarray
        float32 ``[in, out]``.

    Returns
    -------
    values : ndarray
        int8 ``[in, out]``, within -64 to 64.
    scale : ndarray
        float32 ``[out]``: ``values * scale`` is within half a scale of ``weight``.
    """
    scale = np.maximum(np.abs(weight).max(axis=0) / WEIGHT_LIMIT, _SMALLEST).astype(np.float32)
    values = np.clip(np.rint(weight / scale), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    return values.astype(np.int8), scale


def byte_range(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Give scale and zero point of the unsigned bytes that span a range; 0 is always exact.

    Parameters
    ----------
    low, high : float
        What the values lie between; widened to hold 0.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / _LEVELS, _SMALLEST)
    return np.float32(scale), np.uint8(np.clip(round(-low / scale), 0, _LEVELS))


class _Rewriter:
    """Walks a graph once, in order, and collects what replaces it."""

    def __init__(
        self, graph: onnx.GraphProto, kept: Collection[str], ranges: Mapping[str, tuple[float, float]] | None
    ) -> None:
        self._graph = graph
        self._kept = kept
        self._ranges = ranges
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._readers = Counter(name for node in graph.node for name in node.input)
        self.nodes: list[onnx.NodeProto] = []
        self.added: dict[str, onnx.TensorProto] = {}

    def run(self) -> None:
        folded: set[str] = set()
        for node in self._graph.node:
            if node.name in folded:
                continue
            if node.name in self._kept:
                self.nodes.append(node)
            elif node.op_type == "MatMul" and self._rank(node.input[1]) == MATRIX_RANK:
                bias = self._bias(node)
                self._product(node, bias)
                folded |= {bias.name} if bias else set()
            elif node.op_type == "Attention":
                self._attention(node)
            elif node.op_type == "EmbedLayerNormalization":
                self._embeddings(node)
            else:
                self.nodes.append(node)

    def _rank(self, name: str) -> int:
        return len(self._tensors[name].dims) if name in self._tensors else -1

    def _array(self, name: str) -> npt.NDArray[Any]:
        value: npt.NDArray[Any] = numpy_helper.to_array(self._tensors[name])
        return value

    def _add(self, name: str, value: npt.NDArray[Any] | np.generic) -> str:
        self.added[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _emit(
        self,
        operator: str,
        inputs: list[str],
        outputs: list[str],
        name: str,
        **attributes: Any,  # noqa: ANN401
    ) -> None:
        domain = CONTRIB if operator not in {"QuantizeLinear", "DynamicQuantizeLinear"} else ""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name, domain=domain, **attributes))

    def _bias(self, product: onnx.NodeProto) -> onnx.NodeProto | None:
        """Find the addition of a constant vector that is the product's only reader."""
        (output,) = product.output
        if self._readers[output] != 1:
            return None
        reader: onnx.NodeProto = next(node for node in self._graph.node if output in node.input)
        if reader.op_type == "Add" and reader.input[0] == output and self._rank(reader.input[1]) == 1:
            return reader
        return None

    def _weight(self, name: str) -> tuple[str, str, str]:
        """Add a quantized matrix; give the names of values, scales and zero points."""
        values, scale = quantize_columns(self._array(name))
        return (
            self._add(f"{name}_quantized", values),
            self._add(f"{name}_scale", scale),
            self._add(f"{name}_zero_point", np.zeros(len(scale), np.int8)),
        )

    def _quantized(self, name: str) -> tuple[str, str, str]:
        """Quantize an activation, by its range where ranges are given and else by what each run finds."""
        values, scale, zero = (f"{name}_quantized", f"{name}_scale", f"{name}_zero_point")
        if self._ranges is None:
            self._emit("DynamicQuantizeLinear", [name], [values, scale, zero], values)
        else:
            fixed, at = byte_range(*self._ranges[name])
            self._emit(
                "QuantizeLinear", [name, self._add(scale, fixed), self._add(zero, at)], [values], values
            )
        return values, scale, zero

    def _product(self, node: onnx.NodeProto, bias: onnx.NodeProto | None) -> None:
        source, (weight, weight_scale, weight_zero) = node.input[0], self._weight(node.input[1])
        last = [bias.input[1]] if bias else []
        output = [(bias or node).output[0]]
        if self._ranges is None:
            inputs = [source, weight, weight_scale, weight_zero, *last]
            self._emit("DynamicQuantizeMatMul", inputs, output, node.name)
            return
        values, scale, zero = self._quantized(source)
        inputs = [values, weight, scale, weight_scale, zero, weight_zero, *last]
        self._emit("MatMulIntegerToFloat", inputs, output, node.name)

    def _attention(self, node: onnx.NodeProto) -> None:
        source, weight, bias, mask = node.input
        values, scale, zero = self._quantized(source)
        weight, weight_scale, weight_zero = self._weight(weight)
        inputs = [values, weight, bias, scale, weight_scale, mask, zero, weight_zero]
        heads = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        self._emit("QAttention", inputs, list(node.output), node.name, **heads)

    def _embeddings(self, node: onnx.NodeProto) -> None:
        """Store the tables, and the norm's weights with them, as unsigned bytes; arithmetic stays in floating point."""
        ids, segments, word, position, segment, gain, shift, mask = node.input
        values, scales, zeros = {}, {}, {}
        for name in (word, position, gain, shift):
            table = self._array(name)
            scale, zero = byte_range(float(table.min()), float(table.max()))
            stored = np.clip(np.rint(table / scale) + zero, 0, _LEVELS).astype(np.uint8)
            values[name] = self._add(f"{name}_quantized", stored)
            scales[name] = self._add(f"{name}_scale", scale)
            zeros[name] = self._add(f"{name}_zero_point", zero)
        stored_names = [values[word], values[position], segment, values[gain], values[shift]]
        inputs = [ids, segments, *stored_names, mask]
        inputs += [scales[word], scales[position], "", scales[gain], scales[shift]]
        inputs += [zeros[word], zeros[position], "", zeros[gain], zeros[shift]]
        epsilon = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        self._emit("QEmbedLayerNormalization", inputs, list(node.output), node.name, **epsilon)


def in_integers(
    model: onnx.ModelProto,
    *,
    kept: Collection[str] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> onnx.ModelProto:
    """Give the graph with INT8 products and byte-sized embeddings.

    Parameters
    ----------
    model : ModelProto
        What `export.build_graph` gives; not changed.
    kept : collection of str
        Names of nodes that stay in floating point.
    ranges : mapping of str to (float, float), optional
        Smallest and largest value of every activation that a product reads (static quantization). Without it each run finds its
        own (dynamic quantization).

    Returns
    -------
    ModelProto
        Same inputs and outputs; only the initializers that are read.

    Raises
    ------
    KeyError
        If ``ranges`` lacks an activation.
    """
    rewriter = _Rewriter(model.graph, kept, ranges)
    rewriter.run()
    read = {name for node in rewriter.nodes for name in node.input}
    left = [tensor for tensor in model.graph.initializer if tensor.name in read]
    graph = helper.make_graph(
        rewriter.nodes,
        model.graph.name,
        model.graph.input,
        model.graph.output,
        [*left, *rewriter.added.values()],
    )
    result = helper.make_model(
        graph,
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        producer_name=model.producer_name,
    )
    onnx.checker.check_model(result)
    return result
