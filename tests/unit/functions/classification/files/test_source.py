import gzip
import io
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.files.lines import Readable
from functions.classification.files.rows import FileError
from functions.classification.files.source import Gunzip, open_source


def pieces(stream: Readable, size: int) -> Iterator[bytes]:
    while piece := stream.read(size):
        assert len(piece) <= size
        yield piece


def read_all(content: bytes, name: str = "in.csv", size: int = 1000) -> bytes:
    return b"".join(pieces(open_source(io.BytesIO(content), name=name), size))


@given(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    padding=st.integers(0, 9),
    size=st.integers(1, 400),
)
def test_gzip_of_many_members_is_unpacked_whatever_the_read_size(
    parts: list[bytes], padding: int, size: int
) -> None:
    packed = bytes(padding).join(gzip.compress(part) for part in parts) + bytes(padding)
    stream = Gunzip(io.BytesIO(packed), "in.gz")
    assert b"".join(pieces(stream, size)) == b"".join(parts)


@given(content=st.binary(min_size=1, max_size=500), cut=st.integers(1, 400))
def test_gzip_that_is_cut_off_is_an_error(content: bytes, cut: int) -> None:
    packed = gzip.compress(content)
    stream = Gunzip(io.BytesIO(packed[: -min(cut, len(packed) - 1)]), "in.gz")
    with pytest.raises(FileError, match=r"^in\.gz is cut off"):
        list(pieces(stream, 100))


def test_damaged_gzip_is_an_error() -> None:
    packed = bytearray(gzip.compress(random.Random(0).randbytes(10_000)))
    packed[5_000] ^= 0xFF
    with pytest.raises(FileError, match=r"in\.csv is damaged"):
        read_all(bytes(packed))


def test_something_behind_the_gzip_data_is_an_error() -> None:
    with pytest.raises(FileError, match="damaged"):
        read_all(gzip.compress(b"text\na\n") + b"more")


def test_a_gzip_bomb_is_not_read_on() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    source = open_source(io.BytesIO(bomb), name="bomb.csv.gz")
    sizes: list[int] = []
    with pytest.raises(FileError, match=r"bomb\.csv\.gz unpacks to more than 200 times its size"):
        sizes.extend(map(len, pieces(source, 1024 * 1024)))
    assert sum(sizes) < 20 * 1024 * 1024


def test_repetitive_rows_are_no_bomb() -> None:
    content = b"".join(
        b"%d,a plot that is the same in every row of the file\n" % number for number in range(400_000)
    )
    assert len(read_all(gzip.compress(content), size=1024 * 1024)) == len(content)


def test_the_byte_order_mark_is_removed_once_also_inside_gzip() -> None:
    assert read_all(b"\xef\xbb\xbf\xef\xbb\xbfa") == b"\xef\xbb\xbfa"
    assert read_all(gzip.compress(b"\xef\xbb\xbftext")) == b"text"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (gzip.compress(b""), "is empty"),
        (b"PK\x03\x04\x14\x00\x06\x00", "is a zip archive or an Excel workbook"),
        (b"PK\x05\x06" + bytes(18), "is an empty zip archive"),
        (gzip.compress(b"PK\x03\x04"), "is a zip archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(9), "is an old Excel workbook"),
        ("text\na\n".encode("utf-16"), "is UTF-16 text, not UTF-8"),
        ("text\na\n".encode("utf-32-be").join([b"\x00\x00\xfe\xff", b""]), "is UTF-32 text, not UTF-8"),
        (b"PAR1" + bytes(8), "is a Parquet file"),
        (b"%PDF-1.7\n", "is a PDF document"),
        (b"BZh91AY&SY", "is packed with bzip2, not gzip"),
        (gzip.compress(gzip.compress(b"text\na\n")), "is packed with gzip twice"),
        (b"\x1f\x8b", "is cut off"),
        (b"\x1f\x8b\x00\x00\x00\x00\x00\x00\x00\x00\x00", "is damaged"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, message: str) -> None:
    with pytest.raises(FileError, match=rf"^in\.csv {message}"):
        read_all(content)


def test_a_name_that_promises_gzip_is_held_to_it() -> None:
    with pytest.raises(FileError, match=r"^in\.csv\.GZ is not gzip, though its name ends with \.gz$"):
        read_all(b"text\na\n", name="in.csv.GZ")
