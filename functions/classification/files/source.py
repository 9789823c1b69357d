"""Opens an input: sees what it is, unpacks gzip, removes a UTF-8 byte order mark.

Knows nothing of rows. What is not text or gzipped text is refused by its first bytes with the name of what it is.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from functions.classification.files.lines import CHUNK_BYTES
from functions.classification.files.rows import FileError

if TYPE_CHECKING:
    from functions.classification.files.lines import Readable

MAX_RATIO: Final = 200
"""Unpacked to packed bytes beyond which gzip is a bomb. Prose packs 2 to 4 times, rows that repeat each other up to
about 100 times; the format itself allows 1032 (https://zlib.net/zlib_tech.html)."""
RATIO_FREE_BYTES: Final = 16 * 1024 * 1024
"""Unpacked bytes below which no ratio is too high."""

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_HEAD_BYTES: Final = 8
_FOREIGN: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
    (b"\xff\xfe", "UTF-16 text, not UTF-8"),
    (b"\xfe\xff", "UTF-16 text, not UTF-8"),
    (b"\x00\x00\xfe\xff", "UTF-32 text, not UTF-8"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF-", "a PDF document"),
    (b"BZh", "packed with bzip2, not gzip"),
    (b"\xfd7zXZ\x00", "packed with xz, not gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard, not gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
)
"""First bytes of what is often uploaded under the name of a CSV file."""


class Prefetched:
    """A stream of which the first bytes can be seen before they are read.

    Parameters
    ----------
    stream : Readable
        Not closed here.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._held = b""

    def peek(self, size: int) -> bytes:
        """Give the first ``size`` bytes that are still to be read, fewer only at the end."""
        while len(self._held) < size:
            chunk = self._stream.read(CHUNK_BYTES)
            if not chunk:
                break
            self._held += chunk
        return self._held[:size]

    def read(self, size: int, /) -> bytes:
        """Give at least one and at most ``size`` bytes, none at the end."""
        if not self._held:
            return self._stream.read(size)
        piece, self._held = self._held[:size], self._held[size:]
        return piece


class Gunzip:
    """Unpacks gzip of any number of members while it is read.

    Parameters
    ----------
    stream : Readable
        The packed bytes; not closed here.
    name : str
        What the file is called in errors.
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self._member = zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
        self._waiting = b""
        self._packed = 0
        self._unpacked = 0

    def read(self, size: int, /) -> bytes:
        """Give at least one and at most ``size`` unpacked bytes, none at the end.

        Raises
        ------
        FileError
            If the file is cut off or damaged, holds something else behind its end, or unpacks to more than
            `MAX_RATIO` times its size.
        """
        while True:
            packed = self._waiting or self._fetch()
            self._waiting = b""
            if self._member.eof:
                if not packed:
                    return b""
                packed = packed.lstrip(b"\0")  # gzip allows padding between and behind its members
                if not packed:
                    continue
                self._member = zlib.decompressobj(wbits=31)
            unpacked = self._unpack(packed, size)
            if unpacked:
                return unpacked
            if not packed and not self._member.eof:
                message = f"{self._name} is cut off: its gzip data has no end"
                raise FileError(message)

    def _fetch(self) -> bytes:
        packed = self._stream.read(CHUNK_BYTES)
        self._packed += len(packed)
        return packed

    def _unpack(self, packed: bytes, size: int) -> bytes:
        try:
            unpacked = self._member.decompress(packed, size)
        except zlib.error as error:
            message = (
                f"{self._name} is damaged: its gzip data cannot be unpacked after {self._unpacked} bytes"
            )
            raise FileError(message) from error
        self._waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        self._unpacked += len(unpacked)
        if self._unpacked > max(RATIO_FREE_BYTES, MAX_RATIO * self._packed):
            message = f"{self._name} unpacks to more than {MAX_RATIO} times its size, so it is not read on"
            raise FileError(message)
        return unpacked


def open_source(stream: Readable, *, name: str) -> Prefetched:
    """Give the text of an input as bytes of UTF-8, unpacked, without a byte order mark.

    Parameters
    ----------
    stream : Readable
        Read on while the result is read; not closed.
    name : str
        What the file is called in errors. If it ends with ``.gz`` the content has to be gzip; gzip under another
        name is unpacked too.

    Raises
    ------
    FileError
        If the input is empty, or its first bytes show that it is neither text nor gzipped text.
    """
    source = Prefetched(stream)
    head = source.peek(_HEAD_BYTES)
    packed = head.startswith(_GZIP)
    if packed:
        source = Prefetched(Gunzip(source, name))
        head = source.peek(_HEAD_BYTES)
    if not head:
        message = f"{name} is empty"
        raise FileError(message)
    for first_bytes, kind in _FOREIGN:
        if head.startswith(first_bytes):
            message = f"{name} is {kind}"
            raise FileError(message)
    if not packed and name.lower().endswith(".gz"):
        message = f"{name} is not gzip, though its name ends with .gz"
        raise FileError(message)
    if head.startswith(_GZIP):
        message = f"{name} is packed with gzip twice"
        raise FileError(message)
    if head.startswith(_BOM):
        source.read(len(_BOM))
        if not source.peek(1):
            message = f"{name} is empty"
            raise FileError(message)
    return source
