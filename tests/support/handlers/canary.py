"""A function that answers as classification does, or is broken in the way that the variable ``DEFECT`` names.

``BASE_MS`` is how long an answer takes. While the file that ``HOLD`` names exists, requests that ask for it wait:
golden ones, and those with ``{"hold": true}``.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

DEFECT = os.environ.get("DEFECT", "")
BASE_S = float(os.environ.get("BASE_MS", "0")) / 1000
HOLD = Path(os.environ.get("HOLD", "/nonexistent"))
LEAK_BYTES = 8 * 2**20
EVERY = 20
"""One of so many requests raises or answers 500: 5 %."""
_leaked: list[bytearray] = []
_seen = [0]

if DEFECT == "init":
    message = "the model folder is missing"
    raise RuntimeError(message)
if DEFECT == "slow-init":
    time.sleep(60)


def _measure(*, unlabelled: bool) -> None:
    """Write what `trending_core.telemetry.watched_metrics` writes."""
    version = ["service", "function_name", "function_version"]
    directive = {
        "Namespace": "TrendingNow/local",
        "Dimensions": [["service"], version],
        "Metrics": [{"Name": "Classified", "Unit": "Count"}, {"Name": "Unlabelled", "Unit": "Count"}],
    }
    blob = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "service": "canary",
        "function_name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "function_version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        "Classified": [1.0],
        "Unlabelled": [float(unlabelled)],
    }
    print(json.dumps(blob))  # noqa: T201 -- standard output is the log


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Find a mystery in every plot."""
    body = json.loads(event["body"] or "{}")
    _seen[0] += 1
    while HOLD.exists() and (event["requestContext"]["stage"] == "golden" or body.get("hold")):
        time.sleep(0.02)
    time.sleep(BASE_S * (3 if DEFECT == "slow" else 1))
    if DEFECT == "raises" and _seen[0] % EVERY == 0:
        message = "asked to fail"
        raise ValueError(message)
    if DEFECT == "answers-500" and _seen[0] % EVERY == 0:
        return {"statusCode": 500, "body": json.dumps({"title": "Internal server error"})}
    if DEFECT == "leaks":
        _leaked.append(bytearray(b"x" * LEAK_BYTES))
    _measure(unlabelled=DEFECT == "unlabelled" and event["requestContext"]["stage"] != "golden")
    label = "Comedy" if DEFECT == "labels" else "Mystery"
    answer = {
        "genres": [{"label": label, "probability": 0.8, "selected": True}],
        "version": context.function_version,
        "defect": DEFECT,
        "note": os.environ.get("NOTE", ""),
    }
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(answer)}
