"""Hold an answer against the committed OpenAPI document."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.support.gateway import Answer

DOCUMENT: Final = Path(__file__).parents[2] / "functions" / "openapi.json"


@cache
def document() -> dict[str, Any]:
    """Read the committed document."""
    content: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return content


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Make a validator for a schema of the document; OpenAPI 3.1 schemas are JSON Schema 2020-12."""
    return Draft202012Validator({**schema, "components": document()["components"]})


def assert_documented(method: str, path: str, answer: Answer) -> None:
    """Fail unless the document has this status and media type for the route, and the body fits its schema."""
    responses = document()["paths"][path][method.lower()]["responses"]
    assert str(answer.status) in responses, (
        f"{answer.status} is not documented for {method} {path}: {answer.text[:300]}"
    )
    content = responses[str(answer.status)]["content"]
    media_type = answer.headers["content-type"].split(";")[0]
    assert media_type in content
    validator(content[media_type]["schema"]).validate(answer.body)
