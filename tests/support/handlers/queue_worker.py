"""Works on a batch of messages for ten minutes."""

import sys
import time
from typing import Any


def handler(event: dict[str, Any], context: Any) -> None:
    """Say how often the first message was delivered, and work."""
    count = event["Records"][0]["attributes"]["ApproximateReceiveCount"]
    sys.stdout.write(f"working on delivery {count}\n")
    time.sleep(600)
