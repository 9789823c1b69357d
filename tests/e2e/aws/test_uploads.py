"""A file dropped into the bucket is classified, and what went wrong with a row is said beside it."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.aws.conftest import Deployment

DEADLINE_S = 300
CHUNK_ROWS = 512
ROWS = [
    {"id": "west", "text": "A marshal rides into a dying frontier town to face an outlaw gang."},
    {"id": "empty", "text": ""},
    {"id": "love", "text": "Two bakers who hate each other fall in love over one wedding cake."},
]


class Results:
    """What lies under ``results/`` for one uploaded file.

    Parameters
    ----------
    rows : list of dict
        The file's lines; it is dropped into the bucket at once.
    """

    def __init__(self, deployment: Deployment, rows: list[dict[str, str]]) -> None:
        if deployment.bucket is None:
            pytest.skip("--bucket names no bucket")
        self._bucket = deployment.bucket
        self._s3 = deployment.session.client("s3", endpoint_url=deployment.endpoint_url)
        self._name = f"e2e-{uuid.uuid4().hex}.jsonl"
        body = "".join(json.dumps(row) + "\n" for row in rows)
        self._s3.put_object(Bucket=self._bucket, Key=f"uploads/{self._name}", Body=body.encode())

    def keys(self, suffix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix="results/")
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key for key in found if key.endswith(f"{self._name}{suffix}")]

    def lines(self, suffix: str) -> list[dict[str, Any]]:
        (key,) = self.keys(suffix)
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
        return [json.loads(line) for line in body.splitlines()]

    def wait(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not self.keys(".summary.json"):
            assert time.monotonic() < deadline, "there is no summary"
            time.sleep(0.5)


def test_a_file_becomes_results_errors_and_a_summary(deployment: Deployment) -> None:
    file = Results(deployment, ROWS)
    file.wait()
    results = file.lines(".jsonl")
    assert [result["id"] for result in results] == ["west", "love"]
    assert "Western" in results[0]["genres"]
    assert len(file.lines(".errors.jsonl")) == 1


def test_a_file_of_several_chunks_keeps_its_order(deployment: Deployment) -> None:
    rows = [
        {"id": f"row-{number}", "text": f"Ghost story {number}."} for number in range(2 * CHUNK_ROWS + 10)
    ]
    file = Results(deployment, rows)
    file.wait()
    assert [result["id"] for result in file.lines(".jsonl")] == [row["id"] for row in rows]
