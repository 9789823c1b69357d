"""API Gateway's side of a test: its proxy events, Lambda's context object, and answers read back."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

EVENTS: Final = Path(__file__).parents[1] / "events"
REQUEST_ID: Final = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@dataclass
class Context:
    """What Lambda's runtime client hands to a handler, as far as the code reads it."""

    function_name: str = "classification"
    function_version: str = "7"
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:classification:live"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"


@dataclass
class Answer:
    """A proxy response, its body parsed where it is JSON."""

    status: int
    headers: dict[str, str]
    text: str
    body: Any = field(repr=False)


def load_event(name: str) -> dict[str, Any]:
    """Read a raw event of ``tests/events``."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def proxy_event(
    method: str,
    path: str,
    body: str | bytes | None = None,
    *,
    content_type: str | None = "application/json",
) -> dict[str, Any]:
    """Make a REST proxy event on the template ``classify``; bytes travel as Base64, as API Gateway sends them."""
    event = load_event("classify")
    event |= {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "isBase64Encoded": isinstance(body, bytes),
    }
    event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    event["requestContext"] |= {"path": f"/prod{path}", "resourcePath": path, "httpMethod": method}
    for name, value in (("headers", content_type), ("multiValueHeaders", [content_type])):
        event[name].pop("Content-Type", None)
        if content_type is not None:
            event[name]["Content-Type"] = value
    return event


def read(response: dict[str, Any]) -> Answer:
    """Take a proxy response apart, as API Gateway does."""
    headers = {name.lower(): ",".join(values) for name, values in response["multiValueHeaders"].items()}
    text = response["body"]
    body = json.loads(text) if "json" in headers["content-type"] else None
    return Answer(response["statusCode"], headers, text, body)


class Send(Protocol):
    """Send one request to a function and read its answer."""

    def __call__(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        *,
        content_type: str | None = "application/json",
    ) -> Answer: ...


class Deliver(Protocol):
    """Hand one raw event to a function and read its answer."""

    def __call__(self, event: dict[str, Any]) -> Answer: ...
