import csv
import io
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.classification.files import csv_rows
from functions.classification.files.csv_fields import Record
from functions.classification.files.csv_rows import CsvRows
from functions.classification.files.rows import FileError, Row, RowError
from trending_core.visible import is_visible

CHARACTERS = st.one_of(
    st.sampled_from(list(" \",;\t\r\n'x")),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)
NAMES = st.text(CHARACTERS, min_size=1).filter(str.strip)
TEXTS = st.text(CHARACTERS, min_size=1).filter(is_visible)
BROKEN = "a quote is opened and not closed as CSV has it"


def read(content: str | bytes) -> list[Row | RowError]:
    raw = content.encode() if isinstance(content, str) else content
    return list(CsvRows(io.BytesIO(raw), name="in.csv"))


@given(
    records=st.lists(st.tuples(NAMES, TEXTS, NAMES), min_size=1),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_the_standard_library_writes_comes_back(
    records: list[tuple[str, str, str]], delimiter: str, line_end: str, quoting: Any
) -> None:
    # An unquoted CR before LF is a line end to every reader, so a last field that ends with one cannot come back.
    assume(line_end != "\n" or not any(own_id.endswith("\r") for _, _, own_id in records))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(["title", "text", "id"])
    expected = []
    for title, text, own_id in records:
        number = stream.getvalue().count("\n") + 1
        fields = [value.replace("\r\n", "\n") for value in (title, text, own_id)]
        expected.append(Row(number, id=fields[2], text=fields[1], title=fields[0]))
        writer.writerow([title, text, own_id])
    assert read(stream.getvalue()) == expected


@given(
    texts=st.lists(st.text(st.characters(categories=["L"]), min_size=1), min_size=1, max_size=30),
    data=st.data(),
)
def test_one_open_quote_costs_one_row(texts: list[str], data: st.DataObject) -> None:
    broken = data.draw(st.integers(0, len(texts) - 1))
    quoted = data.draw(st.booleans())
    lines = [f'"{number}","{text}"' if quoted else f"{number},{text}" for number, text in enumerate(texts)]
    lines[broken] = f'{broken},"{texts[broken]}'
    rows = read("\n".join(["id,text", *lines]))
    assert rows.pop(broken) == RowError(broken + 2, BROKEN)
    assert [(row.id, row.text) for row in rows if isinstance(row, Row)] == [
        (str(number), text) for number, text in enumerate(texts) if number != broken
    ]


@given(st.lists(st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"a", b" ", b"\xff", b"\0", b'a",",b'])))
def test_any_bytes_give_rows_with_rising_numbers(parts: list[bytes]) -> None:
    content = b"".join(parts)
    lines = content.split(b"\n")
    try:
        rows = read(b"id,text\n" + content)
    except FileError:
        assert not content.strip()
        return
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
    # A line without any quote in the whole file is a row of its own: nothing may swallow it.
    if b'"' not in content:
        assert numbers == [number for number, line in enumerate(lines, start=2) if line.strip()]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1", "the row has 1 column, the header has 2"),
        (b"1,a,b", "the row has 3 columns, the header has 2"),
        (b'1,"a\nb",c', "lines 2 to 3 are one row of 3 columns, the header has 2"),
        (b"1,", "the text is empty"),
        (b'1,"a"b', BROKEN),
        (b'1,"a', BROKEN),
        (b"1,caf\xe9", "line 2 is not UTF-8: its byte 6 is 0xe9"),
        (b'1,"a\ncaf\xe9"', "line 3 is not UTF-8: its byte 4 is 0xe9"),
        (b"1,a\0b", "line 2 holds a NUL byte"),
        (b"1," + b"a" * 10_000_000, "the line is longer than 2097152 bytes"),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_read(line: bytes, reason: str) -> None:
    rows = read(b"id,text\n" + line + b"\nfine,b")
    assert rows == [RowError(2, reason), Row(3 + line.count(b"\n"), id="fine", text="b")]


def test_a_quoted_text_longer_than_the_limit_is_left_line_by_line() -> None:
    text = b"a" * 1_000_000
    rows = read(b'id,text\n1,"' + text + b"\n" + text + b"\n" + text + b'"\n2,b\n')
    assert rows[0] == RowError(2, BROKEN)
    assert [type(row) for row in rows[1:-1]] == [RowError, RowError]
    assert rows[-1] == Row(5, id="2", text="b")


def test_spaces_around_quotes_and_quotes_inside_words_are_ordinary() -> None:
    rows = read('id, "text" ,title\n1, "a, b" ,\n 2 ,a 5" nail, "t"\n')
    assert rows == [Row(2, id="1", text="a, b"), Row(3, id=" 2 ", text='a 5" nail', title="t")]


def test_blank_lines_are_no_rows() -> None:
    assert read("\n \ntext\n\n\r\na\n\t\n") == [Row(6, id="6", text="a")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n\n", "is empty"),
        ("id,text\n\n", "has a header and no rows"),
        ("id,synopsis\n1,a\n", "has no column named text in its first line"),
        ('id,"text\n1,a\n', "has no column named text in its first line"),
        ('id,"a"text\n1,a\n', "has no column named text in its first line"),
        ("text,TEXT\n1,a\n", "has more than one column named text"),
        ("a" * 3_000_000 + ",text\n1,a\n", "has no header: its first line is longer than 2097152 bytes"),
    ],
)
def test_a_file_without_header_or_rows_is_an_error(content: str, message: str) -> None:
    with pytest.raises(FileError, match=rf"^in\.csv {message}$"):
        read(content)


@pytest.mark.parametrize("width", [2, 100_000])
def test_a_file_of_open_quotes_is_read_in_linear_work(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines_read = 0

    class Counting(Record):
        def add_line(self, line: str) -> None:
            nonlocal lines_read
            lines_read += 1
            super().add_line(line)

    monkeypatch.setattr(csv_rows, "Record", Counting)
    monkeypatch.setattr(csv_rows, "MAX_ROW_LINES", 500)
    count = 20_000
    header = "text" + "," * (width - 1)
    rows = read(header + "\n" + 'a",",c\n' * count)
    assert [row.number for row in rows] == list(range(2, count + 2))
    assert all(isinstance(row, RowError) for row in rows)
    assert lines_read < 30 * count


def test_lines_behind_too_many_open_quotes_are_reported_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MAX_ROW_LINES", 50)
    monkeypatch.setattr(csv_rows, "_READ_AGAIN", 0)
    rows = read("text,a,b" + "," * 100 + "\n" + 'a",",c\n' * 400)
    assert [row.number for row in rows] == list(range(2, 402))
    reasons = {row.reason for row in rows if isinstance(row, RowError)}
    assert any(reason.startswith("the line follows a quote that is opened in line ") for reason in reasons)


def test_an_items_id_is_a_column() -> None:
    assert read("text,Item_ID\na,x-1\nb,\n") == [
        Row(2, id="2", text="a", item_id="x-1"),
        Row(3, id="3", text="b"),
    ]
