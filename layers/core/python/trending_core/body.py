"""A request's body, from an API Gateway event to a JSON object.

It owns what counts as a readable body: size, media type, UTF-8, strict JSON. It must not know any schema.

Python's ``json`` is lenient where RFC 8259 is not or leaves a choice: it takes ``NaN``, keeps the last of two equal names,
reads ``1e999`` as infinity, and fails with other exceptions than its own on deep nesting and long numbers.
Each of these is a `MalformedRequest` here.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import TYPE_CHECKING, Any, Final

from trending_core.errors import (
    FieldError,
    InvalidInput,
    MalformedRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from trending_core.wording import field_path

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES: Final = 1024 * 1024
"""Largest body in bytes unless a function sets its own. Lambda itself takes events up to 6 MB."""
MAX_NUMBER_CHARS: Final = 100
"""Digits of the longest number read; a double has 17 that count."""
JSON_TYPE: Final = "application/json"

_NAMES: Final[Mapping[type, str]] = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}


def read_text(event: Mapping[str, Any], *, max_bytes: int = MAX_BODY_BYTES) -> str:
    """Take the body's text out of a proxy event.

    Parameters
    ----------
    event : mapping
        An API Gateway REST proxy event; the body may be Base64.
    max_bytes : int
        Largest body accepted, in bytes of UTF-8.

    Raises
    ------
    PayloadTooLarge
        If it has more bytes.
    UnsupportedMediaType
        If it is declared to be anything but JSON in UTF-8. No declaration is fine.
    MalformedRequest
        If there is none, or it is not Base64 where said to be, or not UTF-8.
    """
    raw = event.get("body") or ""
    # A lower bound first, so that a body far too large is not copied; Base64 ends in at most two padding characters.
    _check_size(len(raw) * 3 // 4 - 2 if event.get("isBase64Encoded") else len(raw), max_bytes)
    data = _decode(raw, base64_encoded=bool(event.get("isBase64Encoded")))
    _check_size(len(data), max_bytes)
    _check_media_type(_content_type(event))
    if not data.strip():
        message = "The body is empty; a JSON object is expected."
        raise MalformedRequest(message)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"The body is not valid UTF-8: byte {error.start + 1} cannot be read."
        raise MalformedRequest(message) from error


def parse_object(text: str) -> dict[str, Any]:
    """Parse a JSON object, strictly.

    Raises
    ------
    MalformedRequest
        If the text is not JSON; the sentence says where.
    InvalidInput
        If it is JSON, but not an object.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_names,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except json.JSONDecodeError as error:
        message = f"The body is not valid JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}."
        raise MalformedRequest(message) from error
    except RecursionError as error:
        message = "The body is not acceptable JSON: it is nested too deeply."
        raise MalformedRequest(message) from error
    if not isinstance(value, dict):
        reason = f"must be a JSON object, not {_NAMES[type(value)]}"
        message = f"The body {reason}."
        raise InvalidInput(message, errors=[FieldError("", reason)])
    return value


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        message = f"The body has {size:,} bytes; at most {max_bytes:,} are accepted."
        raise PayloadTooLarge(message)


def _decode(raw: str, *, base64_encoded: bool) -> bytes:
    try:
        return base64.b64decode(raw, validate=True) if base64_encoded else raw.encode("utf-8")
    except binascii.Error as error:
        message = "The body is marked as Base64 and is not."
        raise MalformedRequest(message) from error
    except UnicodeEncodeError as error:
        message = f"The body is not valid UTF-8: character {error.start + 1} is half of a surrogate pair."
        raise MalformedRequest(message) from error


def _content_type(event: Mapping[str, Any]) -> str:
    """Read the header, whatever its case; the last one counts, as in API Gateway's single-value map."""
    headers = event.get("headers") or {}
    values = [value for name, value in headers.items() if name.lower() == "content-type"]
    return values[-1] if values else ""


def _check_media_type(content_type: str) -> None:
    if not content_type.strip():
        return
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if media_type != JSON_TYPE:
        message = f"The body must be {JSON_TYPE}; the Content-Type header says otherwise."
        raise UnsupportedMediaType(message, headers={"Accept": JSON_TYPE})
    charsets = [
        value.strip('" ') for key, _, value in (p.partition("=") for p in parameters) if key == "charset"
    ]
    if any(charset not in ("utf-8", "utf8") for charset in charsets):
        message = "The body must be in UTF-8; the Content-Type header names another charset."
        raise UnsupportedMediaType(message, headers={"Accept": JSON_TYPE})


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        message = f"The body is not acceptable JSON: an object holds the name {field_path([twice])} twice."
        raise MalformedRequest(message)
    try:
        "".join(found).encode("utf-8")
    except UnicodeEncodeError as error:
        message = "The body is not acceptable JSON: a name in an object holds half of a surrogate pair."
        raise MalformedRequest(message) from error
    return found


def _refuse_constant(name: str) -> float:
    message = f"The body is not valid JSON: {name} is not a JSON number."
    raise MalformedRequest(message)


def _parse_int(digits: str) -> int:
    _check_digits(digits)
    return int(digits)


def _parse_float(digits: str) -> float:
    _check_digits(digits)
    value = float(digits)
    if math.isinf(value):
        message = "The body is not acceptable JSON: a number is too large for a double."
        raise MalformedRequest(message)
    return value


def _check_digits(digits: str) -> None:
    if len(digits) > MAX_NUMBER_CHARS:
        message = (
            f"The body is not acceptable JSON: a number has {len(digits):,} characters, "
            f"at most {MAX_NUMBER_CHARS} are read."
        )
        raise MalformedRequest(message)
