"""The event that API Gateway's REST proxy integration would send for a golden request.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def proxy_event(
    *, method: str, path: str, route: str, parameters: Mapping[str, str], body: object, request_id: str
) -> dict[str, Any]:
    """Make the event of one request.

    Parameters
    ----------
    path : str
        Path with its query, such as ``/trending?limit=3``.
    route : str
        The path as the API defines it, such as ``/items/{item_id}``.
    parameters : mapping
        Values of the route's path parameters.
    body : object
        Anything JSON; a text goes as it is, None sends no body.
    """
    split = urlsplit(path)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(split.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    headers = {"Accept": "application/json", "Content-Type": "application/json", "Host": "golden.invalid"}
    return {
        "resource": route,
        "path": split.path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": route,
            "httpMethod": method,
            "path": split.path,
            "protocol": "HTTP/1.1",
            "stage": "golden",
            "requestId": request_id,
            "extendedRequestId": request_id,
            "requestTimeEpoch": 0,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "golden"},
            "apiId": "golden",
            "accountId": "000000000000",
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
