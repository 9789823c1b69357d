"""X-Ray trace headers, as AWS's front ends make them.

https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

_ROOT: Final = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})")


def trace_header(received: str | None = None) -> str:
    """Give a trace header: the received one's root if it has a valid one, else a new root, not sampled."""
    match = _ROOT.search(received or "")
    root = match[1] if match else f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"
