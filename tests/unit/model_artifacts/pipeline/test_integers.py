"""INT8 graphs: weights within their bits, activations within their ranges, answers near the floating-point ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genre_model.runtime import onnxruntime
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.export import build_graph
from model_artifacts.pipeline.integers import byte_range, in_integers, quantize_columns
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.quantize import kept_in_float
from model_artifacts.pipeline.saturation import WEIGHT_LIMIT, check_no_saturation, product_weight_extremes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

LAYERS = 2
FLOATS = st.floats(-1e3, 1e3, width=32)


def session(model: onnx.ModelProto, optimized: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )


def feed(tokens: int) -> dict[str, npt.NDArray[np.int32]]:
    ids = np.random.default_rng(5).integers(1000, 30_000, (1, tokens), dtype=np.int32)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def operators(model: onnx.ModelProto) -> dict[str, int]:
    names = [node.op_type for node in model.graph.node]
    return {name: names.count(name) for name in names}


@pytest.fixture(scope="module")
def exported() -> onnx.ModelProto:
    """A network of two layers with weights of a trained one's size."""
    torch.manual_seed(3)
    network = GenreNetwork(LAYERS)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm" not in name:
                torch.nn.init.normal_(parameter, std=0.05)
    return build_graph({name: value.numpy() for name, value in network.state_dict().items()}, LAYERS)


def ranges_of(model: onnx.ModelProto, inputs: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Run with every activation as an output, and see what it lies between."""
    names = sorted({name for node in model.graph.node for name in node.output if name.endswith(".out")})
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if "pool" not in name
    )
    runner = session(watched)
    found = runner.run(None, inputs)
    return {
        value.name: (float(array.min()), float(array.max()))
        for value, array in zip(runner.get_outputs(), found, strict=True)
    }


def test_the_limit_is_the_largest_weight_that_fits_sixteen_bits() -> None:
    assert 2 * 255 * WEIGHT_LIMIT <= np.iinfo(np.int16).max < 2 * 255 * (WEIGHT_LIMIT + 1)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=FLOATS))
def test_columns_keep_their_bits_and_their_values(weight: npt.NDArray[np.float32]) -> None:
    values, scale = quantize_columns(weight)

    assert np.abs(values.astype(int)).max() <= WEIGHT_LIMIT
    assert (scale > 0).all()
    error = np.abs(values * scale.astype(np.float64) - weight)
    assert (error <= 0.5001 * scale.astype(np.float64)).all()


@given(FLOATS, FLOATS)
def test_a_range_of_bytes_holds_zero_exactly_and_all_else_nearly(a: float, b: float) -> None:
    low, high = sorted((a, b))

    scale, zero = byte_range(low, high)

    for value in (low, high, (low + high) / 2):
        stored = np.clip(np.rint(value / np.float64(scale)) + zero, 0, 255)
        assert abs((stored - zero) * np.float64(scale) - value) <= 1.001 * scale
    assert (float(zero) - zero) * scale == 0


@pytest.mark.parametrize("tokens", [3, 64])
@pytest.mark.parametrize("static", [False, True])
def test_integers_answer_nearly_like_floating_point(
    exported: onnx.ModelProto, tokens: int, static: bool
) -> None:
    inputs = feed(tokens)
    ranges = ranges_of(exported, inputs) if static else None

    model = in_integers(exported, kept=kept_in_float(exported), ranges=ranges)

    (expected,) = session(exported).run(None, inputs)
    (found,) = session(model).run(None, inputs)
    assert np.abs(found - expected).max() < 0.1 * expected.std()
    assert np.abs(found - expected).max() > 0  # it is quantized, after all


def test_every_product_of_a_layer_is_quantized_and_none_can_saturate(exported: onnx.ModelProto) -> None:
    model = in_integers(exported, kept=kept_in_float(exported))

    check_no_saturation(model)
    assert len(product_weight_extremes(model)) == 4 * LAYERS
    assert {magnitude for _, magnitude in product_weight_extremes(model).values()} == {WEIGHT_LIMIT}
    # The bias is added by the product itself, and the tables of float32 are gone.
    assert operators(model)["Add"] == 1
    assert len(model.SerializeToString()) < 0.27 * len(exported.SerializeToString())


def test_an_excluded_product_stays_in_floating_point(exported: onnx.ModelProto) -> None:
    kept = kept_in_float(exported, ("layers.0.intermediate",))

    model = in_integers(exported, kept=kept)

    assert "layers.0.intermediate.product" in kept
    assert len(product_weight_extremes(model)) == 4 * LAYERS - 1
    check_no_saturation(model)


def test_a_network_without_any_product_in_integers_is_refused(exported: onnx.ModelProto) -> None:
    with pytest.raises(StepError, match="no INT8 matrix product"):
        check_no_saturation(in_integers(exported, kept=kept_in_float(exported, ("layers", "embeddings"))))


def test_a_bias_that_something_else_reads_too_is_left_alone(exported: onnx.ModelProto) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(exported)
    product = "layers.0.output.product.out"
    model.graph.node.append(onnx.helper.make_node("Identity", [product], ["seen"], "seen"))
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("seen", onnx.TensorProto.FLOAT, ["b", "t", 384])
    )

    rewritten = in_integers(model, kept=kept_in_float(model))

    assert operators(rewritten)["Add"] == 2
    inputs = feed(8)
    (expected,) = session(exported).run(None, inputs)
    found = session(rewritten).run(["logits"], inputs)[0]
    assert np.abs(found - expected).max() < 0.1 * expected.std()


@pytest.mark.parametrize("quantized", [False, True])
def test_the_runtime_executes_skip_and_norm_apart(
    exported: onnx.ModelProto, tmp_path: Path, quantized: bool
) -> None:
    """Fused by the runtime, skip and norm take eight times as long (docs/adr/0003)."""
    model = in_integers(exported, kept=kept_in_float(exported)) if quantized else exported

    session(model, tmp_path / "optimized.onnx")

    executed = operators(onnx.load(tmp_path / "optimized.onnx"))
    assert executed["LayerNormalization"] == 2 * LAYERS
    assert "SkipLayerNormalization" not in executed


def test_what_the_runtime_executes_is_what_stands_in_the_file(
    exported: onnx.ModelProto, tmp_path: Path
) -> None:
    model = in_integers(exported, kept=kept_in_float(exported))

    session(model, tmp_path / "optimized.onnx")

    executed, written = operators(onnx.load(tmp_path / "optimized.onnx")), operators(model)
    layer = ("DynamicQuantizeMatMul", "DynamicQuantizeLinear", "QAttention", "BiasGelu", "Sum")
    assert {name: executed[name] for name in layer} == {name: written[name] for name in layer}
