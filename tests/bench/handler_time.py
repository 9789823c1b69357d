"""What one warm request costs a function in processor time and memory, without gateway or network.

    python -m tests.bench.handler_time HANDLER REQUESTS < events

A process of its own, with the function's environment. The events are a JSON object, name to proxy event. Prints the median
processor time of each event in ms, and the most memory the process ever held, in MB.
"""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
from contextlib import redirect_stdout
from io import StringIO

from tests.support.gateway import Context

WARM_UP = 3
KILOBYTES_PER_MB = 1024


def main() -> None:
    """Import the handler, send each event, print."""
    module, _, name = sys.argv[1].rpartition(".")
    events = json.load(sys.stdin)
    handler = getattr(importlib.import_module(module), name)
    times: dict[str, list[float]] = {event: [] for event in events}
    for _ in range(int(sys.argv[2]) + WARM_UP):
        for event, content in events.items():
            with redirect_stdout(StringIO()):  # log lines and metrics
                started = time.process_time()
                answer = handler(content, Context())
                times[event].append((time.process_time() - started) * 1000)
            if answer["statusCode"] != 200:
                sys.exit(f"{sys.argv[1]} answered {answer}")
    result = {
        "cpu_ms": {event: round(statistics.median(values[WARM_UP:]), 2) for event, values in times.items()},
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KILOBYTES_PER_MB),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
