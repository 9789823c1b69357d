"""The usual way to put BERT on Lambda, for comparison: ``transformers`` and torch, float32, the model loaded at init.

``RIVAL_MODEL_DIR`` names a folder that `prepare` wrote. It answers the same proxy event in the same shape, unvalidated. A text
beyond BERT's 512 positions is cut there, where our function goes on in windows.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

FOLDER = Path(os.environ["RIVAL_MODEL_DIR"])
POSITIONS = 512

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
encoder = AutoModel.from_pretrained(FOLDER, add_pooling_layer=False)
encoder.eval()
head = load_file(FOLDER / "head.safetensors")
labels = json.loads((FOLDER / "labels.json").read_text(encoding="utf-8"))


def logits(text: str) -> torch.Tensor:
    """Give the float32 ``[18]`` logits of a text: mean over its tokens, one linear layer."""
    return run(text)[0]


def run(text: str) -> tuple[torch.Tensor, int]:
    """Give the logits, and how many word pieces they were read from."""
    inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=POSITIONS)
    with torch.inference_mode():
        hidden = encoder(**inputs).last_hidden_state[0]
        found: torch.Tensor = head["weight"] @ hidden.mean(dim=0) + head["bias"]
    return found, len(hidden) - 2


def calibrated(found: torch.Tensor, pieces: int) -> list[float]:
    """Give probabilities as the artifact's calibration makes them."""
    length = math.log(min(max(pieces, 16), 1024) / 128) / math.log(8)
    weighed = head["centre"] + (1 + head["length_scale"] * length) * (found - head["centre"])
    probabilities: list[float] = torch.sigmoid(head["slope"] * weighed + head["intercept"]).tolist()
    return probabilities


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one proxy event."""
    request = json.loads(event["body"])
    probabilities = calibrated(*run(request["text"]))
    genres = [
        {"label": label, "probability": round(probability, 4)}
        for label, probability in zip(labels, probabilities, strict=True)
    ]
    genres.sort(key=lambda genre: -genre["probability"])
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"genres": genres[: request.get("top_k", 5)]}),
    }
