"""The usual way to put BERT on Lambda, for comparison: ``transformers`` and torch, float32, the model loaded at init.

``RIVAL_MODEL_DIR`` names a folder that `prepare` wrote. It answers the same proxy event in the same shape, unvalidated.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def prepare(folder: Path, tokenizer_json: Path, labels: list[str]) -> None:
    """Write a BERT of our model's shape in the format of ``transformers``. Its weights are random: they change no timing."""
    from transformers import (  # noqa: PLC0415
        BertConfig,
        BertForSequenceClassification,
        PreTrainedTokenizerFast,
    )

    config = BertConfig(
        vocab_size=30_522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1_536,
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="multi_label_classification",
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_json),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
else:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(os.environ["RIVAL_MODEL_DIR"])
    model = AutoModelForSequenceClassification.from_pretrained(os.environ["RIVAL_MODEL_DIR"])
    model.eval()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one proxy event."""
    request = json.loads(event["body"])
    inputs = tokenizer(request["text"], return_tensors="pt", truncation=True, max_length=256)
    with torch.inference_mode():
        probabilities = torch.sigmoid(model(**inputs).logits)[0].tolist()
    genres = [
        {"label": model.config.id2label[number], "probability": round(probability, 4)}
        for number, probability in enumerate(probabilities)
    ]
    genres.sort(key=lambda genre: -genre["probability"])
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"genres": genres}),
    }
