"""All rollouts of the service: at most one a function, what each leaves on disk, and the way back after a promotion.

Owns the functions' states. Must not know about HTTP or terminals; `control_api` and the command do.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cdk.local.change import Change
from cdk.local.errors import RolloutConflictError, RolloutError, UnknownTargetError
from cdk.local.function import Alias
from cdk.local.rollout import Rollout
from cdk.local.rollout_plan import check_speed, steps
from cdk.local.rollout_state import Deployed, FunctionState, Phase, Record, StateFile
from cdk.local.rollout_status import version_status
from functions.hooks.golden import GoldenError, Suite, load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cdk.local.function import LocalFunction
    from cdk.local.version import Version
    from cdk.service import Function

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    """A function with its state on disk and its rollout, if one is under way."""

    spec: Function
    local: LocalFunction
    file: StateFile
    state: FunctionState
    rollout: Rollout | None = None
    task: asyncio.Task[Record] | None = None
    restoring: bool = False


class Rollouts:
    """The rollouts of a running service.

    Workflow: `restore` gives the state in which a function starts; `add` it once it is up; then `start`, `roll_back` and
    `status` as often as wanted; `stop` leaves a rollout that is under way to the recovery of the next start.

    Parameters
    ----------
    state_path : callable
        Gives the file for a function's state.
    make_version : callable
        Makes a function's version from a number and a change; may raise what says that it cannot be made.
    golden : Path
        Folder with the golden requests.
    """

    def __init__(
        self,
        *,
        state_path: Callable[[str], Path],
        make_version: Callable[[Function, str, Change], Version],
        golden: Path,
    ) -> None:
        self._state_path = state_path
        self._make_version = make_version
        self._golden = golden
        self._entries: dict[str, _Entry] = {}

    def restore(self, function: Function) -> FunctionState:
        """Read a function's state; a rollout that was cut off is rolled back by that, and said so.

        Raises
        ------
        ServeError
            If the state cannot be read or written.
        """
        file = StateFile(self._state_path(function.name))
        found = file.load()
        state = found.recovered()
        if state is not found:
            file.save(state)
            record = state.rollout
            _LOG.warning(
                "function %s: %s; version %s serves",
                function.name,
                record.reason if record else "",
                state.live.number,
            )
        return state

    def add(self, spec: Function, local: LocalFunction, state: FunctionState) -> None:
        """Take a function that is up on its live version."""
        self._entries[spec.name] = _Entry(spec, local, StateFile(self._state_path(spec.name)), state)

    async def start(
        self, name: str, versions: Sequence[str], environment: Mapping[str, str], *, speed: float = 1.0
    ) -> Record:
        """Begin a rollout; it goes on by itself.

        Parameters
        ----------
        versions, environment
            What the new version is (`Change.parse`).
        speed : float
            Factor by which the spec's time is compressed.

        Raises
        ------
        UnknownTargetError
            If there is no such function.
        RolloutConflictError
            If a rollout of the function is under way.
        RolloutError, ServeError, RegistryError
            If the version cannot be made of this, or the state cannot be kept.
        """
        entry = self._entry(name)
        self._refuse_second(entry)
        check_speed(speed)
        steps(entry.spec.rollout)
        golden = self._suite(entry.spec)
        change = Change.parse(entry.spec, versions, environment)
        if change == Change():
            message = "say what the new version is: a version of a model, a folder with code, or a variable"
            raise RolloutError(message)
        number = entry.local.next_number()
        version = self._make_version(entry.spec, number, change)
        new = Deployed(number, change)
        record = Record(old=entry.state.live.number, new=number, description=change.description, speed=speed)
        self._keep(entry, replace(entry.state, published=int(number), rollout=record))
        rollout = Rollout(
            entry.local,
            version,
            record,
            limits=entry.spec.rollout,
            alarms=entry.spec.version_alarms,
            golden=golden,
            on_change=lambda changed: self._changed(entry, new, changed),
        )
        entry.rollout, entry.task = rollout, asyncio.create_task(rollout.run())
        entry.task.add_done_callback(lambda task: self._ended(entry, rollout, task))
        return record

    async def roll_back(self, name: str) -> Record:
        """End the rollout that is under way, or take back the last one that was promoted; waits until that is done.

        Raises
        ------
        UnknownTargetError
            If there is no such function.
        RolloutConflictError
            If there is nothing to go back to.
        InitError, RegistryError, ServeError
            If the previous version does not come up; the live one serves on.
        """
        entry = self._entry(name)
        if entry.rollout is not None and entry.task is not None:
            entry.rollout.roll_back()
            record = await asyncio.shield(entry.task)
            if record.phase is not Phase.PROMOTED:
                return record
        return await self._restore_previous(entry)

    def status(self, name: str | None = None) -> list[dict[str, Any]]:
        """Give where functions stand, as JSON: all, or one.

        Raises
        ------
        UnknownTargetError
            If there is no such function.
        """
        entries = self._entries.values() if name is None else [self._entry(name)]
        return [_status(entry) for entry in entries]

    async def stop(self) -> None:
        """Stop working on rollouts; their records stay as they are."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            message = f"there is no function {name!r}; the service has: {known}"
            raise UnknownTargetError(message)
        return self._entries[name]

    def _refuse_second(self, entry: _Entry) -> None:
        if entry.restoring:
            message = f"function {entry.spec.name} is going back to its previous version"
            raise RolloutConflictError(message)
        if entry.rollout is not None:
            record = entry.rollout.record
            message = (
                f"a rollout of {entry.spec.name} is under way (version {record.new} beside {record.old}, "
                f"{record.phase}); wait for its end or roll it back first"
            )
            raise RolloutConflictError(message)

    def _suite(self, spec: Function) -> Suite | None:
        if spec.rollout.golden is None:
            return None
        try:
            return load_suite(spec.rollout.golden, self._golden)
        except GoldenError as error:
            message = f"function {spec.name} cannot be tested before traffic: {error}"
            raise RolloutError(message) from error

    def _keep(self, entry: _Entry, state: FunctionState) -> None:
        entry.file.save(state)
        entry.state = state

    def _changed(self, entry: _Entry, new: Deployed, record: Record) -> None:
        state = replace(entry.state, rollout=record)
        if record.phase is Phase.PROMOTED:
            state = replace(state, live=new, previous=entry.state.live)
        self._keep(entry, state)
        name = entry.spec.name
        _LOG.info("rollout of %s:%s: %s, weight %.0f %%", name, record.new, record.phase, 100 * record.weight)

    def _ended(self, entry: _Entry, rollout: Rollout, task: asyncio.Task[Record]) -> None:
        entry.rollout = entry.task = None
        if task.cancelled():
            return
        record, name = rollout.record, entry.spec.name
        if (error := task.exception()) is not None:
            # A defect of ours: the alias is on the old version, and the file leads there too.
            _LOG.error("the rollout of %s met an unexpected error", name, exc_info=error)
            record = replace(record, phase=Phase.ROLLED_BACK, reason=f"an unexpected error: {error!r}")
        # Also where it could not be written: what the file says instead is recovered to the same version.
        entry.state = replace(entry.state, rollout=record)
        _LOG.info(
            "rollout of %s:%s is %s%s; %d of %d requests failed (%.2f %%)",
            name,
            record.new,
            record.phase,
            f" because {record.reason}" if record.reason else "",
            record.failed,
            record.requests,
            100 * record.failed_share,
        )

    async def _restore_previous(self, entry: _Entry) -> Record:
        self._refuse_second(entry)
        live, previous, record = entry.state.live, entry.state.previous, entry.state.rollout
        if previous is None or record is None:
            message = f"function {entry.spec.name} has no version before {live.number} to go back to"
            raise RolloutConflictError(message)
        entry.restoring = True
        try:
            version = self._make_version(entry.spec, previous.number, previous.change)
            await entry.local.publish(version, warm=True)
            taken_back = replace(
                record, phase=Phase.ROLLED_BACK, reason="asked for by hand after its promotion"
            )
            try:
                self._keep(entry, replace(entry.state, live=previous, previous=None, rollout=taken_back))
            except BaseException:
                await entry.local.retire(previous.number, drain_s=0)
                raise
            entry.local.point(Alias(previous.number))
            await entry.local.retire(live.number)
        finally:
            entry.restoring = False
        return taken_back


def _status(entry: _Entry) -> dict[str, Any]:
    local, rollout = entry.local, entry.rollout
    record = entry.state.rollout if rollout is None else rollout.counted()
    since = rollout.since if rollout is not None else None
    return {
        "function": entry.spec.name,
        "live": entry.state.live.number,
        "previous": None if entry.state.previous is None else entry.state.previous.number,
        "under_way": rollout is not None,
        "rollout": None if record is None else record.to_json(),
        "versions": [version_status(local, number, since) for number in local.versions],
    }
