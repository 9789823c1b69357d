from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trending_core.body import parse_object, read_text
from trending_core.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType

FINITE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=st.dictionaries(st.text(), FINITE_JSON))
def test_what_json_writes_is_read_back(value: dict[str, Any]) -> None:
    assert parse_object(json.dumps(value)) == value


@given(text=st.text())
def test_any_text_is_read_or_refused_as_malformed_or_no_object(text: str) -> None:
    try:
        value = parse_object(text)
    except (MalformedRequest, ValueError) as error:
        assert isinstance(error, MalformedRequest)  # noqa: PT017 -- both branches are right
    except Exception as error:  # noqa: BLE001 -- anything else must be the third allowed kind
        assert type(error).__name__ == "InvalidInput"  # noqa: PT017
    else:
        assert isinstance(value, dict)


def test_two_equal_names_are_refused_at_any_depth() -> None:
    with pytest.raises(MalformedRequest, match="holds the name a twice"):
        parse_object('{"items": [{"a": 1, "b": 2, "a": 3}]}')


def test_size_is_counted_in_bytes_not_characters() -> None:
    assert read_text({"body": "é" * 5}, max_bytes=10) == "é" * 5
    with pytest.raises(PayloadTooLarge, match="11 bytes; at most 10"):
        read_text({"body": "é" * 5 + "e"}, max_bytes=10)


def test_size_of_a_base64_body_is_that_of_its_bytes() -> None:
    event = {"body": "e30gICAgICAgIA==", "isBase64Encoded": True}  # {} and eight spaces
    assert read_text(event, max_bytes=10) == "{}" + " " * 8
    with pytest.raises(PayloadTooLarge):
        read_text(event, max_bytes=9)


def test_header_names_have_no_case() -> None:
    with pytest.raises(UnsupportedMediaType):
        read_text({"body": "{}", "headers": {"cOnTeNt-TyPe": "text/plain"}})


def test_no_headers_at_all_is_fine() -> None:
    assert read_text({"body": "{}", "headers": None}) == "{}"
