"""Limits that AWS sets, and the error of a spec that breaks one."""

from __future__ import annotations

import re
from typing import Final

GATEWAY_TIMEOUT_S: Final = 29
"""API Gateway's default integration timeout.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""
LAMBDA_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""Largest request or response of a synchronous invocation.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
GATEWAY_PAYLOAD_BYTES: Final = 10 * 1024 * 1024
"""Largest body API Gateway takes (same page as `GATEWAY_TIMEOUT_S`)."""
MEMORY_MB_PER_VCPU: Final = 1769
"""A function gets CPU in proportion to memory; this much is one vCPU.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
MEMORY_MB: Final = range(128, 10_240 + 1)
TIMEOUT_S: Final = range(1, 900 + 1)
CACHE_SIZES_GB: Final = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")
"""What API Gateway's cache can be.
https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html"""
QUEUE_VISIBILITY_FACTOR: Final = 6
"""A queue hides a message for at least this many timeouts of the function that reads it.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
VISIBILITY_S: Final = range(43_200 + 1)

NAME: Final = re.compile(r"^[a-z][a-z0-9-]{0,62}$")


class SpecError(ValueError):
    """The spec asks for something that cannot be; the text names the function and what is wrong."""


def check_name(kind: str, name: str) -> None:
    """Refuse a name that AWS resource names could not hold.

    Raises
    ------
    SpecError
        If `name` is anything but lower-case letters, digits and hyphens.
    """
    if not NAME.match(name):
        message = f"{kind} name {name!r} is not lower-case letters, digits and hyphens"
        raise SpecError(message)
