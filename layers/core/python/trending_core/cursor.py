"""Cursors: a place in a ranking as text that a client hands back. Must not know: how the page is read.

Opaque to clients, bound to the query it came from, versioned, and checked for damage. The check is no signature: a
forged cursor names another place in a public ranking, which is harmless.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trending_core.decay import MAX_NUMBER
from trending_core.errors import FieldError, InvalidInput
from trending_core.ranking import Place

if TYPE_CHECKING:
    from trending_core.decay import Window
    from trending_core.ranking import Partition

VERSION: Final = 1
MAX_LENGTH: Final = 512
"""Characters of the longest cursor accepted."""
_CHECK_BYTES: Final = 8
_NUMBER: Final = re.compile(r"^\d{1,20}(\.\d{1,18})?$")


def _bad(reason: str) -> InvalidInput:
    return InvalidInput("The cursor cannot be used.", errors=[FieldError(field="cursor", reason=reason)])


def _check(body: bytes, partition: Partition, window: Window) -> bytes:
    query = f"{partition.key}\n{window.name}\n".encode()
    return hashlib.sha256(query + body).digest()[:_CHECK_BYTES]


def encode(place: Place, partition: Partition, window: Window) -> str:
    """Write a place as a cursor for the next page of the same query."""
    fields = [VERSION, place.epoch, format(place.number, "f"), place.item_id]
    body = json.dumps(fields, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(body, partition, window) + body).decode().rstrip("=")


def decode(text: str, partition: Partition, window: Window) -> Place:
    """Read a cursor back.

    Raises
    ------
    InvalidInput
        If it is damaged, of another version, or from another query.
    """
    if len(text) > MAX_LENGTH:
        reason = f"longer than {MAX_LENGTH} characters"
        raise _bad(reason)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        reason = "not a cursor of this service"
        raise _bad(reason) from error
    check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(body, partition, window):
        reason = "damaged, or from a query with another genre, tag or window"
        raise _bad(reason)
    return _place(body)


def _place(body: bytes) -> Place:
    try:
        fields = json.loads(body)
    except ValueError as error:
        reason = "not a cursor of this service"
        raise _bad(reason) from error
    match fields:
        case [version, *_] if version != VERSION:
            reason = f"of version {version}, this service writes version {VERSION}"
            raise _bad(reason)
        case [_, int(epoch), str(number), str(item_id)] if (
            _NUMBER.match(number) and Decimal(number) <= MAX_NUMBER
        ):
            return Place(item_id, epoch, Decimal(number))
        case _:
            reason = "not a cursor of this service"
            raise _bad(reason)
