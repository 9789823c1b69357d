"""What the rival computes with is what we ship: every weight comes back within half a step of its quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch

from genre_model import GenreModel
from model_artifacts.pipeline.export import build_graph
from model_artifacts.pipeline.integers import in_integers
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.quantize import kept_in_float
from model_artifacts.registry import Registry
from tests.bench.agreement import TEXTS, demand_agreement, differences
from tests.bench.rival_weights import dequantized, layers_of, network_state
from tests.bench.torch_rival import torch_logits, torch_network

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def network() -> GenreNetwork:
    torch.manual_seed(0)
    return GenreNetwork(2)


def test_every_weight_of_a_quantized_file_comes_back(network: GenreNetwork, tmp_path: Path) -> None:
    original = {name: value.numpy() for name, value in network.state_dict().items()}
    floating = build_graph(original, 2)
    onnx.save(in_integers(floating, kept=kept_in_float(floating)), tmp_path / "model.onnx")

    weights = dequantized(tmp_path / "model.onnx")
    state = network_state(weights)

    assert layers_of(weights) == 2
    assert state.keys() == original.keys()
    # One segment's embedding lies within every position's.
    original["position_embeddings.weight"] += original["token_type_embeddings.weight"][0]
    original["token_type_embeddings.weight"] *= 0
    for name, value in state.items():
        assert value.shape == original[name].shape, name
        spread = float(original[name].max() - original[name].min())
        # The coarsest quantization is 7 bits over a column's range, so a step is at most 1/64 of the largest weight.
        assert np.abs(value - original[name]).max() <= spread / 64, name


def test_floating_point_files_come_back_exactly(network: GenreNetwork, tmp_path: Path) -> None:
    original = {name: value.numpy() for name, value in network.state_dict().items()}
    onnx.save(build_graph(original, 2), tmp_path / "model.onnx")

    state = network_state(dequantized(tmp_path / "model.onnx"))

    for name in (
        "layers.1.key.weight",
        "layers.0.output.weight",
        "word_embeddings.weight",
        "classifier.bias",
    ):
        np.testing.assert_array_equal(state[name], original[name])


def test_a_weight_without_its_scale_is_named(tmp_path: Path) -> None:
    tensor = onnx.numpy_helper.from_array(np.zeros((2, 2), np.int8), "a.weight_quantized")
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "model.onnx")

    with pytest.raises(ValueError, match=r"a\.weight_quantized has no scale"):
        dequantized(tmp_path / "model.onnx")


def test_torch_with_the_shipped_weights_answers_like_the_shipped_network() -> None:
    folder = Registry.load().resolve("genre-bert")
    model = GenreModel.load(folder)
    logits = torch_logits(torch_network(folder / "model.int8.onnx"), folder / "tokenizer.json", TEXTS)

    found = differences(model, logits)

    demand_agreement(found)
    assert found["texts"] == len(TEXTS)
    assert 0 < found["mean_probability_difference"] < 0.02


def test_answers_of_another_network_do_not_pass() -> None:
    folder = Registry.load().resolve("genre-bert")
    logits = torch_logits(torch_network(folder / "model.int8.onnx"), folder / "tokenizer.json", TEXTS)

    found = differences(GenreModel.load(folder), logits[::-1])

    with pytest.raises(SystemExit, match="not the same network"):
        demand_agreement(found)
