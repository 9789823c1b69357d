"""A file dropped into the bucket is classified, and what went wrong with a row is said beside it."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.aws.conftest import Deployment

DEADLINE_S = 180
ROWS = [
    {"id": "west", "text": "A marshal rides into a dying frontier town to face an outlaw gang."},
    {"id": "empty", "text": ""},
    {"id": "love", "text": "Two bakers who hate each other fall in love over one wedding cake."},
]


def test_a_file_becomes_results_errors_and_a_summary(deployment: Deployment) -> None:
    bucket = deployment.bucket
    if bucket is None:
        pytest.skip("--bucket names no bucket")
    s3 = deployment.session.client("s3", endpoint_url=deployment.endpoint_url)
    name = f"e2e-{uuid.uuid4().hex}.jsonl"
    body = "".join(json.dumps(row) + "\n" for row in ROWS)
    s3.put_object(Bucket=bucket, Key=f"uploads/{name}", Body=body.encode())

    def read(suffix: str) -> str:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="results/").get("Contents", [])
        (key,) = (item["Key"] for item in found if item["Key"].endswith(f"{name}{suffix}"))
        return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="results/").get("Contents", [])
        if any(item["Key"].endswith(f"{name}.summary.json") for item in found):
            break
        assert time.monotonic() < deadline, [item["Key"] for item in found]
        time.sleep(0.5)

    results: list[dict[str, Any]] = [json.loads(line) for line in read(".jsonl").splitlines()]
    assert [result["id"] for result in results] == ["west", "love"]
    assert "Western" in results[0]["genres"]
    errors: list[dict[str, Any]] = [json.loads(line) for line in read(".errors.jsonl").splitlines()]
    assert len(errors) == 1
