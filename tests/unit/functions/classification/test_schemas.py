from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from functions.classification.contract import MAX_TEXT_CHARS
from functions.classification.schemas import ClassifyItems, ClassifyRequest, ClassifyText

REQUEST: TypeAdapter[ClassifyText | ClassifyItems] = TypeAdapter(ClassifyRequest)


def refused(value: Any) -> bool:
    try:
        REQUEST.validate_python(value)
    except ValidationError:
        return True
    return False


def test_defaults() -> None:
    request = REQUEST.validate_python({"text": "x"})
    assert isinstance(request, ClassifyText)
    assert (request.title, request.top_k, request.model) == (None, 5, "bert")


def test_the_form_with_items() -> None:
    request = REQUEST.validate_python({"items": [{"text": "x", "title": "t", "id": "1"}, {"text": "y"}]})
    assert isinstance(request, ClassifyItems)
    assert [(item.id, item.title, item.text) for item in request.items] == [
        ("1", "t", "x"),
        (None, None, "y"),
    ]


@pytest.mark.parametrize(("length", "fits"), [(1, True), (MAX_TEXT_CHARS, True), (MAX_TEXT_CHARS + 1, False)])
def test_the_length_of_a_text_is_in_characters_not_bytes(length: int, fits: bool) -> None:
    assert refused({"text": "😀" * length}) is not fits


@given(text=st.text(st.sampled_from(" \t\n\r\x00\x1f\x7f\u00a0\u200b\u200e\u2028\ufeff"), max_size=20))
def test_a_text_that_shows_nothing_is_empty(text: str) -> None:
    assert refused({"text": text})


@given(before=st.text(max_size=5), seen=st.sampled_from("aß字ع😀.1"), after=st.text(max_size=5))
def test_one_visible_character_is_enough(before: str, seen: str, after: str) -> None:
    text = before + seen + after
    request = REQUEST.validate_python({"text": text})
    assert isinstance(request, ClassifyText)
    assert request.text == text, "a text is passed on as it came"
