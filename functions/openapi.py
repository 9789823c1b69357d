"""The API's one OpenAPI document, generated from the functions' code: ``python -m functions.openapi``.

It owns the merging: every function's routes in one file, ``functions/openapi.json``, which is committed, served at
``/openapi.json`` and held up to date by a test. It must not know what any route does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic.json_schema import models_json_schema

from functions.classification.routes import build_app as classification
from functions.classification.service import Classifier
from functions.enrichment.routes import build_app as enrichment
from functions.trending.routes import build_app as trending
from functions.trending.service import TrendingService
from trending_core import __version__
from trending_core.errors import Forbidden, InternalError, TooManyRequests
from trending_core.problem import PROBLEM_JSON, Problem, problem_responses
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from functions.enrichment.service import EnrichmentService
    from trending_core.http import App

DOCUMENT: Final = Path(__file__).with_name("openapi.json")
DESCRIPTION: Final = (
    "Film plots and reviews in; genres, summaries, scores and what is trending out. "
    "Every error is `application/problem+json` (RFC 9457); an unknown path is 404, a known path with another method 405. "
    "Every answer of a function carries the header `X-Request-Id`."
)
API_KEY: Final = "ApiKey"
PUBLIC: Final = frozenset({"/health"})
"""Documented paths that need no API key anywhere; the deployment spec says the same."""
_SECURITY_SCHEMES: Final[dict[str, Any]] = {
    API_KEY: {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "Where a deployment asks for keys, as staging and production do; elsewhere it is not read.",
    }
}
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})
_POWERTOOLS_ERRORS: Final = frozenset({"HTTPValidationError", "ValidationError", "ResponseValidationError"})


class MergeError(ValueError):
    """Two functions contradict each other; the text names the path or the schema."""


def applications() -> list[App]:
    """Make every function's application, without the models and clients that answering needs."""
    return [
        classification(Classifier({})),
        # Only the routes' signatures are read; a service would need AWS.
        enrichment(cast("EnrichmentService", None)),
        trending(TrendingService(MemoryItemStore())),
    ]


def build_document() -> dict[str, Any]:
    """Merge the applications' documents.

    Returns
    -------
    dict
        An OpenAPI 3.1 document; the same code always gives the same one.

    Raises
    ------
    MergeError
        If two functions hold the same route, or different schemas of one name.
    """
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for app in applications():
        part = json.loads(app.get_openapi_json_schema(title="Trending Now", version=__version__))
        for path, operations in part["paths"].items():
            _merge(paths.setdefault(path, {}), _guarded(path, _with_problems(operations)), f"route {path}")
        _merge(schemas, part.get("components", {}).get("schemas", {}), "schema")
    _, problem = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    _merge(schemas, problem["$defs"], "schema")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trending Now", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {name: schemas[name] for name in sorted(schemas) if name not in _POWERTOOLS_ERRORS},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _merge(into: dict[str, Any], part: dict[str, Any], what: str) -> None:
    for name, value in part.items():
        if name in _POWERTOOLS_ERRORS:
            continue
        if name in into and (into[name] != value or name in _METHODS):
            message = f"{what} {name} is defined by two functions"
            raise MergeError(message)
        into[name] = value


def _with_problems(operations: dict[str, Any]) -> dict[str, Any]:
    """Replace the error responses that Powertools writes by itself: here every error is a problem."""
    for operation in operations.values():
        documented = {
            status: response
            for status, response in operation["responses"].items()
            if int(status) < 400 or PROBLEM_JSON in response.get("content", {})  # noqa: PLR2004 -- errors begin there
        }
        # Powertools puts its own 500 over the route's.
        internal = {str(status): response for status, response in problem_responses(InternalError).items()}
        operation["responses"] = dict(sorted({**documented, **internal}.items()))
    return operations


def _guarded(path: str, operations: dict[str, Any]) -> dict[str, Any]:
    """Add what the gateway asks for and answers before a function is called."""
    public = path in PUBLIC
    refusals = problem_responses(TooManyRequests) if public else problem_responses(Forbidden, TooManyRequests)
    for operation in operations.values():
        if not public:
            # Either: a deployment may be open.
            operation["security"] = [{API_KEY: []}, {}]
        responses = operation["responses"] | {str(status): response for status, response in refusals.items()}
        operation["responses"] = dict(sorted(responses.items()))
    return operations


def render() -> str:
    """Give the document as the text of its file."""
    return json.dumps(build_document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"wrote {DOCUMENT.name}\n")
