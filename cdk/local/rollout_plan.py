"""How traffic moves and what stops it, as pure rules: the spec's strategy as steps, the spec's limits as alarms.

Must not know about functions, files or tasks. The alarms are those that the CDK gives CodeDeploy (error rate and p99 of
the executed version, and the function's own that the spec marks), and two more that only a machine with both versions in
view can have: the new version is slower than the old one beside it, and its processes outgrow their memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdk.local.errors import RolloutError
from cdk.service import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk.local.metrics import Snapshot
    from cdk.local.written_metrics import Written
    from cdk.service import MetricAlarm, Rollout

ALARM_PERIOD_S: Final = 60.0
"""The period of the alarms on AWS; limits are judged over the latest one."""
MIN_REQUESTS: Final = 20
"""A version's latency is not judged before it has answered so many requests."""
EVIDENCE: Final = 100
"""So many of the latest requests are judged, if the period holds fewer: enough that a version that fails more often than
the usual limit of 2 % shows it (a failure rate of 5 % goes unseen with a probability of 4 %)."""
MIN_FAILURES: Final = 2
"""One failed request condemns no version."""
MIN_SLOWDOWN_MS: Final = 10.0
"""A difference in the median duration below this is the machine's, not the version's."""
MAX_MEMORY_KILLS: Final = 1
"""A second environment that exceeded the memory setting is a leak."""
SPEEDS: Final = (1.0, 100_000.0)


@dataclass(frozen=True, slots=True)
class Step:
    """A share of the requests on the new version, 0 to 1, and for how many seconds of the spec's time it is held."""

    weight: float
    hold_s: float


def steps(rollout: Rollout) -> tuple[Step, ...]:
    """Give the steps of a strategy.

    The last one is all traffic, held for one alarm period while the old version is still there to go back to; CodeDeploy
    would end there.

    Raises
    ------
    RolloutError
        If the spec holds a weight by hand, which has no steps.
    """
    if rollout.strategy is Strategy.MANUAL:
        message = (
            "the spec holds this function's weight by hand (strategy manual): there is no way to full traffic"
        )
        raise RolloutError(message)
    hold_s = rollout.interval_minutes * 60.0
    shifted: list[int] = []
    if rollout.strategy is Strategy.CANARY:
        shifted = [rollout.percent]
    elif rollout.strategy is Strategy.LINEAR:
        shifted = list(range(rollout.percent, 100, rollout.percent))
    return (*(Step(percent / 100, hold_s) for percent in shifted), Step(1.0, ALARM_PERIOD_S))


def check_speed(speed: float) -> float:
    """Give the factor by which time is compressed.

    Raises
    ------
    RolloutError
        If it is no number from 1 to 100,000.
    """
    if not math.isfinite(speed) or not SPEEDS[0] <= speed <= SPEEDS[1]:
        message = f"time can be compressed by a factor from {SPEEDS[0]:g} to {SPEEDS[1]:,.0f}, not {speed:g}"
        raise RolloutError(message)
    return speed


def is_over(step: Step, *, elapsed_s: float, speed: float, requests: int) -> bool:
    """Say whether a step without alarm has been held long enough.

    Compressed time does not compress the evidence: when the shortened time is up, the step goes on until the new version
    has answered `EVIDENCE` requests in it, at the latest until the time that the spec asks for.

    Parameters
    ----------
    elapsed_s : float
        Real seconds since the step began.
    requests : int
        Requests of the new version since then.
    """
    if elapsed_s >= step.hold_s:
        return True
    return elapsed_s >= step.hold_s / speed and requests >= EVIDENCE


def alarm(rollout: Rollout, new: Snapshot, old: Snapshot, *, memory_kills: int) -> str | None:
    """Say in a sentence what is wrong with the new version; None if nothing is.

    Parameters
    ----------
    new, old : Snapshot
        The latest requests of both versions (`EVIDENCE` and the alarm period say how many).
    memory_kills : int
        Environments of the new version that were ended for their memory since traffic reached it.
    """
    return _memory_alarm(memory_kills) or _error_alarm(rollout, new) or _latency_alarm(rollout, new, old)


def own_alarm(alarms: Sequence[MetricAlarm], written: Written) -> str | None:
    """Say in a sentence which of the function's own alarms the new version sets off; None if none.

    Parameters
    ----------
    alarms : sequence of MetricAlarm
        Those of the spec that a rollout watches.
    written : Written
        What the new version wrote about itself. As on AWS, what was not written rings nothing.
    """
    for own in alarms:
        value = written.statistic(own.metric, own.statistic)
        if value is None:
            continue
        if own.per is None:
            if value > own.threshold:
                return f"its {own.metric} is {value:g}, above {own.threshold:g}: {own.meaning}"
            continue
        whole = written.statistic(own.per, "Sum")
        # Before there is enough, what is to come counts against the alarm: what exceeds the limit even so is certain.
        if whole is not None and value / max(whole, MIN_REQUESTS) > own.threshold:
            return f"its {own.metric} are {value:g} in {whole:g} {own.per}, above {own.threshold:g}: {own.meaning}"
    return None


def _memory_alarm(kills: int) -> str | None:
    if kills <= MAX_MEMORY_KILLS:
        return None
    return f"{kills} of its environments exceeded the memory setting and were killed"


def _error_alarm(rollout: Rollout, new: Snapshot) -> str | None:
    # Before there are enough requests, those to come count as answered: what exceeds the limit even so is certain.
    share = new.errors / max(new.invocations, MIN_REQUESTS)
    if new.errors < MIN_FAILURES or share <= rollout.max_error_rate:
        return None
    return (
        f"{new.errors} of its latest {new.invocations} requests failed, more than the allowed "
        f"{rollout.max_error_rate:.1%}"
    )


def _latency_alarm(rollout: Rollout, new: Snapshot, old: Snapshot) -> str | None:
    if new.invocations < MIN_REQUESTS or new.p99_ms is None or new.p50_ms is None:
        return None
    if new.p99_ms > rollout.max_p99_ms:
        return f"its p99 of {new.p99_ms:.0f} ms exceeds the allowed {rollout.max_p99_ms:.0f} ms"
    if old.invocations < MIN_REQUESTS or old.p50_ms is None:
        return None
    if new.p50_ms - old.p50_ms > MIN_SLOWDOWN_MS and new.p50_ms > rollout.max_slowdown * old.p50_ms:
        return (
            f"its median of {new.p50_ms:.0f} ms is more than {rollout.max_slowdown:g} times the {old.p50_ms:.0f} ms of "
            "the version beside it"
        )
    return None
