"""Write the shipped network in the format of ``transformers``, and say how the rival's handler answers the texts of `agreement`.

    PYTHONPATH=<folder of transformers>:<root> python tests/bench/rival/prepare.py ARTIFACT OUT

A process of its own, since ``transformers`` lies outside the environment. Prints the logits, a JSON list for each text.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from genre_model import GENRES, Manifest
from model_artifacts.pipeline.network import HEADS, base_name
from tests.bench.agreement import TEXTS
from tests.bench.rival_weights import dequantized, layers_of, network_state


def write(artifact: Path, folder: Path) -> None:
    """Write encoder, head and tokenizer; the head holds the calibration too."""
    manifest = Manifest.load(artifact)
    weights = dequantized(artifact / manifest.network)
    state = {name: torch.tensor(value) for name, value in network_state(weights).items()}
    vocabulary, width = state["word_embeddings.weight"].shape
    encoder = BertModel(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=layers_of(weights),
            num_attention_heads=HEADS,
            intermediate_size=len(state["layers.0.intermediate.bias"]),
        ),
        add_pooling_layer=False,
    )
    head = {
        "weight": state.pop("classifier.weight"),
        "bias": state.pop("classifier.bias"),
        "slope": torch.tensor(manifest.slope),
        "intercept": torch.tensor(manifest.intercept),
        "centre": torch.tensor(manifest.length.centre),
        "length_scale": torch.tensor(manifest.length.scale),
    }
    encoder.load_state_dict({base_name(name): value for name, value in state.items()})
    encoder.save_pretrained(folder)
    save_file(head, folder / "head.safetensors")
    (folder / "labels.json").write_text(json.dumps(GENRES), encoding="utf-8")
    PreTrainedTokenizerFast(
        tokenizer_file=str(artifact / manifest.tokenizer),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


def main() -> None:
    """Write, load what was written, and print its logits."""
    artifact, folder = Path(sys.argv[1]), Path(sys.argv[2])
    write(artifact, folder)
    os.environ["RIVAL_MODEL_DIR"] = str(folder)
    handler = importlib.import_module("transformers_handler")  # loads the model that has just been written
    print(json.dumps([handler.logits(text).tolist() for text in TEXTS]))  # noqa: T201 -- what the bench reads


if __name__ == "__main__":
    main()
