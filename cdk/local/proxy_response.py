"""A function's payload -> HTTP response, by the rules of a proxy integration. Pure; knows no HTTP library.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_CONNECTION: Final = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "te"}
)
"""Headers about the connection, which is the gateway's own."""
_STATUS: Final = re.compile(r"[2-5][0-9]{2}")


class MalformedResponseError(Exception):
    """The function answered, but not as a proxy integration must; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class ProxyResponse:
    """What to send: status, headers in order (a name may repeat), body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def parse_proxy_response(payload: bytes) -> ProxyResponse:
    """Check and translate what a handler returned.

    Raises
    ------
    MalformedResponseError
        If it is no object, or its status, headers or body are not of the form that API Gateway takes.
    """
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        message = "it is not JSON"
        raise MalformedResponseError(message) from error
    if not isinstance(answer, dict):
        message = f"it is {_kind(answer)}, not an object with statusCode, headers and body"
        raise MalformedResponseError(message)
    return ProxyResponse(_status(answer), _headers(answer), _body(answer))


def _status(answer: Mapping[str, Any]) -> int:
    status = answer.get("statusCode")
    if not isinstance(status, int | str) or not _STATUS.fullmatch(str(status)):
        message = f"its statusCode is {status!r:.80}, not a number from 200 to 599"
        raise MalformedResponseError(message)
    return int(status)


def _headers(answer: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    single, multi = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multi, dict):
        message = "its headers are not an object"
        raise MalformedResponseError(message)
    values: dict[str, list[Any]] = {}
    for name, several in multi.items():
        if not isinstance(several, list):
            message = f"its multiValueHeaders hold {_kind(several)} for {name!r}, not a list"
            raise MalformedResponseError(message)
        values[name] = list(several)
    for name, value in single.items():
        # Where a name is in both, the values are merged.
        if value not in values.setdefault(name, []):
            values[name].append(value)
    pairs = tuple(
        (name, _text(name, value))
        for name, several in values.items()
        if name.lower() not in _CONNECTION
        for value in several
    )
    for name, value in pairs:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            message = f"its header {name!r} cannot be sent"
            raise MalformedResponseError(message)
    return pairs


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    message = f"its header {name!r} is {_kind(value)}, not text"
    raise MalformedResponseError(message)


def _body(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        message = f"its body is {_kind(body)}, not text"
        raise MalformedResponseError(message)
    if answer.get("isBase64Encoded") is not True:
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        message = "its body is not base64 as isBase64Encoded says"
        raise MalformedResponseError(message) from error


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
