"""What the emulator's process runs: tie its life to the service's, take the folder, then be ministack.

Started as ``python -m cdk.local.emulator_child`` with a pipe as stdin that the service holds open. When the service
ends, however it ends, the pipe closes, and the emulator saves its state and ends too. Until it has ended the folder
is its own: the next emulator waits for it, also where the next one is to begin afresh.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from cdk.local.emulator_folder import clear, take

FOLDER: Final = "EMULATOR_FOLDER"
"""Variable with the emulator's folder."""
FRESH: Final = "EMULATOR_FRESH"
"""Variable that is set where the state of earlier runs is to be forgotten."""
WAITS: Final = "an earlier emulator still saves its state; waiting for its end"


def end_with(pipe: int) -> None:
    """Ask this process to end as soon as the other end of a pipe is closed."""

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end-with-service", daemon=True).start()


def prepare(folder: Path, *, fresh: bool) -> None:
    """Take the folder for this process, and only then forget what is in it, if asked to.

    Raises
    ------
    SystemExit
        With a sentence, if the folder cannot be taken or cleared.
    """
    try:
        take(folder, on_wait=lambda: sys.stderr.write(f"{WAITS}\n"))
        if fresh:
            clear(folder)
    except OSError as error:
        sys.exit(f"its folder cannot be used: {error}")


if __name__ == "__main__":
    end_with(sys.stdin.fileno())
    # ministack reads its state as soon as it is imported.
    prepare(Path(os.environ[FOLDER]), fresh=FRESH in os.environ)

    from ministack.app import main
    from ministack.services import dynamodb

    from cdk.local.emulator_index import keep_order
    from cdk.local.emulator_states import LAMBDA_URL, lead_to

    if not keep_order(dynamodb):
        sys.stderr.write(
            "this ministack keeps its indexes another way: large rankings are read slowly here\n"
        )
    if LAMBDA_URL in os.environ:
        from ministack.services import stepfunctions

        if not lead_to(stepfunctions, os.environ[LAMBDA_URL]):
            sys.stderr.write("this ministack calls functions another way: large uploads fail here\n")
    main()
