"""What a rollout leaves on disk: which version of a function is live, the one before it, and the latest rollout's record.

Owns the file and its recovery. A write replaces the whole file at once, so a service that is killed at any moment finds
either the state before a step or the one after it:

- Until the one write that promotes, the old version is what the file calls live. A service that starts on such a file
  runs the old version alone and marks the rollout as rolled back, with the phase that was cut off.
- From that write on, the new version is live.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from cdk.local.change import Change
from cdk.local.errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Phase(StrEnum):
    """Where a rollout stands."""

    STARTING = "starting"
    """The new version's environments come up."""
    TESTING = "testing"
    """Golden requests go to the new version, before traffic."""
    SHIFTING = "shifting"
    """The alias' weights move; alarms are watched."""
    CHECKING = "checking"
    """Golden requests go through the alias, which is all on the new version."""
    ROLLING_BACK = "rolling back"
    """All traffic is on the old version again; the new one answers what it still has."""
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self in {Phase.PROMOTED, Phase.ROLLED_BACK}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A version that is or was live: its number and what is in it."""

    number: str
    change: Change

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(str(content["number"]), Change.from_json(content["change"]))

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {"number": self.number, "change": self.change.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of one rollout.

    Parameters
    ----------
    old, new : str
        Version numbers.
    description : str
        What is in the new one.
    weight : float
        Share of the requests on the new one, 0 to 1; the highest it reached once the rollout has ended.
    reason : str
        Why it was rolled back; empty else.
    requests, failed, failed_new : int
        Requests that clients made from the first shift to the end, on both versions; those that failed (error, 5xx,
        throttled); and those of them that the new version failed. Golden requests are not among them.
    new_requests : int
        Requests that the new version executed.
    """

    old: str
    new: str
    description: str
    speed: float
    phase: Phase = Phase.STARTING
    weight: float = 0.0
    reason: str = ""
    requests: int = 0
    failed: int = 0
    new_requests: int = 0
    failed_new: int = 0

    @property
    def failed_share(self) -> float:
        """Share of the clients' requests that failed, 0 to 1."""
        return self.failed / self.requests if self.requests else 0.0

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        values = {key: value for key, value in content.items() if key != "failed_share"}
        return cls(**(values | {"phase": Phase(content["phase"])}))

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form, the share included."""
        return {**asdict(self), "failed_share": self.failed_share}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionState:
    """All that is kept of one function.

    Parameters
    ----------
    published : int
        The highest version number ever given.
    live : Deployed
        What the alias points to when no rollout is under way.
    previous : Deployed or None
        What was live before, for a rollback.
    """

    published: int = 1
    live: Deployed = field(default_factory=lambda: Deployed("1", Change()))
    previous: Deployed | None = None
    rollout: Record | None = None

    @property
    def busy(self) -> bool:
        """Whether a rollout has begun and not ended."""
        return self.rollout is not None and not self.rollout.phase.ended

    def recovered(self) -> FunctionState:
        """Give the state in which a service starts: a rollout that was cut off counts as rolled back."""
        if self.rollout is None or self.rollout.phase.ended:
            return self
        reason = f"the service ended while the rollout was {self.rollout.phase}"
        if self.rollout.reason:
            reason = f"{self.rollout.reason}; {reason}"
        return replace(self, rollout=replace(self.rollout, phase=Phase.ROLLED_BACK, reason=reason))


class StateFile:
    """The file of one function's state.

    Parameters
    ----------
    path : Path
        Its folder is made when it is first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> FunctionState:
        """Read the state; the first one where there is no file.

        Raises
        ------
        ServeError
            If the file cannot be read or is not what `save` writes.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            previous, rollout = content["previous"], content["rollout"]
            return FunctionState(
                published=int(content["published"]),
                live=Deployed.from_json(content["live"]),
                previous=None if previous is None else Deployed.from_json(previous),
                rollout=None if rollout is None else Record.from_json(rollout),
            )
        except FileNotFoundError:
            return FunctionState()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"the rollout state {self.path} cannot be read ({error}); delete it to start with version 1, this checkout"
            raise ServeError(message) from error

    def save(self, state: FunctionState) -> None:
        """Replace the file; it is on the disk when this returns.

        Raises
        ------
        ServeError
            If it cannot be written; what it held is still there then.
        """
        content = {
            "published": state.published,
            "live": state.live.to_json(),
            "previous": None if state.previous is None else state.previous.to_json(),
            "rollout": None if state.rollout is None else state.rollout.to_json(),
        }
        temporary = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Variables may hold keys: for this user only.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            message = f"the rollout state {self.path} cannot be written: {error.strerror}"
            raise ServeError(message) from error
