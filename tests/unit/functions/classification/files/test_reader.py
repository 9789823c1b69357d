import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.files import FileError, Format, Row, RowError, read_rows

CSV = b"id,text\nx,a\n"
JSONL = b'{"id": "x", "text": "a"}\n'


@pytest.mark.parametrize(
    ("name", "content", "file_format"),
    [
        ("in.csv", CSV, Format.AUTO),
        ("IN.CSV.GZ", gzip.compress(CSV), Format.AUTO),
        ("in.tsv", CSV.replace(b",", b"\t"), Format.AUTO),
        ("in.jsonl", JSONL, Format.AUTO),
        ("in.ndjson", gzip.compress(JSONL), Format.AUTO),
        ("in.json.gz", gzip.compress(JSONL), Format.AUTO),
        ("standard input", CSV, Format.AUTO),
        ("standard input", b"\xef\xbb\xbf\n  " + JSONL, Format.AUTO),
        ("in.txt", gzip.compress(CSV), Format.AUTO),
        ("in.txt", JSONL, Format.JSONL),
        ("in.jsonl", CSV, Format.CSV),
    ],
)
def test_the_format_is_told_by_name_then_content_unless_given(
    name: str, content: bytes, file_format: Format
) -> None:
    (row,) = read_rows(io.BytesIO(content), name=name, file_format=file_format)
    assert isinstance(row, Row)
    assert (row.id, row.text) == ("x", "a")


def test_rows_before_the_point_where_a_file_breaks_are_given() -> None:
    packed = gzip.compress(CSV + b"y,b\nz,c\n")
    rows = read_rows(io.BytesIO(packed[:-4]), name="in.csv.gz")
    assert [row.number for row in (next(rows), next(rows))] == [2, 3]
    with pytest.raises(FileError, match="cut off"):
        list(rows)


@given(
    head=st.sampled_from([b"", CSV, JSONL, b"text\n", b'{"', b"\xef\xbb\xbf", b"\x1f\x8b\x08"]),
    tail=st.binary(),
    packed=st.booleans(),
    name=st.sampled_from(["in.csv", "in.jsonl", "in", "in.gz"]),
)
def test_any_file_is_rows_or_a_file_error(head: bytes, tail: bytes, packed: bool, name: str) -> None:
    content = gzip.compress(head + tail) if packed else head + tail
    try:
        for row in read_rows(io.BytesIO(content), name=name):
            assert isinstance(row, Row | RowError)
    except FileError as error:
        assert str(error).startswith(name)  # noqa: PT017 -- it may or may not be raised
