"""What the emulator's process runs: tie its life to the service's, then be ministack.

Started as ``python -m cdk.local.emulator_child`` with a pipe as stdin that the service holds open. When the service
ends, however it ends, the pipe closes, and the emulator saves its state and ends too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def end_with(pipe: int) -> None:
    """Ask this process to end as soon as the other end of a pipe is closed."""

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end-with-service", daemon=True).start()


if __name__ == "__main__":
    end_with(sys.stdin.fileno())

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
