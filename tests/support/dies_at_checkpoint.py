"""`trending-now` whose training is killed: ``python -m tests.support.dies_at_checkpoint pipeline train ...``.

The process meets SIGKILL when it is about to write its second checkpoint, so that the first one is there and work beyond
it is lost, however fast or slow the machine is.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, ParamSpec

from cdk.cli.main import app
from model_artifacts.pipeline import loop, trees

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def mortal(save: Callable[P, None]) -> Callable[P, None]:
    """Let a function be called once; the second call ends the process."""
    saved = False

    def save_once(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal saved
        if saved:
            os.kill(os.getpid(), signal.SIGKILL)
        save(*args, **kwargs)
        saved = True

    return save_once


if __name__ == "__main__":
    loop.Loop.save = mortal(loop.Loop.save)  # type: ignore[method-assign]
    trees._save = mortal(trees._save)
    app()
