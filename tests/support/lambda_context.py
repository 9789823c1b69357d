"""Lambda's context object for handlers that ask how much time is left."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.gateway import Context


@dataclass
class TimedContext(Context):
    """A context whose invocation has just begun."""

    function_name: str = "enrichment"
    left_ms: int = 29_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms
