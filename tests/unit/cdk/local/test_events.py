"""HTTP request -> proxy event, against a real one and by its rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cdk.local.events import HttpRequest, proxy_event

EVENTS = Path(__file__).parents[3] / "events"
REQUEST = HttpRequest(
    method="POST",
    path="/classify",
    query="",
    headers=[("Host", "127.0.0.1:8080"), ("Content-Type", "application/json"), ("User-Agent", "curl/8")],
    body=b'{"text": "A heist."}',
    host="127.0.0.1:8080",
    source_ip="127.0.0.1",
    request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    trace_id="Root=1-5759e988-bd862e3fe1be46a994272793",
)


def build(request: HttpRequest, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"resource": "/classify", "parameters": {}, "stage": "local"}
    return proxy_event(request, **(options | changes))


def test_has_every_key_of_a_real_event() -> None:
    real = json.loads((EVENTS / "classify.json").read_text(encoding="utf-8"))
    built = build(REQUEST)
    assert set(real) <= set(built)
    assert set(real["requestContext"]) <= set(built["requestContext"])
    assert set(real["requestContext"]["identity"]) <= set(built["requestContext"]["identity"])


def test_absent_parts_are_null_and_times_are_those_of_the_clock() -> None:
    built = build(replace(REQUEST, body=b""), now=1_700_000_000.5)
    assert built["queryStringParameters"] is built["multiValueQueryStringParameters"] is None
    assert built["pathParameters"] is built["stageVariables"] is built["body"] is None
    assert built["requestContext"]["requestTimeEpoch"] == 1_700_000_000_500
    assert built["requestContext"]["requestTime"] == "14/Nov/2023:22:13:20 +0000"
    assert built["headers"]["X-Forwarded-Port"] == "8080"
    assert built["headers"]["X-Amzn-Trace-Id"] == REQUEST.trace_id


@given(st.binary(max_size=200))
def test_every_body_is_text_as_without_binary_media_types(body: bytes) -> None:
    built = build(replace(REQUEST, body=body))
    assert built["isBase64Encoded"] is False
    assert (built["body"] or "") == body.decode(errors="replace")
    json.dumps(built)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=50))
def test_no_character_of_a_body_in_utf8_is_lost(text: str) -> None:
    assert build(replace(REQUEST, body=text.encode()))["body"] == text


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=2), st.text(max_size=5)), max_size=6))
def test_single_values_are_the_last_of_the_multi_values(headers: list[tuple[str, str]]) -> None:
    built = build(replace(REQUEST, headers=headers))
    for name, value in headers:
        assert value in built["multiValueHeaders"][name]
        assert built["headers"][name] == built["multiValueHeaders"][name][-1]
