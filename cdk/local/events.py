"""HTTP request -> API Gateway REST proxy event (payload version 1.0). Pure functions; knows no HTTP library.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from cdk.local.invocation import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

API_ID: Final = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as it came in.

    Parameters
    ----------
    path : str
        Decoded, without the query.
    query : str
        As sent, without the question mark.
    headers : sequence of (str, str)
        In their order, names as sent.
    host, source_ip, request_id, trace_id : str
        ``host`` is the Host header's value.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    host: str
    source_ip: str
    request_id: str
    trace_id: str


def proxy_event(
    request: HttpRequest,
    *,
    resource: str,
    parameters: Mapping[str, str],
    stage: str,
    api_key: str | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """Build the event that a proxy integration sends to its function.

    As API Gateway does: path and query are decoded; what is absent is null, not empty; the single-value maps hold the
    last value; ``X-Forwarded-*`` and the trace header are added. A body is text: the stack names no binary media types,
    so what is not UTF-8 in it is replaced by U+FFFD.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html

    Parameters
    ----------
    resource : str
        The route's path, such as ``/items/{item_id}``.
    parameters : mapping
        Path parameters.
    api_key : str or None
        The key that the request came with, where the route asks for one. The event holds an id made of it; the key, which AWS
        passes too, is left out, since no function reads it.
    now : float or None
        Seconds since the epoch; None for the clock.
    """
    moment = time.time() if now is None else now
    port = request.host.rpartition(":")[2] if ":" in request.host.rpartition("]")[2] else "80"
    headers = [
        *request.headers,
        ("X-Amzn-Trace-Id", request.trace_id),
        ("X-Forwarded-For", request.source_ip),
        ("X-Forwarded-Port", port),
        ("X-Forwarded-Proto", "http"),
    ]
    query = parse_qsl(request.query, keep_blank_values=True, errors="replace")
    values = {name.lower(): value for name, value in request.headers}
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": _multi(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _multi(query) or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "deploymentId": API_ID,
            "domainName": request.host,
            "domainPrefix": request.host.split(".")[0],
            "extendedRequestId": request.request_id,
            "httpMethod": request.method,
            "identity": {
                "accessKey": None,
                "accountId": None,
                "apiKeyId": None if api_key is None else hashlib.sha256(api_key.encode()).hexdigest()[:10],
                "caller": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": request.source_ip,
                "user": None,
                "userAgent": values.get("user-agent"),
                "userArn": None,
            },
            # The stage is no part of the URL here, as with a custom domain on AWS.
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestId": request.request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(moment)),
            "requestTimeEpoch": int(moment * 1000),
            "resourceId": resource,
            "resourcePath": resource,
            "stage": stage,
        },
        "body": request.body.decode(errors="replace") or None,
        "isBase64Encoded": False,
    }


def _multi(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values
