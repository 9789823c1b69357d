"""What a person sees of a function's log: one short line a request, everything unexpected whole, no metrics.

On AWS these lines go to CloudWatch as they are; ``trending-now serve --verbose`` shows them so too.
"""

from __future__ import annotations

import json
from typing import Any, Final

_QUIET: Final = frozenset({"DEBUG", "INFO"})
_REQUEST: Final = "request"


def readable(line: str) -> str | None:
    """Shorten one line that a function wrote.

    Parameters
    ----------
    line : str
        A line of a function's output: structured JSON, or anything.

    Returns
    -------
    str or None
        What to show. None for a metrics line (EMF); a line that is not one of ours comes back as it is.
    """
    if not line.startswith("{"):
        return line
    try:
        record: Any = json.loads(line)
    except ValueError:
        return line
    if "_aws" in record:
        return None
    level, message = record.get("level"), record.get("message")
    if level in _QUIET and message == _REQUEST and {"route", "status", "latency_ms"} <= record.keys():
        return f"{record['route']} {record['status']} {record['latency_ms']:.1f} ms"
    if level in _QUIET and isinstance(message, str):
        return message
    return line
