from __future__ import annotations

import json

import pytest

from cdk.cli.lines import readable


def test_a_request_is_one_short_line() -> None:
    record = {"level": "INFO", "message": "request", "route": "GET /x", "status": 200, "latency_ms": 3.14}

    assert readable(json.dumps(record)) == "GET /x 200 3.1 ms"


def test_metrics_are_left_out_and_messages_kept() -> None:
    assert readable('{"_aws": {}, "Latency": [1.0]}') is None
    assert readable('{"level": "INFO", "message": "loaded 43 items", "service": "x"}') == "loaded 43 items"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        "{ not json",
        '{"level": "ERROR", "message": "request failed", "error_places": ["a.py:1"]}',
        '{"level": "WARNING", "message": "request", "route": "GET /x", "status": 500, "latency_ms": 1}',
        '{"other": "program"}',
    ],
)
def test_whatever_is_unexpected_stays_whole(line: str) -> None:
    assert readable(line) == line
