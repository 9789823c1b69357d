"""Errors that the gateway itself answers: the project's problem+json, as the functions' own errors.

On AWS the same bodies come from API Gateway's GatewayResponses, which can be given any template. RFC 9457.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import web

from trending_core.errors import RequestError

if TYPE_CHECKING:
    from trending_core.errors import TrendingError

PROBLEM_JSON: Final = "application/problem+json"
REQUEST_ID_HEADERS: Final = ("x-amzn-RequestId", "X-Request-Id")


class HeadersTooLarge(RequestError):  # noqa: N818 -- HTTP's own term
    """The request line or a header is longer than the gateway reads."""

    status = 431
    title = "Request header fields too large"
    slug = "headers-too-large"


def problem_response(error: TrendingError, *, instance: str, request_id: str) -> web.Response:
    """Answer an error.

    Parameters
    ----------
    instance : str
        The path that was asked for, decoded.
    request_id : str
        The id of the request; also in both request id headers.
    """
    body = {
        "type": f"tag:trending-now,2026:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": quote(instance, safe="/-._~!$&'()*+,;=:@", errors="replace"),
        "request_id": request_id,
        "errors": [{"field": fault.field, "reason": fault.reason} for fault in error.errors],
    }
    headers = {**error.headers, **dict.fromkeys(REQUEST_ID_HEADERS, request_id), "Content-Type": PROBLEM_JSON}
    return web.Response(status=error.status, body=json.dumps(body).encode(), headers=headers)
