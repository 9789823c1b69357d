"""The INT8 file that is shipped, as a file: what it may not do on any processor that Lambda assigns."""

from __future__ import annotations

import onnx

from model_artifacts.pipeline.saturation import WEIGHT_LIMIT, check_no_saturation, product_weight_extremes
from model_artifacts.registry import Registry

LAYERS = 6
PRODUCTS_PER_LAYER = 4
"""QKV in one, the attention's output, and the two of the feed-forward block."""


def test_no_product_of_the_champion_can_saturate_without_vnni() -> None:
    model = onnx.load(Registry.load().resolve("genre-bert") / "model.int8.onnx")

    extremes = product_weight_extremes(model)

    check_no_saturation(model)
    assert len(extremes) == LAYERS * PRODUCTS_PER_LAYER
    assert {dtype for dtype, _ in extremes.values()} == {"int8"}
    # The limit is used, not merely kept: the weights do fill their seven bits.
    assert max(magnitude for _, magnitude in extremes.values()) == WEIGHT_LIMIT
