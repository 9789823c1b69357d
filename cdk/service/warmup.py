"""What is done against cold starts: provisioned concurrency with its tracking and schedules, or SnapStart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cdk.service.limits import SpecError

_AT: Final = re.compile(r"^(?:cron\([^()]+\)|rate\(\d+ (?:minute|hour|day)s?\)|at\([0-9T:-]+\))$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """From a moment on, provisioned concurrency stays between two numbers.

    Parameters
    ----------
    name : str
        Names the scheduled action.
    at : str
        ``cron(...)``, ``rate(...)`` or ``at(...)`` as Application Auto Scaling writes them.
    minimum, maximum : int
        Environments kept ready. Zero is refused: the alias rejects a provisioned concurrency of 0, and the scheduled
        action would fail each time without a deployment noticing.
    timezone : str
        IANA name.
    """

    name: str
    at: str
    minimum: int
    maximum: int
    timezone: str = "Etc/UTC"

    def __post_init__(self) -> None:
        if not _AT.match(self.at):
            message = f"schedule {self.name}: {self.at!r} is not cron(...), rate(...) or at(...)"
            raise SpecError(message)
        if self.minimum < 1 or self.maximum < 1:
            message = f"schedule {self.name}: provisioned concurrency cannot be scheduled to zero"
            raise SpecError(message)
        if self.maximum < self.minimum:
            message = f"schedule {self.name}: maximum {self.maximum} is below minimum {self.minimum}"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """What is done against cold starts: nothing, provisioned concurrency on the alias, or SnapStart.

    Parameters
    ----------
    provisioned : int
        Environments kept initialised on the alias; 0 for none.
    provisioned_max : int or None
        Target tracking may grow them to this number; None leaves them fixed.
    target_utilization : float
        Share of provisioned environments in use that tracking aims at, above 0 and at most 0.9.
    schedules : tuple of Schedule
        Other bounds at other times; needs ``provisioned_max``.
    snap_start : bool
        Restore from a snapshot instead; AWS does not allow both.
    """

    provisioned: int = 0
    provisioned_max: int | None = None
    target_utilization: float = 0.7
    schedules: tuple[Schedule, ...] = ()
    snap_start: bool = False

    def __post_init__(self) -> None:
        if self.provisioned < 0:
            message = f"provisioned concurrency {self.provisioned} is negative"
            raise SpecError(message)
        if self.snap_start and (self.provisioned or self.schedules):
            message = "provisioned concurrency and SnapStart exclude each other"
            raise SpecError(message)
        if self.provisioned_max is not None and self.provisioned_max < max(self.provisioned, 1):
            message = f"provisioned concurrency cannot grow from {self.provisioned} to {self.provisioned_max}"
            raise SpecError(message)
        # Application Auto Scaling takes 0.1 to 0.9 for LambdaProvisionedConcurrencyUtilization.
        if not 0.1 <= self.target_utilization <= 0.9:  # noqa: PLR2004 -- the bounds just named
            message = f"target utilization {self.target_utilization} is not between 0.1 and 0.9"
            raise SpecError(message)
        if self.schedules and (self.provisioned_max is None or not self.provisioned):
            message = (
                "schedules move the bounds of provisioned concurrency: name provisioned and provisioned_max"
            )
            raise SpecError(message)
        if len({schedule.name for schedule in self.schedules}) < len(self.schedules):
            message = "two schedules of provisioned concurrency have the same name"
            raise SpecError(message)

    @property
    def ceiling(self) -> int:
        """The most environments that provisioned concurrency may ever ask for."""
        return max(self.provisioned, self.provisioned_max or 0, *(s.maximum for s in self.schedules), 0)
