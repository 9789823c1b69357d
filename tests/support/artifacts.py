"""Small, real model artifacts, made in milliseconds without torch or the base model.

The network is a true ONNX graph with the serving signature. Its logits are a mean over the tokens, so what a test
expects of it can be computed by hand: logit ``k`` is the mean of ``(token id mod 18 == k)`` over a window, times 8,
minus 1.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from genre_model import GENRES
from genre_model.wide import WideTable

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [f"word{i}" for i in range(200)]
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, **{w: i + 4 for i, w in enumerate(WORDS)}}


def tiny_tokenizer() -> bytes:
    """Give a whitespace tokenizer that knows ``word0`` to ``word199``."""
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # As the base model is published: the serving code must switch this off.
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=7)
    return tokenizer.to_str().encode()


def tiny_network(labels: int = len(GENRES), input_type: int = TensorProto.INT32) -> bytes:
    """Give the graph described in the module's docstring."""
    table = np.zeros((len(VOCABULARY), labels), np.float32)
    table[np.arange(len(VOCABULARY)), np.arange(len(VOCABULARY)) % labels] = 8
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "one"], ["row"]),
        helper.make_node("MatMul", ["row", "rows"], ["sum"]),
        helper.make_node("ReduceSum", ["row", "two"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Squeeze", ["mean", "one"], ["flat"]),
        helper.make_node("Sub", ["flat", "bias"], ["logits"]),
    ]
    constants: dict[str, np.ndarray[Any, np.dtype[Any]]] = {
        "table": table,
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "bias": np.ones(1, np.float32),
    }
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, input_type, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def manifest_of(files: dict[str, bytes], /, **changes: Any) -> dict[str, Any]:
    """Give a valid manifest for these files; ``changes`` replace top-level fields."""
    return {
        "schema_version": 1,
        "name": "tiny",
        "version": "1.2.3",
        "kind": "windows",
        "network": "model.onnx",
        "tokenizer": "tokenizer.json",
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in files.items()
        },
        "labels": list(GENRES),
        "input": {
            "window_tokens": 16,
            "max_windows": 4,
            "max_title_tokens": 4,
            "max_batch_tokens": 64,
        },
        "calibration": {"slope": [1.0] * len(GENRES), "intercept": [0.0] * len(GENRES)},
        "thresholds": [0.5] * len(GENRES),
        **changes,
    }


def tiny_table() -> WideTable:
    """Give a wide table of every second word and of the pairs ``word0 word1``, ``word2 word3`` and so on."""
    ids = np.array([VOCABULARY[word] for word in WORDS], np.uint32)
    keys = np.concatenate([ids[::2], (ids[::2] + np.uint32(1)) << np.uint32(16) | ids[1::2]])
    rows, labels = np.arange(len(keys)), np.arange(len(GENRES))
    return WideTable(
        step=((labels + 1) / 64).astype(np.float32),
        intercept=(-labels / 4).astype(np.float32),
        keys=keys,
        idf=(1 + rows % 7 / 2).astype(np.float16),
        weights=((rows[:, None] * 37 + labels * 11) % 255 - 127).astype(np.int8),
    )


def wide_entry() -> dict[str, Any]:
    """Give what a manifest says of `tiny_table`."""
    return {
        "file": "wide.bin",
        "features": len(WORDS),
        "ngrams": 2,
        "max_tokens": 2048,
        "weights": [0.5] * len(GENRES),
    }


def write_tiny_wide_artifact(folder: Path, **changes: Any) -> Path:
    """Write an artifact whose network has `tiny_table` beside it, and return it."""
    return _write(folder, {"wide.bin": tiny_table().to_bytes()}, {"wide": wide_entry(), **changes})


def write_tiny_artifact(folder: Path, **changes: Any) -> Path:
    """Write a whole artifact folder and return it."""
    return _write(folder, {}, changes)


def _write(folder: Path, more: dict[str, bytes], changes: dict[str, Any]) -> Path:
    files = {"model.onnx": tiny_network(), "tokenizer.json": tiny_tokenizer(), **more}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest_of(files, **changes)))
    return folder


__all__ = [
    "VOCABULARY",
    "WORDS",
    "manifest_of",
    "tiny_network",
    "tiny_table",
    "tiny_tokenizer",
    "wide_entry",
    "write_tiny_artifact",
    "write_tiny_wide_artifact",
]
