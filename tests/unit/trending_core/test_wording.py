from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from trending_core.wording import MAX_NAME_CHARS, field_path, reason


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(default="x", min_length=2, max_length=3)
    letter: str = Field(default="x", min_length=1)
    count: int = Field(default=1, ge=1, lt=9)
    share: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    rows: list[int] = Field(default=[1], min_length=1, max_length=2)
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    inner: dict[str, int] = {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"name": "secret-and-long"}, "must have at most 3 characters"),
        ({"name": "x"}, "must have at least 2 characters"),
        ({"letter": ""}, "must not be empty"),
        ({"count": 0}, "must be at least 1"),
        ({"count": 9}, "must be below 9"),
        ({"count": "secret"}, "must be a whole number"),
        ({"share": 0.0}, "must be above 0.0"),
        ({"share": 2.0}, "must be at most 1.0"),
        ({"share": float("nan")}, "must be a finite number"),
        ({"rows": []}, "must not be empty"),
        ({"rows": [1, 2, 3]}, "must have at most 2 entries, not 3"),
        ({"kind": "secret"}, "must be 'a' or 'b'"),
        ({"flag": "secret"}, "must be true or false"),
        ({"inner": "secret"}, "must be an object"),
        ({"other": 1}, "is not a known field"),
    ],
)
def test_a_fault_is_said_in_plain_words(value: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(value)
    (fault,) = caught.value.errors()
    assert reason(fault) == words


def test_a_fault_without_words_of_ours_keeps_pydantics_without_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(complex).validate_python("secret")
    words = reason(caught.value.errors()[0])
    assert words.startswith("is not valid: ")
    assert "secret" not in words


def test_a_path_reads_like_code() -> None:
    assert field_path(("items", 3, "text")) == "items[3].text"
    assert field_path(("<text>", "text")) == "text"
    assert field_path(()) == ""


@given(loc=st.lists(st.text(st.characters(codec=None)) | st.integers(0, 99), max_size=5))
def test_a_path_is_bounded_and_printable_in_utf_8(loc: list[str | int]) -> None:
    path = field_path(loc)
    path.encode("utf-8")
    assert len(path) <= (MAX_NAME_CHARS + 5) * 5
