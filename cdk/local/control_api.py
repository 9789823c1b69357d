"""The local control API, by which the `rollout` commands reach a running service. JSON over HTTP, loopback only.

``GET /rollouts`` and ``GET /rollouts/<function>`` give where functions stand; ``POST /rollouts/<function>`` begins a
rollout of ``{"versions": [...], "environment": {...}, "speed": 1}``; ``POST /rollouts/<function>/rollback`` goes back.

A rollout runs code that the caller names, so every request needs the token that the service writes into its data folder
(readable by its user only): no other user of the machine and no web page in a browser can start one.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from aiohttp import web

from cdk.local.errors import (
    LocalServiceError,
    PayloadTooLargeError,
    RolloutConflictError,
    RolloutError,
    UnknownTargetError,
)
from cdk.local.http_server import HttpServer, read_body
from model_artifacts.registry import RegistryError

if TYPE_CHECKING:
    from cdk.local.rollouts import Rollouts

BODY_BYTES: Final = 64 * 1024
_PATH: Final = re.compile(r"^/rollouts(?:/(?P<name>[^/]+)(?P<back>/rollback)?)?$")
_STATUS: Final = {
    PayloadTooLargeError: 413,
    UnknownTargetError: 404,
    RolloutConflictError: 409,
    RolloutError: 422,
    LocalServiceError: 500,
}
"""The first that fits."""
_FIELDS: Final = frozenset({"versions", "environment", "speed"})


class _RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ControlApi:
    """The control API of a service.

    Attributes
    ----------
    token : str
        What a caller must send as ``Authorization: Bearer``.
    """

    def __init__(self, rollouts: Rollouts) -> None:
        self.server = HttpServer(self._handle, _refusal)
        self.token = secrets.token_urlsafe(32)
        self._rollouts = rollouts

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return web.json_response(await self._answer(request))
        except _RequestError as error:
            return _refusal(error.status, str(error))
        except RegistryError as error:
            return _refusal(422, str(error))
        except LocalServiceError as error:
            status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
            return _refusal(status, str(error))

    async def _answer(self, request: web.BaseRequest) -> Any:  # noqa: ANN401 -- JSON
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            raise _RequestError(401, "the control API asks for the token in the service's data folder")
        path = _PATH.match(request.rel_url.raw_path)
        if path is None:
            raise _RequestError(404, f"the control API has no {request.path}")
        name = path["name"] and unquote(path["name"])
        if request.method == "GET" and not path["back"]:
            return self._rollouts.status(name)
        if request.method == "POST" and name and path["back"]:
            return (await self._rollouts.roll_back(name)).to_json()
        if request.method == "POST" and name:
            versions, environment, speed = _asked(await read_body(request, BODY_BYTES))
            return (await self._rollouts.start(name, versions, environment, speed=speed)).to_json()
        raise _RequestError(405, f"{request.method} does nothing on {request.path}")


def _asked(body: bytes) -> tuple[list[str], dict[str, str], float]:
    """Read what a rollout is asked to be."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise _RequestError(400, f"the body is not JSON: {error}") from error
    if not isinstance(content, dict) or not _FIELDS.issuperset(content):
        raise _RequestError(
            400, f"the body is an object with {', '.join(sorted(_FIELDS))}, and no other field"
        )
    versions, environment = content.get("versions", []), content.get("environment", {})
    speed = content.get("speed", 1)
    if not isinstance(versions, list) or not all(isinstance(version, str) for version in versions):
        raise _RequestError(400, "versions is a list of texts")
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise _RequestError(400, "environment is an object of texts")
    if isinstance(speed, bool) or not isinstance(speed, (int, float)):
        raise _RequestError(400, "speed is a number")
    return versions, environment, float(speed)


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
