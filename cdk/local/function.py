"""A function: its published versions side by side, and the alias that says which of them serves.

Owns routing by alias weights and the list of versions. Must not know about HTTP or about how a version's environments
are run. Every caller (gateway, Invoke API, pollers, roll-outs) comes through `LocalFunction.invoke`.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cdk.local.errors import PayloadTooLargeError, ServeError, UnknownTargetError
from cdk.local.invocation import Invocation, function_arn
from cdk.local.tracing import trace_header
from cdk.service import LAMBDA_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cdk.local.invocation import InvocationResult
    from cdk.local.pool import Pool
    from cdk.local.version import Version

LIVE: Final = "live"
"""The one alias; API Gateway and all callers use it only."""
LATEST: Final = "$LATEST"


@dataclass(frozen=True, slots=True)
class Alias:
    """What the alias points to: a version, and shares of the traffic that go to others.

    Parameters
    ----------
    version : str
        The version that gets what the weights leave.
    weights : mapping of str to float
        Other version -> share of the requests, 0 to 1.
    """

    version: str
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))
        if any(not 0 <= weight <= 1 for weight in self.weights.values()) or sum(self.weights.values()) > 1:
            message = (
                f"alias weights are shares from 0 to 1 that sum up to at most 1, not {dict(self.weights)}"
            )
            raise ServeError(message)
        if self.version in self.weights:
            message = f"version {self.version} is what the alias points to and cannot also have a weight"
            raise ServeError(message)

    def choose(self, draw: float) -> str:
        """Give the version for a number drawn uniformly from [0, 1)."""
        for version, weight in self.weights.items():
            if draw < weight:
                return version
            draw -= weight
        return self.version


class LocalFunction:
    """One function of the spec on this machine.

    Workflow: `publish` a version (its provisioned environments are up when that returns), `point` the alias at it,
    `invoke`; later `publish` another beside it, shift with `point`, `retire` the one that no longer serves.

    Parameters
    ----------
    name : str
        The spec's name.
    make_pool : callable
        Makes the pool of a version.
    generator : random.Random
        Draws the version of each request by the alias' weights.
    published : int
        The highest version number that was given before.
    """

    def __init__(
        self,
        name: str,
        make_pool: Callable[[Version], Pool],
        generator: random.Random | None = None,
        *,
        published: int = 0,
    ) -> None:
        self.name = name
        self.alias: Alias | None = None
        self._make_pool = make_pool
        self._generator = generator or random.Random()  # noqa: S311 -- spreads load, guards nothing
        self._pools: dict[str, Pool] = {}
        self._published = published

    @property
    def versions(self) -> Mapping[str, Pool]:
        """The published versions that are not retired, oldest first, with their pools."""
        return MappingProxyType(self._pools)

    def next_number(self) -> str:
        """Give the number for the next `Version` to publish; numbers are never used twice."""
        self._published += 1
        return str(self._published)

    async def publish(self, version: Version, *, warm: bool = False) -> Pool:
        """Bring a version up beside the others; it gets no request from the alias yet.

        Parameters
        ----------
        warm : bool
            Bring up one environment also where none is provisioned.

        Raises
        ------
        InitError
            If an environment does not come up; the version is not published then.
        ServeError
            If a version of this number is there: its environments would be nobody's.
        """
        if version.number in self._pools:
            message = f"version {version.number} of {self.name} is published already"
            raise ServeError(message)
        pool = self._make_pool(version)
        await pool.start()
        if warm:
            try:
                await pool.warm()
            except BaseException:
                await pool.stop()
                raise
        self._pools[version.number] = pool
        return pool

    def point(self, alias: Alias) -> None:
        """Move the alias, from the next request on.

        Raises
        ------
        UnknownTargetError
            If it names a version that is not published.
        """
        for version in (alias.version, *alias.weights):
            self._pool(version)
        self.alias = alias

    async def retire(self, number: str, *, drain_s: float = 30.0) -> None:
        """End a version's environments once its requests are answered.

        Raises
        ------
        ServeError
            If the alias still uses it.
        """
        if self.alias is not None and number in (self.alias.version, *self.alias.weights):
            message = f"version {number} of {self.name} still serves through the alias {LIVE}"
            raise ServeError(message)
        pool = self._pool(number)
        await pool.drain(drain_s)
        await pool.stop()
        del self._pools[number]

    async def invoke(
        self,
        payload: bytes,
        *,
        qualifier: str = LIVE,
        request_id: str | None = None,
        trace_id: str | None = None,
        client_context: str | None = None,
    ) -> InvocationResult:
        """Run an event; what goes wrong in the function is in the result.

        Parameters
        ----------
        qualifier : str
            ``live``, a version's number, or ``$LATEST`` for the newest published version.

        Raises
        ------
        PayloadTooLargeError
            If the event exceeds Lambda's 6 MB.
        ThrottledError
            If no environment can take it.
        UnknownTargetError
            If there is no such version or alias.
        """
        if len(payload) > LAMBDA_PAYLOAD_BYTES:
            message = (
                f"the event of {len(payload)} bytes exceeds Lambda's limit of {LAMBDA_PAYLOAD_BYTES} bytes"
            )
            raise PayloadTooLargeError(message)
        pool = self._pool(self.resolve(qualifier))
        invocation = Invocation(
            request_id=request_id or str(uuid.uuid4()),
            payload=payload,
            function_arn=function_arn(self.name, qualifier),
            trace_id=trace_id or trace_header(),
            client_context=client_context,
        )
        return await pool.invoke(invocation)

    def resolve(self, qualifier: str) -> str:
        """Give the version that a request with this qualifier goes to; for the alias a new draw each time.

        Raises
        ------
        UnknownTargetError
            If there is no such version or alias.
        """
        if qualifier == LIVE and self.alias is not None:
            return self.alias.choose(self._generator.random())
        if qualifier == LATEST and self._pools:
            return next(reversed(self._pools))
        return self._pool(qualifier).version.number

    async def drain(self, timeout_s: float) -> None:
        """Take no new requests and let the running ones end."""
        for pool in self._pools.values():
            await pool.drain(timeout_s)

    async def stop(self) -> None:
        """End all environments of all versions."""
        for pool in self._pools.values():
            await pool.stop()

    def kill(self) -> None:
        """End all environments at once, without waiting."""
        for pool in self._pools.values():
            pool.kill()

    def _pool(self, number: str) -> Pool:
        try:
            return self._pools[number]
        except KeyError:
            message = f"function {self.name} has no version or alias {number!r}"
            raise UnknownTargetError(message) from None


class Functions:
    """All functions of the service, by name: what callers are given."""

    def __init__(self) -> None:
        self._functions: dict[str, LocalFunction] = {}

    def add(self, function: LocalFunction) -> None:
        """Add a function."""
        self._functions[function.name] = function

    def __iter__(self) -> Iterator[LocalFunction]:
        return iter(tuple(self._functions.values()))

    def __getitem__(self, name: str) -> LocalFunction:
        try:
            return self._functions[name]
        except KeyError:
            known = ", ".join(self._functions) or "none"
            message = f"there is no function {name!r}; the service has: {known}"
            raise UnknownTargetError(message) from None
