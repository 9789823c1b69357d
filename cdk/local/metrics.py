"""Metrics per executed version: counts since the start, and the latest invocations for alarms over a period.

The names are those of AWS/Lambda (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html). Must not
know who reads them; roll-outs and ``serve`` do.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdk.local.written_metrics import WrittenMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cdk.local.invocation import InvocationResult

KEPT_INVOCATIONS: Final = 100_000
"""How many of the latest invocations a version's period can hold."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a version did in a period.

    Parameters
    ----------
    invocations, errors : int
        Executed invocations; those of them that raised, timed out, died or answered 5xx, and starts that failed.
    p50_ms, p99_ms : float or None
        Percentiles of the duration (nearest rank), in ms; None without invocations.
    """

    invocations: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None

    @property
    def error_rate(self) -> float:
        """Share of invocations that failed, 0 to 1; 0 without invocations."""
        return self.errors / self.invocations if self.invocations else 0.0


class VersionMetrics:
    """Counters and recent durations of one version.

    Attributes
    ----------
    invocations, errors, throttles, cold_starts : int
        Since the version was published; ``throttles`` are not invocations.
    server_errors : int
        Proxy responses with a 5xx status: no error to Lambda, but one to whoever asked.
    memory_kills : int
        Environments that were ended because they exceeded the memory setting.
    provisioned_invocations, spillover : int
        Invocations in provisioned environments, and those beyond them where there are any
        (``ProvisionedConcurrencySpilloverInvocations``).
    written : WrittenMetrics
        What the version's environments wrote about themselves.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.invocations = 0
        self.errors = 0
        self.server_errors = 0
        self.memory_kills = 0
        self.throttles = 0
        self.cold_starts = 0
        self.provisioned_invocations = 0
        self.spillover = 0
        self.written = WrittenMetrics(clock)
        self._clock = clock
        self._recent: deque[tuple[float, float, bool]] = deque(maxlen=KEPT_INVOCATIONS)

    def record(self, result: InvocationResult, *, has_provisioned: bool) -> None:
        """Count an executed invocation.

        Parameters
        ----------
        has_provisioned : bool
            Whether the version has provisioned environments, so that another one means spill-over.
        """
        self._count(result.duration_ms, failed=result.failed)
        self.errors += result.error_type is not None
        self.server_errors += result.failed and result.error_type is None
        self.cold_starts += result.init_ms is not None and not result.provisioned
        self.provisioned_invocations += result.provisioned
        self.spillover += has_provisioned and not result.provisioned

    def record_failed_start(self, init_ms: float) -> None:
        """Count an invocation that found no environment because its start failed; ``init_ms`` went by."""
        self._count(init_ms, failed=True)
        self.errors += 1

    def record_throttle(self) -> None:
        """Count a request that was turned away."""
        self.throttles += 1

    def record_memory_kill(self) -> None:
        """Count an environment that exceeded the memory setting."""
        self.memory_kills += 1

    def now(self) -> float:
        """Give the moment, for the ``since`` of `latest`."""
        return self._clock()

    def latest(self, period_s: float, *, since: float = -math.inf, at_least: int = 0) -> Snapshot:
        """Sum up the invocations that ended within the last ``period_s`` seconds.

        Parameters
        ----------
        since : float
            Leave out what ended before this moment (of `now`).
        at_least : int
            Reach back beyond the period, though not beyond ``since``, until there are so many.
        """
        begin = self._clock() - period_s
        entries: list[tuple[float, float, bool]] = []
        for entry in reversed(self._recent):
            if entry[0] < since or (entry[0] < begin and len(entries) >= at_least):
                break
            entries.append(entry)
        durations = sorted(duration for _, duration, _ in entries)
        errors = sum(failed for _, _, failed in entries)
        return Snapshot(len(entries), errors, percentile(durations, 50), percentile(durations, 99))

    def _count(self, duration_ms: float, *, failed: bool) -> None:
        self.invocations += 1
        self._recent.append((self._clock(), duration_ms, failed))


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Give a percentile by nearest rank of ascending values; None of no values."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
