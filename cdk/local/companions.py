"""What runs beside the functions: services they need, and sources that invoke them. Protocols only.

`service.LocalService` starts every `Companion`, then the functions with the variables the companions give, then every
`EventSource`; it stops them in the opposite order. A start that fails ends the service with the error's sentence, so
raise a `cdk.local.errors.ServeError`. ``stop`` is called on everything whose ``start`` was called, also where that
failed or was cancelled half-way, and must then clean up what there is, within a few seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdk.local.function import Functions
    from cdk.service import Function


class Companion(Protocol):
    """A service that functions need, an AWS emulator for instance."""

    name: str
    """For messages: "the AWS emulator"."""

    async def start(self, lambda_url: str) -> None:
        """Come up; when this returns, functions may call it.

        Parameters
        ----------
        lambda_url : str
            Where the Lambda API will answer, once the functions are up.
        """

    def environment(self, function: Function) -> Mapping[str, str]:
        """Give the variables that a function gets from it, such as ``AWS_ENDPOINT_URL`` or a table's name."""

    async def watch(self) -> None:
        """Wait until it ends unasked, and raise a `ServeError` that says so; return if nothing can end.

        Called after `start`, and cancelled before `stop`.
        """

    async def stop(self) -> None:
        """End, leaving no process behind."""


class EventSource(Protocol):
    """What invokes functions besides the gateway, an SQS poller for instance.

    It invokes by ``await functions["name"].invoke(payload)``, which goes through the alias like every other request; what
    the function did wrong is in the result's ``error_type``.
    """

    name: str

    async def start(self, functions: Functions) -> None:
        """Begin to invoke; must return, the work goes on in tasks of its own."""

    async def stop(self, grace_s: float) -> None:
        """Stop invoking and wait for what is under way, but not longer than ``grace_s`` seconds.

        The functions' environments are ended after that. What is given up must come again at the next start.
        """
