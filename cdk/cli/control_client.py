"""Calls the control API of the service that runs on a data folder. Must not know what is printed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from cdk.local.errors import RolloutError, ServeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT_S: Final = 300.0
"""A way back waits for running requests, and after a promotion for the previous version's environments."""


class ControlClient:
    """A client of the running service.

    Parameters
    ----------
    data : Path
        The service's data folder, where it says how it can be reached.

    Raises
    ------
    ServeError
        If no service runs on this folder.
    """

    def __init__(self, data: Path) -> None:
        try:
            record = json.loads((data / "service.json").read_text(encoding="utf-8"))
            self._url, self._token = str(record["control_url"]), str(record["control_token"])
        except (FileNotFoundError, NotADirectoryError):
            message = (
                f"no service runs on data folder {data}; start one with `trending-now serve`, "
                "or name its folder with --data"
            )
            raise ServeError(message) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{data / 'service.json'} does not say how the service can be reached: {error}"
            raise ServeError(message) from error
        self._data = data
        # The service is on this machine: no proxy may come between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def status(self, function: str | None = None) -> list[dict[str, Any]]:
        """Give where functions stand."""
        path = "/rollouts" if function is None else f"/rollouts/{quote(function, safe='')}"
        answer: list[dict[str, Any]] = self._call("GET", path)
        return answer

    def start(
        self, function: str, versions: list[str], environment: Mapping[str, str], speed: float
    ) -> dict[str, Any]:
        """Begin a rollout and give its record."""
        body = {"versions": versions, "environment": dict(environment), "speed": speed}
        answer: dict[str, Any] = self._call("POST", f"/rollouts/{quote(function, safe='')}", body)
        return answer

    def roll_back(self, function: str) -> dict[str, Any]:
        """Go back, and give the record of what was rolled back."""
        answer: dict[str, Any] = self._call("POST", f"/rollouts/{quote(function, safe='')}/rollback", {})
        return answer

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 -- JSON
        """Call the service.

        Raises
        ------
        RolloutError
            If it refuses, with its own sentence.
        ServeError
            If it cannot be reached.
        """
        request = urllib.request.Request(  # noqa: S310 -- the service's own URL, http on loopback
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise RolloutError(json.loads(error.read())["message"]) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            message = (
                f"the service on data folder {self._data} does not answer at {self._url} ({reason}); "
                "if it was killed, start it again"
            )
            raise ServeError(message) from error
