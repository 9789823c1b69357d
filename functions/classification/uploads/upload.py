"""Which object was uploaded, in which version, and the keys of all that comes of it. Calls nothing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

UPLOADS: Final = "uploads/"
RESULTS: Final = "results/"
WORK: Final = "work/"
"""Prefixes of the bucket. Only what is under the first is announced to the queue, so results never come back as uploads."""
MAX_KEY_BYTES: Final = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
ITEMS_METADATA: Final = "items"
"""Metadata of the object (header ``x-amz-meta-items``): whether its rows are to become items, true or false."""
_ENDING_BYTES: Final = len(".summary.json")
_HASH_CHARS: Final = 16
_TAKEN: Final = re.compile(rf"(?:\.errors|~[0-9a-f]{{{_HASH_CHARS}}})\Z")
"""Ends of names that may be another's: results of ``a.errors`` would be errors of ``a``, and a hash ends a name that was
cut."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of one object.

    Parameters
    ----------
    bucket, key : str
        Where it is; the key is decoded.
    version : str or None
        The version id; None where the bucket has no versions.
    etag : str
        Without quotes.
    """

    bucket: str
    key: str
    version: str | None
    etag: str

    @property
    def id(self) -> str:
        """Hexadecimal SHA-256 of bucket, key and version (the etag where there is none)."""
        parts = (self.bucket, self.key, self.version or f"etag:{self.etag}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def results(self) -> str:
        """Key of the result lines."""
        return f"{self._base}.jsonl"

    @property
    def errors(self) -> str:
        """Key of the lines about rows that were not classified, or did not become the items they were to be."""
        return f"{self._base}.errors.jsonl"

    @property
    def summary(self) -> str:
        """Key of the summary."""
        return f"{self._base}.summary.json"

    def chunk(self, number: int) -> str:
        """Key of a chunk, counted from 0."""
        return f"{WORK}{self.id}/{number:08d}"

    def rows(self, number: int) -> str:
        """Key of the rows of a chunk, as they are laid out for the state machine."""
        return f"{WORK}{self.id}/rows/{number:08d}"

    def batches(self, generation: int) -> str:
        """Key of the list of batches of an execution of the state machine."""
        return f"{WORK}{self.id}/batches/{generation}.json"

    @property
    def _base(self) -> str:
        """Give ``results/<key>``, with a hash where another upload's results could have that name or an ending has no room.

        No two uploads' keys have a name in common.
        """
        name = self.key.removeprefix(UPLOADS)
        room = MAX_KEY_BYTES - len(RESULTS) - _ENDING_BYTES
        encoded = name.encode()
        if len(encoded) <= room and not _TAKEN.search(name):
            return f"{RESULTS}{name}"
        cut = encoded[: room - _HASH_CHARS - 1].decode(errors="ignore")
        return f"{RESULTS}{cut}~{hashlib.sha256(encoded).hexdigest()[:_HASH_CHARS]}"
