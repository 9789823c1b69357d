"""Which function a method and path lead to, by the routes of the spec. Knows no HTTP library and no event."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trending_core.errors import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdk.service import Route, Service

_PARAMETER: Final = re.compile(r"\\\{([a-z_]+)(\\\+)?\\\}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the function's name, the route, and the path parameters (decoded)."""

    function: str
    route: Route
    parameters: Mapping[str, str]


class Router:
    """The routes of a service.

    As in API Gateway a literal segment wins over ``{name}``, and that over ``{name+}``, which takes the rest of the
    path. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
    """

    def __init__(self, service: Service) -> None:
        entries = [
            (_rank(route.path), _pattern(route.path), function.name, route)
            for function in service.functions
            for route in function.routes
        ]
        self._entries = sorted(entries, key=lambda entry: entry[0])

    def resolve(self, method: str, path: str) -> Target:
        """Find the target of a request.

        Parameters
        ----------
        path : str
            Decoded, without the query.

        Raises
        ------
        NotFound
            If no route has this path.
        MethodNotAllowed
            If there are routes with this path, but none with this method.
        """
        matches = [(match, entry) for entry in self._entries if (match := entry[1].fullmatch(path))]
        if not matches:
            message = "There is nothing under this path."
            raise NotFound(message)
        best = matches[0][1][0]
        same = [(match, entry) for match, entry in matches if entry[0] == best]
        for match, (_, _, function, route) in same:
            if route.method == method:
                return Target(function, route, match.groupdict())
        allow = sorted({entry[3].method for _, entry in same})
        message = f"This path does not take this method; it takes {', '.join(allow)}."
        raise MethodNotAllowed(message, allow=allow)

    def methods(self, path: str) -> list[str]:
        """Give the methods that a path takes; none if it is unknown."""
        return sorted({route.method for _, pattern, _, route in self._entries if pattern.fullmatch(path)})


def _rank(path: str) -> tuple[int, ...]:
    return tuple(
        2 if part.endswith("+}") else 1 if part.startswith("{") else 0 for part in path.split("/")[1:]
    )


def _pattern(path: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"

    # Newlines in a decoded segment are matched like any other character.
    return re.compile(_PARAMETER.sub(group, re.escape(path)), re.DOTALL)
