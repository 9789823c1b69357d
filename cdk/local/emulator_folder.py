"""The AWS emulator's folder: one emulator at a time in it, and nobody else clears it.

The service's own lock is not enough. An emulator outlives a service that was killed until it has saved its state; one
that starts beside it would read the state before, and overwrite what was saved.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from cdk.local import folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOCK: Final = "emulator.lock"
LOG: Final = "emulator.log"
"""What the emulator prints; written from before it has the lock."""
STOP_S: Final = 60.0
"""Seconds an emulator has to save its state."""
_POLL_S: Final = 0.05


def take(folder: Path, *, wait_s: float = STOP_S, on_wait: Callable[[], object] = lambda: None) -> None:
    """Lock the folder until this process ends.

    Parameters
    ----------
    wait_s : float
        Seconds to wait for the end of an emulator that has the folder now.
    on_wait : callable
        Called once if there is one.

    Raises
    ------
    TimeoutError
        If it has not ended by then.
    OSError
        If the folder cannot be used.
    """
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_s
    waits = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(lock)
                message = f"another emulator has not left {folder} within {wait_s:g} s"
                raise TimeoutError(message) from None
        else:
            return
        if not waits:
            waits = True
            on_wait()
        time.sleep(_POLL_S)


def clear(folder: Path) -> None:
    """Delete what earlier emulators left; only for who has the lock.

    Raises
    ------
    OSError
        If something cannot be deleted.
    """
    folders.clear(folder, keep={LOCK, LOG})
