"""Cursors come back as they were written, or are refused."""

from __future__ import annotations

import base64
import hashlib
import json
from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trending_core.cursor import MAX_LENGTH, decode, encode
from trending_core.decay import DAY, MAX_NUMBER, TIE_GRID, WEEK
from trending_core.errors import InvalidInput
from trending_core.ranking import ALL, Place, genre, tag

EXACT = Context(prec=40)
"""The default of 28 digits would round the largest numbers beyond what is ever stored."""

places = st.builds(
    Place,
    item_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True),
    epoch=st.integers(0, 10_000),
    number=st.integers(0, 10**38 - 1).map(
        lambda units: Decimal(units).scaleb(TIE_GRID.adjusted(), context=EXACT)
    ),
)
PLACE = Place("salt-road", 643, Decimal("12.5"))


def sealed(content: object) -> str:
    """A cursor with a right check over wrong content, as somebody who read the source could make it."""
    body = json.dumps(content).encode()
    check = hashlib.sha256(f"{ALL.key}\n{DAY.name}\n".encode() + body).digest()[:8]
    return base64.urlsafe_b64encode(check + body).decode().rstrip("=")


@given(place=places)
def test_a_cursor_gives_its_place_back(place: Place) -> None:
    text = encode(place, genre("Drama"), WEEK)
    assert len(text) <= MAX_LENGTH
    assert decode(text, genre("Drama"), WEEK) == place


@given(place=places, data=st.data())
def test_a_damaged_cursor_never_becomes_another_place(place: Place, data: st.DataObject) -> None:
    text = encode(place, ALL, DAY)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != text[at]))
    try:
        found = decode(text[:at] + other + text[at + 1 :], ALL, DAY)
    except InvalidInput:
        return
    # The last character's unused bits do not matter to Base64.
    assert found == place


@pytest.mark.parametrize(
    ("partition", "window"),
    [(ALL, WEEK), (genre("Drama"), DAY), (tag("drama"), DAY)],
    ids=["window", "genre", "tag"],
)
def test_a_cursor_belongs_to_its_query(partition: type[ALL], window: type[DAY]) -> None:  # type: ignore[valid-type]
    with pytest.raises(InvalidInput) as caught:
        decode(encode(PLACE, ALL, DAY), partition, window)  # type: ignore[arg-type]
    assert caught.value.errors[0].field == "cursor"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "?????",
        "ümlaut",
        "A" * (MAX_LENGTH + 1),
        "A" * 40,
        sealed([2, 643, "12.5", "salt-road"]),
        sealed([1, "643", "12.5", "salt-road"]),
        sealed([1, 643, "-1", "salt-road"]),
        sealed([1, 643, "NaN", "salt-road"]),
        sealed([1, 643, "1e99", "salt-road"]),
        sealed([1, 643, str(MAX_NUMBER) + "9", "salt-road"]),
        sealed([1, 643, "12.5"]),
        sealed({"v": 1}),
        sealed(7),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(text, ALL, DAY)
    assert caught.value.errors[0].field == "cursor"


def test_another_version_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(sealed([2, 643, "12.5", "salt-road"]), ALL, DAY)
    assert "version 2" in caught.value.errors[0].reason
