"""What a version's environments write about themselves: the metrics of their log lines, kept for a rollout's alarms.

Reads the Embedded Metric Format as CloudWatch does, and keeps only what was written for the version that ran (the dimension
``function_version``). Must not know who watches.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DIMENSION: Final = "function_version"
KEPT_LINES: Final = 20_000
"""How many of the latest lines with metrics of a version are kept."""
_STATISTICS: Final[Mapping[str, Callable[[tuple[float, ...]], float]]] = {
    "Sum": math.fsum,
    "Maximum": max,
    "Minimum": min,
    "Average": statistics.fmean,
    "SampleCount": len,
}


@dataclass(frozen=True, slots=True)
class Written:
    """Metrics of a period: every value that was written, by the metric's name."""

    values: Mapping[str, tuple[float, ...]]

    def statistic(self, name: str, statistic: str) -> float | None:
        """Give a metric's statistic (one of ``cdk.service.STATISTICS``); None if it was not written."""
        values = self.values.get(name)
        return _STATISTICS[statistic](values) if values else None


class WrittenMetrics:
    """The latest metrics that one version wrote about itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines: deque[tuple[float, dict[str, tuple[float, ...]]]] = deque(maxlen=KEPT_LINES)

    def read(self, line: str) -> None:
        """Keep a log line's metrics, if it holds any of the version; everything else passes."""
        if DIMENSION not in line or '"_aws"' not in line:
            return
        try:
            blob = json.loads(line)
            values = dict(_metrics(blob))
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # a line that only looks like metrics is none for CloudWatch either
        if values:
            self._lines.append((self._clock(), values))

    def latest(self, period_s: float, *, since: float = -math.inf, at_least: int = 0) -> Written:
        """Give what was written within the last ``period_s`` seconds.

        Parameters
        ----------
        since : float
            Leave out what was written before this moment (of `VersionMetrics.now`).
        at_least : int
            Reach back beyond the period, though not beyond ``since``, until there are so many lines.
        """
        begin = self._clock() - period_s
        found: dict[str, list[float]] = {}
        for lines, (moment, values) in enumerate(reversed(self._lines)):
            if moment < since or (moment < begin and lines >= at_least):
                break
            for name, numbers in values.items():
                found.setdefault(name, []).extend(numbers)
        return Written({name: tuple(numbers) for name, numbers in found.items()})


def _metrics(blob: dict[str, Any]) -> Iterator[tuple[str, tuple[float, ...]]]:
    for directive in blob["_aws"]["CloudWatchMetrics"]:
        if any(DIMENSION in dimensions for dimensions in directive["Dimensions"]):
            for metric in directive["Metrics"]:
                value = blob[metric["Name"]]
                numbers = value if isinstance(value, list) else [value]
                yield metric["Name"], tuple(float(number) for number in numbers)
