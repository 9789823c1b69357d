"""What an execution environment's process runs first: tie its life to the service, then be the runtime client.

Started as ``python -m cdk.local.bootstrap <handler>``, the counterpart of ``/var/runtime/bootstrap`` in an image. Must
import nothing that the handler's cold start would not otherwise pay for.

If the service is killed outright (SIGKILL), nobody is left to stop this process. On Linux the kernel does it then
(``PR_SET_PDEATHSIG``, prctl(2)); elsewhere the runtime client ends by itself as soon as it next asks for an event.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

PARENT_VARIABLE: Final = "TRENDING_NOW_SERVICE_PID"
_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; end now if it already has.

    Parameters
    ----------
    parent : int
        Process id of the service.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 -- elsewhere it would be paid for nothing

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the service (process {parent}) that started this execution environment has ended")


if __name__ == "__main__":
    end_with_parent(int(os.environ.pop(PARENT_VARIABLE)))

    from awslambdaric.__main__ import main

    main(sys.argv)
