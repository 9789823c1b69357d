"""The teacher's network: held against figures of another implementation, and what makes it differ from a BERT."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from genre_model.labels import GENRES
from model_artifacts.pipeline.encoder import Shape
from model_artifacts.pipeline.mpnet import BUCKETS, MpnetNetwork, mpnet_name, relative_buckets, renumbered
from model_artifacts.pipeline.views import CLS, MASK, PAD, SEP

TINY = Shape(vocabulary=40, positions=150, width=8, heads=2, feed_forward=12, epsilon=1e-5)
POOLED = [
    [-1.53021, -0.94062, -0.56293, 0.04446, 1.18786, 1.29179, -0.17104, 0.95872],
    [-1.22446, 0.23434, -0.59558, -0.19736, 1.64767, 0.55183, 0.62096, 0.06648],
]
"""Mean over tokens of ``MPNetModel``'s last hidden states in transformers 5.23.0, for the weights and texts that the test draws."""


def tiny(rng: np.random.Generator) -> MpnetNetwork:
    """Give a network with weights drawn in the order of their names in ``transformers``, and the pooled state as its first logits."""
    network = MpnetNetwork(2, shape=TINY).eval()
    encoder = {
        mpnet_name(name): parameter
        for name, parameter in network.named_parameters()
        if not name.startswith("classifier.")
    }
    with torch.no_grad():
        for name in sorted(encoder):
            drawn = rng.normal(0, 0.5, tuple(encoder[name].shape)).astype(np.float32)
            encoder[name].copy_(torch.from_numpy(1 + drawn if name.endswith("LayerNorm.weight") else drawn))
        nn.init.eye_(network.classifier.weight)
        nn.init.zeros_(network.classifier.bias)
    return network


def test_the_network_computes_what_transformers_does() -> None:
    rng = np.random.default_rng(7)
    network = tiny(rng)
    ids = rng.integers(10, 39, (2, 140)) - 4
    mask = np.ones_like(ids)
    ids[:, 0], ids[0, -1], ids[1, 9], ids[1, 10:], mask[1, 10:] = CLS, SEP, SEP, PAD, 0

    with torch.inference_mode():
        logits = network(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()

    np.testing.assert_allclose(logits[:, : TINY.width], POOLED, atol=2e-5)
    assert logits.shape == (2, len(GENRES))


def test_padding_changes_nothing_and_the_order_of_words_does() -> None:
    network = tiny(np.random.default_rng(1))
    text = torch.tensor([[CLS, 10, 11, 12, SEP]])
    padded = torch.tensor([[CLS, 10, 11, 12, SEP, PAD, PAD]])
    turned = torch.tensor([[CLS, 12, 11, 10, SEP]])

    with torch.inference_mode():
        alone = network(text, torch.ones_like(text))
        beside = network(padded, (padded != PAD).long())
        other = network(turned, torch.ones_like(turned))

    torch.testing.assert_close(beside, alone)
    assert (other - alone).abs().max() > 1e-2


def test_word_pieces_are_renumbered_and_special_ones_have_places_of_their_own() -> None:
    ids = torch.tensor([[CLS, 1000, MASK, 30_521, SEP, PAD]])

    assert renumbered(ids).tolist() == [[0, 1004, 30_526, 30_525, 2, 1]]


def test_near_distances_have_buckets_of_their_own_and_far_ones_share() -> None:
    buckets = relative_buckets(400).numpy()

    back = buckets[399, ::-1]  # by distance, looking back
    ahead = buckets[0]
    assert back[:8].tolist() == list(range(8))
    assert ahead[:8].tolist() == [0, *range(17, 24)]
    assert (np.diff(back) >= 0).all()
    np.testing.assert_array_equal(ahead[1:], back[1:] + BUCKETS // 2)
    assert set(back[128:].tolist()) == {BUCKETS // 2 - 1}
    assert back[100] < BUCKETS // 2


def test_the_bias_by_position_is_not_trained() -> None:
    trained = {name: p.requires_grad for name, p in MpnetNetwork(1, shape=TINY).named_parameters()}

    assert not trained.pop("relative_attention_bias.weight")
    assert all(trained.values())
