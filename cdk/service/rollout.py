"""How a function's alias ``live`` moves from one version to the next, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cdk.service.limits import SpecError


class Strategy(StrEnum):
    """How the alias ``live`` moves to a new version."""

    ALL_AT_ONCE = "all-at-once"
    CANARY = "canary"
    LINEAR = "linear"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One function's way to a new version.

    Parameters
    ----------
    strategy : Strategy
        ``canary`` shifts ``percent`` once and the rest after ``interval_minutes``; ``linear`` shifts ``percent`` every
        ``interval_minutes``; ``manual`` holds ``weight`` on the new version until the spec changes.
    max_error_rate : float
        Share of failed invocations of the new version, 0 to 1, above which it is rolled back. On AWS one failed
        invocation is enough for a function without routes, which is not invoked often enough for a share.
    max_p99_ms : float
        99th percentile of the new version's duration, in ms, above which it is rolled back; below the function's
        timeout.
    weight : float or None
        Share of requests on the new version, 0 to 1; only with ``manual``.
    previous_version : str or None
        The version number that keeps the remaining share; only with ``manual``, and needed there as soon as
        ``weight`` is below 1.
    max_slowdown : float
        How many times the median duration of the version beside it the new version's may reach, at least 1. Judged by
        rollouts on this machine only: an alarm on AWS cannot name the version that a deployment will replace.
    golden : str or None
        Name of the golden requests (``functions/hooks/golden/<name>.json``) that a new version answers before
        traffic moves, and the alias after; None to ask nothing.
    """

    strategy: Strategy = Strategy.CANARY
    percent: int = 10
    interval_minutes: int = 5
    max_error_rate: float = 0.02
    max_p99_ms: float = 3_000
    max_slowdown: float = 2.0
    weight: float | None = None
    previous_version: str | None = None
    golden: str | None = None

    def __post_init__(self) -> None:
        if self.strategy is Strategy.MANUAL:
            self._check_manual()
        elif self.weight is not None or self.previous_version is not None:
            message = f"a weight is held by hand: it excludes the strategy {self.strategy}"
            raise SpecError(message)
        if not 1 <= self.percent <= 99:  # noqa: PLR2004 -- percent
            message = f"rollout percent {self.percent} is not between 1 and 99"
            raise SpecError(message)
        if self.interval_minutes < 1:
            message = f"rollout interval of {self.interval_minutes} minutes is not at least 1"
            raise SpecError(message)
        if not 0 <= self.max_error_rate <= 1 or self.max_p99_ms <= 0:
            message = "rollout limits: max_error_rate is a share from 0 to 1, max_p99_ms above 0"
            raise SpecError(message)

        if not self.max_slowdown >= 1:
            message = f"rollout limit: max_slowdown is a factor of at least 1, not {self.max_slowdown}"
            raise SpecError(message)

    def _check_manual(self) -> None:
        if self.weight is None or not 0 <= self.weight <= 1:
            message = f"a manual rollout needs a weight from 0 to 1, not {self.weight}"
            raise SpecError(message)
        if self.previous_version is not None and not self.previous_version.isdecimal():
            message = f"previous version {self.previous_version!r} is not the number of a published version"
            raise SpecError(message)
