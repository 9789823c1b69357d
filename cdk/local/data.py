"""The folder that holds what the service keeps: one service at a time in it, and never another's files deleted."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Any, Final

from cdk.local import folders
from cdk.local.errors import ServeError

if TYPE_CHECKING:
    from pathlib import Path

_LOCK: Final = ".trending-now"
_RUNNING: Final = "service.json"
_ROLLOUTS: Final = "rollouts"
_EMULATOR: Final = "aws"


class DataFolder:
    """A data folder in use.

    Workflow: `open` locks it, `announce` says where the running service can be called, `close` unlocks.

    Parameters
    ----------
    path : Path
        The folder; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """The folder for logs that are too long to print."""
        return self.path / "logs"

    @property
    def emulator(self) -> Path:
        """The AWS emulator's folder, which only the emulator clears: an earlier one may still save its state there."""
        return self.path / _EMULATOR

    def rollout_state(self, function: str) -> Path:
        """Give the file for the state of a function's rollouts."""
        return self.path / _ROLLOUTS / f"{function}.json"

    def open(self, *, fresh: bool) -> None:
        """Lock the folder; with ``fresh`` delete what an earlier run left in it, but not the emulator's folder.

        Raises
        ------
        ServeError
            If it cannot be used, another service uses it, or it holds files but is not a data folder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = self.path / _LOCK
            if not lock.exists():
                self._refuse_other_files()
            self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            self._take_lock()
            if fresh:
                folders.clear(self.path, keep={_LOCK, _EMULATOR})
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            self.close()
            message = f"data folder {self.path} cannot be used: {error.strerror}"
            raise ServeError(message) from error
        except ServeError:
            self.close()
            raise

    def announce(self, record: dict[str, Any]) -> None:
        """Write where the service runs, for other commands; gone again when it ends."""
        target = self.path / _RUNNING
        temporary = target.with_suffix(".tmp")
        # It holds the key to the control API: for this user only.
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(json.dumps(record, indent=2) + "\n")
        temporary.replace(target)

    def close(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            (self.path / _RUNNING).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _refuse_other_files(self) -> None:
        if any(self.path.iterdir()):
            message = f"{self.path} holds other files and is not a data folder of this service; name another with --data"
            raise ServeError(message)

    def _take_lock(self) -> None:
        if self._lock is None:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            message = f"data folder {self.path} is used by another running service; stop it, or name another with --data"
            raise ServeError(message) from error
