"""Answers as the classification function does, with one genre for every plot."""

import json
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Find every plot a mystery."""
    assert json.loads(event["body"])["text"]
    genres = [{"label": "Mystery", "probability": 0.8, "selected": True}]
    return {
        "statusCode": 200,
        "body": json.dumps({"genres": genres, "model": {"name": "fake", "version": "0"}}),
    }
