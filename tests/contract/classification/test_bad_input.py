"""Every kind of bad or odd input: its documented status, and a body that names the problem."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gateway import REQUEST_ID, Answer, proxy_event
from tests.support.openapi import assert_documented

if TYPE_CHECKING:
    from tests.support.gateway import Deliver, Send


def assert_problem(answer: Answer, status: int, detail: str) -> None:
    assert answer.status == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert detail in answer.body["detail"]
    assert answer.body["request_id"] == answer.headers["x-request-id"] == REQUEST_ID
    assert len(answer.text) < 5_000, "a problem never repeats the input"
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text


ACCEPTED = {
    "1 character": {"text": "x"},
    "100,000 characters": {"text": "a b c d " * 12_500},
    "emoji": {"text": "👩‍🚀🚀🌌"},
    "right-to-left": {"text": "رجل عجوز يبحث عن كنز مفقود في الصحراء", "title": "الكنز"},
    "NUL bytes inside": {"text": "a quiet\u0000 town"},
    "no title": {"text": "x", "title": None},
    "empty title": {"text": "x", "title": ""},
    "64 items": {"items": [{"text": "x"}] * 64},
    "same id twice": {"items": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]},
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_odd_but_fine(send: Send, body: dict[str, Any]) -> None:
    answer = send("POST", "/classify", json.dumps(body, ensure_ascii=False).encode())
    assert answer.status == 200, answer.text[:300]
    assert_documented("POST", "/classify", answer)


REFUSED_BY_SCHEMA: dict[str, tuple[Any, str, str]] = {
    "no field": ({}, "text", "is required"),
    "empty text": ({"text": ""}, "text", "must not be empty"),
    "blank text": ({"text": " \t\n"}, "text", "must not be empty"),
    "zero-width text": ({"text": "\u200b\u200d"}, "text", "must not be empty"),
    "NUL bytes only": ({"text": "\u0000\u0000"}, "text", "must not be empty"),
    "100,001 characters": ({"text": "x" * 100_001}, "text", "must have at most 100000 characters"),
    "501 characters of title": (
        {"text": "x", "title": "t" * 501},
        "title",
        "must have at most 500 characters",
    ),
    "lone surrogate": ({"text": "\ud83d"}, "text", "surrogate"),
    "text is a number": ({"text": 5}, "text", "must be a string"),
    "text is null": ({"text": None}, "text", "must be a string"),
    "text is a list": ({"text": ["x"]}, "text", "must be a string"),
    "unknown field": ({"text": "x", "langauge": "en"}, "langauge", "is not a known field"),
    "unknown field of an item": (
        {"items": [{"text": "x", "plot": "y"}]},
        "items[0].plot",
        "is not a known field",
    ),
    "both forms": ({"text": "x", "items": [{"text": "x"}]}, "text", "is not a known field"),
    "65 items": ({"items": [{"text": "x"}] * 65}, "items", "must have at most 64 entries, not 65"),
    "no items": ({"items": []}, "items", "must not be empty"),
    "items is an object": ({"items": {"text": "x"}}, "items", "must be a list"),
    "an item is a string": ({"items": ["x"]}, "items[0]", "must be an object"),
    "empty text in an item": ({"items": [{"text": "x"}, {"text": ""}]}, "items[1].text", "must not be empty"),
    "id is a number": ({"items": [{"id": 1, "text": "x"}]}, "items[0].id", "must be a string"),
    "top_k is a string": ({"text": "x", "top_k": "5"}, "top_k", "must be a whole number"),
    "top_k is true": ({"text": "x", "top_k": True}, "top_k", "must be a whole number"),
    "top_k is 1.5": ({"text": "x", "top_k": 1.5}, "top_k", "must be a whole number"),
    "top_k is 0": ({"text": "x", "top_k": 0}, "top_k", "must be at least 1"),
    "top_k is 19": ({"text": "x", "top_k": 19}, "top_k", "must be at most 18"),
    "unknown model": ({"text": "x", "model": "gpt"}, "model", "must be 'bert' or 'xgboost'"),
    "model not deployed": (
        {"text": "x", "model": "xgboost"},
        "model",
        "must be one that this deployment holds: bert",
    ),
    "a list": ([{"text": "x"}], "", "must be a JSON object, not a list"),
    "a string": ("x", "", "must be a JSON object, not a string"),
    "null": (None, "", "must be a JSON object, not null"),
    "false": (False, "", "must be a JSON object, not a truth value"),
    "0": (0, "", "must be a JSON object, not a number"),
}


@pytest.mark.parametrize(
    ("body", "field", "reason"), REFUSED_BY_SCHEMA.values(), ids=REFUSED_BY_SCHEMA.keys()
)
def test_outside_the_schema_is_422_naming_the_field(send: Send, body: Any, field: str, reason: str) -> None:
    answer = send("POST", "/classify", json.dumps(body))
    assert_problem(answer, 422, reason)
    assert {
        "field": field,
        "reason": next(e["reason"] for e in answer.body["errors"] if reason in e["reason"]),
    } in (answer.body["errors"])
    assert_documented("POST", "/classify", answer)


MALFORMED: dict[str, tuple[str | bytes | None, str]] = {
    "no body": (None, "empty"),
    "empty body": ("", "empty"),
    "blank body": ("  \n", "empty"),
    "invalid JSON": ('{"text": ', "line 1, column 10"),
    "two documents": ('{"text": "x"} {}', "Extra data at line 1, column 15"),
    "single quotes": ("{'text': 'x'}", "line 1, column 2"),
    "raw NUL byte": (b'{"text": "a\x00b"}', "Invalid control character at line 1, column 12"),
    "invalid UTF-8": (b'{"text": "caf\xe9"}', "not valid UTF-8: byte 14"),
    "UTF-16": ('{"text": "x"}'.encode("utf-16"), "not valid UTF-8: byte 1"),
    "surrogate in the event": ('{"text": "\ud800"}', "not valid UTF-8: character 11"),
    "NaN": ('{"text": "x", "top_k": NaN}', "NaN is not a JSON number"),
    "Infinity": ('{"text": "x", "top_k": -Infinity}', "-Infinity is not a JSON number"),
    "1e999": ('{"text": "x", "top_k": 1e999}', "too large for a double"),
    "5,000 digits": ('{"text": "x", "top_k": ' + "9" * 5_000 + "}", "5,000 characters"),
    "the same name twice": ('{"text": "x", "text": "y"}', "holds the name text twice"),
    "half a surrogate pair in a name": ('{"\\ud800": "x"}', "name in an object"),
    "100,000 brackets": ("[" * 100_000, "nested too deeply"),
    "100,000 objects": ('{"a":' * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize(("body", "detail"), MALFORMED.values(), ids=MALFORMED.keys())
def test_not_json_is_400_saying_where(send: Send, body: str | bytes | None, detail: str) -> None:
    answer = send("POST", "/classify", body)
    assert_problem(answer, 400, detail)
    assert_documented("POST", "/classify", answer)


def test_a_body_marked_as_base64_that_is_not(deliver: Deliver) -> None:
    event = {**proxy_event("POST", "/classify", b"{}"), "body": "%%%"}
    assert_problem(deliver(event), 400, "marked as Base64 and is not")


@pytest.mark.parametrize(
    "body", ['{"text": "' + "x" * 7_000_000 + '"}', b"\xff" * 7_000_000], ids=["text", "bytes"]
)
def test_7_mb_is_413(send: Send, body: str | bytes) -> None:
    answer = send("POST", "/classify", body)
    assert_problem(answer, 413, "at most 1,048,576 are accepted")
    assert_documented("POST", "/classify", answer)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json; charset=iso-8859-1",
    ],
)
def test_another_media_type_is_415(send: Send, content_type: str) -> None:
    answer = send("POST", "/classify", '{"text": "x"}', content_type=content_type)
    assert_problem(answer, 415, "Content-Type")
    assert answer.headers["accept"] == "application/json"
    assert_documented("POST", "/classify", answer)


@pytest.mark.parametrize("content_type", [None, "", "APPLICATION/JSON", 'application/json; charset="UTF-8"'])
def test_json_by_any_of_its_names_is_read(send: Send, content_type: str | None) -> None:
    assert send("POST", "/classify", '{"text": "x"}', content_type=content_type).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/classify", "POST"), ("DELETE", "/classify", "POST"), ("POST", "/health", "GET")],
)
def test_another_method_is_405_with_allow(send: Send, method: str, path: str, allow: str) -> None:
    answer = send(method, path, "not even JSON")
    assert_problem(answer, 405, allow)
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/classify/x",
        "/CLASSIFY",
        "/classify%00",
        "/../etc/passwd",
        "/\x00",
        "/\ud800",
        "/é <b>",
    ],
)
def test_another_path_is_404(send: Send, path: str) -> None:
    answer = send("POST", path, "not even JSON")
    assert_problem(answer, 404, "nothing under this path")
    assert answer.body["instance"].isascii()


def test_a_million_unknown_fields_give_a_short_answer(send: Send) -> None:
    answer = send("POST", "/classify", json.dumps({"text": "x", **{f"f{i}": 1 for i in range(50_000)}}))
    assert_problem(answer, 422, "49999 more faults")
    assert len(answer.body["errors"]) == 20


def test_a_long_field_name_is_cut(send: Send) -> None:
    assert_problem(
        send("POST", "/classify", json.dumps({"text": "x", "k" * 900_000: 1})), 422, "is not a known field"
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LIKE_A_REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text() | JSON_VALUES,
        "title": st.text() | JSON_VALUES,
        "top_k": st.integers(-1, 20) | JSON_VALUES,
        "model": st.sampled_from(["bert", "xgboost"]) | JSON_VALUES,
        "items": st.lists(
            st.fixed_dictionaries({"text": st.text()}, optional={"id": st.text()}) | JSON_VALUES, max_size=4
        ),
    },
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(value=JSON_VALUES | LIKE_A_REQUEST)
def test_any_json_value_gets_a_documented_answer(send: Send, value: Any) -> None:
    answer = send("POST", "/classify", json.dumps(value))
    assert answer.status in (200, 400, 422)
    assert_documented("POST", "/classify", answer)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.binary(max_size=200), as_text=st.booleans())
def test_any_bytes_get_a_documented_answer(send: Send, body: bytes, as_text: bool) -> None:
    answer = send("POST", "/classify", body.decode("latin-1") if as_text else body)
    assert answer.status in (200, 400, 422)
    assert_documented("POST", "/classify", answer)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.text(max_size=8),
    path=st.text(st.characters(codec=None), max_size=30),
    content_type=st.text(max_size=30),
)
def test_any_request_line_gets_an_answer_below_500(
    send: Send, method: str, path: str, content_type: str
) -> None:
    assert 200 <= send(method, f"/{path}", "{}", content_type=content_type).status < 500
