"""What a proxy integration takes as an answer, and what it calls malformed."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.local.proxy_response import MalformedResponseError, ProxyResponse, parse_proxy_response

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PARTS = dict.fromkeys(("statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"), JSON)


def parse(answer: object) -> ProxyResponse:
    return parse_proxy_response(json.dumps(answer).encode())


def test_single_and_multi_value_headers_are_merged() -> None:
    answer = parse(
        {
            "statusCode": "201",
            "headers": {"A": "1", "N": 7},
            "multiValueHeaders": {"A": ["1", "2"]},
            "body": "é",
        }
    )
    assert answer == ProxyResponse(201, (("A", "1"), ("A", "2"), ("N", "7")), "é".encode())


def test_headers_about_the_connection_are_the_gateway_s() -> None:
    answer = parse({"statusCode": 200, "headers": {"Content-Length": "999", "Transfer-Encoding": "chunked"}})
    assert answer.headers == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("text", "it is text, not an object"),
        (None, "it is null"),
        ([], "it is a list"),
        ({}, "statusCode is None"),
        ({"statusCode": True}, "statusCode is True"),
        ({"statusCode": 99}, "statusCode is 99"),
        ({"statusCode": 600}, "statusCode is 600"),
        ({"statusCode": 200.0}, "statusCode is 200.0"),
        ({"statusCode": "0200"}, "statusCode is '0200'"),
        ({"statusCode": "٢٠٠"}, "statusCode is '٢٠٠'"),
        ({"statusCode": "2" * 5_000}, "statusCode is '2222"),
        ({"statusCode": 200, "body": {"a": 1}}, "its body is an object, not text"),
        ({"statusCode": 200, "body": "*", "isBase64Encoded": True}, "not base64"),
        ({"statusCode": 200, "headers": []}, None),
        ({"statusCode": 200, "headers": ["a"]}, "headers are not an object"),
        ({"statusCode": 200, "headers": {"A": {}}}, "header 'A' is an object"),
        ({"statusCode": 200, "headers": {"A": "x\r\nB: y"}}, "cannot be sent"),
        ({"statusCode": 200, "headers": {"A B": "x"}}, "cannot be sent"),
        ({"statusCode": 200, "headers": {"A": "\ud800"}}, "cannot be sent"),
        ({"statusCode": 200, "multiValueHeaders": {"A": "x"}}, "not a list"),
    ],
)
def test_malformed_answers_say_why(answer: object, reason: str | None) -> None:
    if reason is None:
        assert parse(answer).headers == ()
        return
    with pytest.raises(MalformedResponseError, match=reason):
        parse(answer)


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[" * 100_000, b'{"statusCode": ' + b"2" * 5_000 + b"}"])
def test_what_json_cannot_read_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedResponseError, match="it is not JSON"):
        parse_proxy_response(payload)


@given(st.fixed_dictionaries({}, optional=PARTS))
def test_any_json_is_an_answer_or_malformed(answer: dict[str, object]) -> None:
    with contextlib.suppress(MalformedResponseError):
        parsed = parse(answer)
        assert 200 <= parsed.status < 600
        assert all("\n" not in value and "\r" not in value for _, value in parsed.headers)
