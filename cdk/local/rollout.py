"""One rollout, from the first environment of the new version to its promotion or its end.

Owns the order of the steps and that each way out leaves the alias on one version. Must not know about files, HTTP or
which rollouts there are; `rollouts` does.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cdk.local.errors import InitError, ServeError
from cdk.local.function import LIVE, Alias
from cdk.local.rollout_golden import GoldenRequests
from cdk.local.rollout_plan import ALARM_PERIOD_S, EVIDENCE, Step, alarm, is_over, own_alarm, steps
from cdk.local.rollout_state import Phase, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from cdk.local.function import LocalFunction
    from cdk.local.metrics import Snapshot
    from cdk.local.pool import Pool
    from cdk.local.version import Version
    from cdk.local.written_metrics import Written
    from cdk.service import MetricAlarm
    from cdk.service import Rollout as Limits
    from functions.hooks.golden import Suite

T = TypeVar("T")
_LOG: Final = logging.getLogger(__name__)
TICK_S: Final = 0.2
"""How often the alarms are judged, in real seconds."""


class _UnfitError(Exception):
    """The new version goes back, for the reason that the text says."""


@dataclass(frozen=True, slots=True)
class _Counts:
    requests: int
    failed: int

    @classmethod
    def of(cls, pool: Pool) -> _Counts:
        metrics = pool.metrics
        failed = metrics.errors + metrics.server_errors + metrics.throttles
        return cls(metrics.invocations + metrics.throttles, failed)

    def minus(self, other: _Counts) -> _Counts:
        return _Counts(self.requests - other.requests, self.failed - other.failed)


class Rollout:
    """A rollout of one function.

    Workflow: ``await run()``; `roll_back` at any time ends it early; cancelling `run` puts the alias back and leaves the
    record where it stood.

    Parameters
    ----------
    function : LocalFunction
        Its alias points to ``record.old``.
    version : Version
        The new version, not yet published.
    limits : Limits
        The spec's strategy and limits.
    alarms : sequence of MetricAlarm
        The function's own alarms that the new version must not set off.
    golden : Suite or None
        What the new version is asked before traffic and the alias after.
    on_change : callable
        Called with the record whenever it must be kept, before what follows from it; a `ServeError` rolls back.
    """

    def __init__(
        self,
        function: LocalFunction,
        version: Version,
        record: Record,
        *,
        limits: Limits,
        alarms: Sequence[MetricAlarm],
        golden: Suite | None,
        on_change: Callable[[Record], None],
    ) -> None:
        self.record = record
        self.since: float | None = None
        """The moment of the first shift, on the clock of the versions' metrics."""
        self._function = function
        self._version = version
        self._limits = limits
        self._alarms = alarms
        self._golden = golden
        self._on_change = on_change
        self._asked = asyncio.Event()
        self._pools: tuple[Pool, Pool] | None = None
        self._begin: tuple[_Counts, _Counts] = (_Counts(0, 0), _Counts(0, 0))
        self._memory_kills = 0

    async def run(self) -> Record:
        """Go through all steps, and give the record of the end."""
        try:
            try:
                await self._bring_up()
                await self._ask(Phase.TESTING, self.record.new)
                await self._shift()
                await self._ask(Phase.CHECKING, LIVE)
                self._change(phase=Phase.PROMOTED)
            except (_UnfitError, InitError, ServeError) as error:
                await self._go_back(str(error))
            else:
                self._function.point(Alias(self.record.new))
                await self._function.retire(self.record.old)
        finally:
            if self.record.phase is not Phase.PROMOTED:
                self._function.point(Alias(self.record.old))
                if self.record.new in self._function.versions:
                    # Only a defect or the end of the service leads here.
                    await self._function.retire(self.record.new, drain_s=0)
        return self.record

    def roll_back(self) -> None:
        """Ask `run` to end the rollout; without effect once it has ended."""
        self._asked.set()

    def counted(self) -> Record:
        """Give the record with the requests of this moment."""
        if self._pools is None:
            return self.record
        old, new = (
            _Counts.of(pool).minus(begin) for pool, begin in zip(self._pools, self._begin, strict=True)
        )
        return replace(
            self.record,
            requests=old.requests + new.requests,
            failed=old.failed + new.failed,
            new_requests=new.requests,
            failed_new=new.failed,
        )

    async def _bring_up(self) -> None:
        """Start the new version's environments, at least one, so that the first request meets none that starts."""
        self._change(phase=Phase.STARTING)
        await self._unless_asked(self._function.publish(self._version, warm=True))

    async def _ask(self, phase: Phase, qualifier: str) -> None:
        if self._golden is None:
            return
        self._change(phase=phase)
        golden = GoldenRequests(self._function, qualifier, self._golden, max_ms=self._limits.max_p99_ms)
        try:
            verdict = await self._unless_asked(golden.ask())
        finally:
            self._leave_out(golden)
        if not verdict.passed:
            message = f"golden requests: {'; '.join(verdict.faults)}"
            raise _UnfitError(message)

    def _leave_out(self, golden: GoldenRequests) -> None:
        """Count golden requests as nobody's: all of them went to the new version."""
        old, new = self._begin
        self._begin = old, _Counts(new.requests + golden.asked, new.failed + golden.failed)

    async def _shift(self) -> None:
        versions = self._function.versions
        old, new = versions[self.record.old], versions[self.record.new]
        self._begin = _Counts.of(old), _Counts.of(new)
        self._pools = old, new
        self._memory_kills = new.metrics.memory_kills
        self.since = new.metrics.now()
        for step in steps(self._limits):
            self._change(phase=Phase.SHIFTING, weight=step.weight)
            self._function.point(Alias(self.record.old, {self.record.new: step.weight}))
            await self._unless_asked(self._hold(step, old, new))

    async def _hold(self, step: Step, old: Pool, new: Pool) -> None:
        clock = asyncio.get_running_loop().time
        begin, before = clock(), new.metrics.invocations
        while True:
            await asyncio.sleep(TICK_S)
            kills = new.metrics.memory_kills - self._memory_kills
            wrong = alarm(self._limits, self._latest(new), self._latest(old), memory_kills=kills)
            if wrong := wrong or own_alarm(self._alarms, self._written(new)):
                raise _UnfitError(wrong)
            requests = new.metrics.invocations - before
            if is_over(step, elapsed_s=clock() - begin, speed=self.record.speed, requests=requests):
                return

    def _latest(self, pool: Pool) -> Snapshot:
        period_s = ALARM_PERIOD_S / self.record.speed
        return pool.metrics.latest(period_s, since=self.since or 0.0, at_least=EVIDENCE)

    def _written(self, pool: Pool) -> Written:
        period_s = ALARM_PERIOD_S / self.record.speed
        return pool.metrics.written.latest(period_s, since=self.since or 0.0, at_least=EVIDENCE)

    async def _go_back(self, reason: str) -> None:
        self._function.point(Alias(self.record.old))
        # The old version's requests from here on are no longer the rollout's.
        counts = self.counted()
        self._keep(replace(counts, phase=Phase.ROLLING_BACK, reason=reason))
        if self.record.new in self._function.versions:
            await self._function.retire(self.record.new)
        late = self.counted()
        missed = late.new_requests - counts.new_requests
        failed = late.failed_new - counts.failed_new
        ended = replace(
            counts,
            requests=counts.requests + missed,
            failed=counts.failed + failed,
            new_requests=late.new_requests,
            failed_new=late.failed_new,
            phase=Phase.ROLLED_BACK,
            reason=reason,
        )
        self._pools = None
        self._keep(ended)

    def _keep(self, record: Record) -> None:
        """Go on even if the record cannot be kept: what is on the disk still leads back to the old version."""
        self.record = record
        try:
            self._on_change(record)
        except ServeError as error:
            _LOG.warning("%s", error)

    def _change(self, **changes: Any) -> None:  # noqa: ANN401 -- fields of `Record`
        record = replace(self.counted(), **changes)
        if record.phase is Phase.PROMOTED:
            # Only what is kept is promoted.
            self._on_change(record)
            self.record, self._pools = record, None
        else:
            self.record = record
            self._on_change(record)

    async def _unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a step's work; end it early if somebody asks to go back."""
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self._asked.wait())
        waited: set[asyncio.Future[Any]] = {task, asked}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                message = "asked for by hand"
                raise _UnfitError(message)
            return task.result()
        finally:
            for future in waited:
                future.cancel()
            await asyncio.gather(*waited, return_exceptions=True)
