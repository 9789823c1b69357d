import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.files.jsonl_rows import jsonl_rows
from functions.classification.files.rows import FileError, Row, RowError
from trending_core.visible import is_visible

NAMES = st.text(min_size=1).filter(str.strip)
TEXTS = st.text(min_size=1).filter(is_visible)


def read(content: bytes) -> list[Row | RowError]:
    return list(jsonl_rows(io.BytesIO(content), name="in.jsonl"))


@given(
    records=st.lists(
        st.fixed_dictionaries({"text": TEXTS, "id": NAMES}, optional={"title": NAMES}), min_size=1
    ),
    escaped=st.booleans(),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
)
def test_every_record_comes_back(records: list[dict[str, str]], escaped: bool, line_end: bytes) -> None:
    content = line_end.join(json.dumps(record, ensure_ascii=escaped).encode() for record in records)
    assert read(content) == [
        Row(number, id=record["id"], text=record["text"], title=record.get("title"))
        for number, record in enumerate(records, start=1)
    ]


@given(st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([b'{"text": "a"}', b" ", b"\r"]))))
def test_each_line_that_is_not_blank_is_one_outcome(lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    numbers = [number for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    if numbers:
        assert [row.number for row in read(content)] == numbers
    else:
        with pytest.raises(FileError, match=r"in\.jsonl holds no rows"):
            read(content)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "the line is not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{"text": "a\x00b"}', "the line is not JSON: Invalid control character at at column 12"),
        (b'{"text": "\xff"}', "the line is not UTF-8: its byte 11 is 0xff"),
        (b"[]", "the line is not a JSON object"),
        (b"null", "the line is not a JSON object"),
        (b"{}", "the text is missing"),
        (b'{"text": null}', "the text is missing"),
        (b'{"text": " \\n"}', "the text is empty"),
        (b'{"text": "\\u0000\\u200b"}', "the text is empty"),
        (b'{"text": "' + b"a" * 100_001 + b'"}', "the text has 100001 characters, more than 100000"),
        (b'{"text": "a", "title": "' + b"a" * 501 + b'"}', "the title has 501 characters, more than 500"),
        (b'{"text": "a", "id": ' + b"9" * 257 + b"}", "the id has 257 characters, more than 256"),
        (b'{"text": ["a"]}', "the text is a list, not a string"),
        (b'{"text": {}}', "the text is an object, not a string"),
        (b'{"text": "a", "title": 1.5}', "the title is a number, not a string"),
        (b'{"text": "a", "id": true}', "the id is true or false, not a string or an integer"),
        (b'{"text": "a", "id": 1.0}', "the id is a number, not a string or an integer"),
        (b'{"text": "\\ud800"}', "the text holds half of a surrogate pair, which is no character"),
        (b'{"text": "a", "id": "\\udfff"}', "the id holds half of a surrogate pair, which is no character"),
        (b"[" * 100_000, "the line is JSON beyond what is read: a number too long or nested too deeply"),
        (
            b'{"text": "a", "id": ' + b"9" * 5_000 + b"}",
            "the line is JSON beyond what is read: a number too long or nested too deeply",
        ),
        (b'{"text": "' + b"a" * 10_000_000 + b'"}', "the line is longer than 2097152 bytes"),
    ],
)
def test_a_bad_line_is_named_and_the_next_one_read(line: bytes, reason: str) -> None:
    assert read(line + b'\n{"text": "fine", "id": 0}') == [RowError(1, reason), Row(2, id="0", text="fine")]


def test_other_fields_are_ignored_and_blank_ids_and_titles_are_none() -> None:
    line = b'\n{"text": "a", "id": " ", "title": "", "year": 1999}'
    assert read(line) == [Row(2, id="2", text="a", title=None)]


def test_the_longest_allowed_text_is_read_even_if_every_character_is_escaped() -> None:
    text = "\N{CLAPPER BOARD}" * 100_000
    assert read(json.dumps({"text": text}).encode()) == [Row(1, id="1", text=text)]


@pytest.mark.parametrize(
    ("value", "item_id"),
    [
        ('"a-1"', "a-1"),
        ('" a "', " a "),
        ("17", "17"),
        ("null", None),
        ('" "', None),
        ("true", "<true or false>"),
        ("1.5", "<a number>"),
        ("[1]", "<a list>"),
    ],
)
def test_an_items_id_is_read_and_never_makes_a_row_unreadable(value: str, item_id: str | None) -> None:
    assert read(f'{{"text": "a", "item_id": {value}}}'.encode()) == [
        Row(1, id="1", text="a", item_id=item_id)
    ]
