"""What API Gateway answers by itself, in the same shape as the functions' own errors: ``application/problem+json``.

The kinds (``type``, ``title``, status) are those of `trending_core.errors`. Gateway templates know plain variable substitution, no logic.
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_apigateway as apigateway

from trending_core import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

PROBLEM_JSON: Final = "application/problem+json"
TYPE_PREFIX: Final = "tag:trending-now,2026:"


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of gateway response: status, slug, title and the sentence."""

    status: int
    slug: str
    title: str
    detail: str


def _like(error: type[errors.TrendingError], detail: str) -> Answer:
    return Answer(error.status, error.slug, error.title, detail)


ANSWERS: Final = {
    # Not $context.error.validationErrorString: it quotes names of fields, and AWS does not say that it escapes the quotes,
    # so it may break the JSON around it. A template has no way to escape, and AWS writes no quoted form of it as it does
    # of the message ($context.error.messageString).
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    "BAD_REQUEST_BODY": _like(
        errors.InvalidInput, "The body is not JSON or does not fit the schema of this route."
    ),
    "BAD_REQUEST_PARAMETERS": _like(
        errors.InvalidInput, "A parameter or header that this route needs is missing or empty."
    ),
    "UNSUPPORTED_MEDIA_TYPE": _like(
        errors.UnsupportedMediaType, "The body's media type is not one the route takes."
    ),
    "REQUEST_TOO_LARGE": _like(errors.PayloadTooLarge, "The body is larger than the gateway takes."),
    "RESOURCE_NOT_FOUND": _like(errors.NotFound, "There is no such path."),
    # What the gateway says to a path or method that it does not know: it cannot tell the two apart.
    "MISSING_AUTHENTICATION_TOKEN": _like(errors.NotFound, "There is no such path, or not with this method."),
    "THROTTLED": _like(errors.TooManyRequests, "Too many requests at once; wait a moment and try again."),
    "QUOTA_EXCEEDED": _like(errors.TooManyRequests, "The key's quota for today is used up."),
    "INTEGRATION_FAILURE": _like(errors.UpstreamFailed, "The function behind this route failed."),
    "INTEGRATION_TIMEOUT": _like(
        errors.UpstreamTimeout, "The function behind this route did not answer in time."
    ),
    "INVALID_API_KEY": _like(errors.Forbidden, "The header x-api-key is missing or holds no valid key."),
    "WAF_FILTERED": _like(errors.Forbidden, "The firewall refused the request."),
    "ACCESS_DENIED": _like(errors.Forbidden, "Access to this route is denied."),
    "API_CONFIGURATION_ERROR": _like(errors.InternalError, "The gateway is not configured correctly."),
    "DEFAULT_4XX": _like(errors.MalformedRequest, "The gateway refused the request."),
    "DEFAULT_5XX": _like(
        errors.InternalError, "The gateway failed; the request id finds the reason in the logs."
    ),
}
_KEEPS_ITS_STATUS: Final = frozenset({"DEFAULT_4XX", "DEFAULT_5XX"})


def template(answer: Answer) -> str:
    """Write the mapping template of one answer."""
    return json.dumps(
        {
            "type": TYPE_PREFIX + answer.slug,
            "title": answer.title,
            "status": answer.status,
            "detail": answer.detail,
            "instance": "$context.path",
            "request_id": "$context.requestId",
            "errors": [],
        }
    )


def add_gateway_responses(api: apigateway.RestApi, origins: Sequence[str]) -> None:
    """Give every kind of gateway response its problem document, readable by pages of ``origins``."""
    # A literal stands in quotes, a variable of the context without: either overrides what the gateway would send.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping-sources.html
    headers = {
        "Content-Type": f"'{PROBLEM_JSON}'",
        "X-Request-Id": "context.requestId",
    }
    if origins:
        # A static value is all a gateway response can hold: with several origins only * reaches each of them.
        headers["Access-Control-Allow-Origin"] = f"'{origins[0] if len(origins) == 1 else '*'}'"
    for name, answer in ANSWERS.items():
        api.add_gateway_response(
            "".join(part.capitalize() for part in name.split("_")),
            type=apigateway.ResponseType.of(name),
            status_code=None if name in _KEEPS_ITS_STATUS else str(answer.status),
            response_headers=headers,
            templates={"application/json": template(answer)},
        )
