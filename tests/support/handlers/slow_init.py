"""Takes as long to initialise as the variable SLOW_INIT_SECONDS says."""

import os
import time
from typing import Any

time.sleep(float(os.environ["SLOW_INIT_SECONDS"]))


def handler(event: dict[str, Any], context: Any) -> Any:
    """Answer with the process id."""
    return {"pid": os.getpid()}
