"""A worker that dies between two of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """Ends a worker between two of its calls, as SIGKILL would."""


def mortal(client: Any, die: Callable[[], None]) -> Any:
    """Have ``die`` called before each of a boto3 client's requests is sent."""
    client.meta.events.register("before-send.*", lambda **_: die())
    return client
