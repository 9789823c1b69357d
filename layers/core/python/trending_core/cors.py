"""Which pages of other origins may read an answer: ``ALLOWED_ORIGINS``, as the deployment spec sets it.

The gateway answers the browser's question before a request (the preflight); an answer that a function gives passes it
unchanged, so the header that lets a page read it has to come from here.
https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "ALLOWED_ORIGINS"
"""Origins with commas between them, ``*`` for any; unset for none."""
EXPOSED: Final = ("location", "preference-applied", "retry-after", "x-request-id")
"""Headers that a page may read besides the few that it always may."""


def origin_headers(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Give the headers of an answer to this proxy event, in API Gateway's multi-value form; none where no origin may.

    Examples
    --------
    >>> os.environ[VARIABLE] = "https://a.example"
    >>> origin_headers({"headers": {"origin": "https://b.example"}})
    {'Vary': ['Origin']}
    """
    allowed = {origin for origin in os.environ.get(VARIABLE, "").split(",") if origin}
    if not allowed:
        return {}
    origin = next(
        (value for name, value in (event.get("headers") or {}).items() if name.lower() == "origin"), None
    )
    if "*" in allowed:
        return _readable("*")
    # A cache between must not hand one origin's answer to another.
    vary = {"Vary": ["Origin"]}
    return {**vary, **_readable(origin)} if origin in allowed else vary


def _readable(origin: str) -> dict[str, list[str]]:
    return {"Access-Control-Allow-Origin": [origin], "Access-Control-Expose-Headers": [", ".join(EXPOSED)]}
