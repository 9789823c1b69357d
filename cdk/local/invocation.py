"""What passes between a caller and an execution environment: an invocation and its result. Plain data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"

EXIT_ERROR: Final = "Runtime.ExitError"
OUT_OF_MEMORY: Final = "Runtime.OutOfMemory"
TIMED_OUT: Final = "Sandbox.Timedout"
RESPONSE_TOO_LARGE: Final = "Function.ResponseSizeTooLarge"

_SERVER_ERROR: Final = re.compile(rb'(?<!\\)"statusCode":\s*5\d\d\b')
"""A proxy response's status; inside its body, which is a JSON text in a JSON text, every quote is escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One event on its way to a handler.

    Parameters
    ----------
    request_id : str
        A UUID, ``context.aws_request_id`` of the handler.
    payload : bytes
        The event, JSON in UTF-8.
    function_arn : str
        The ARN as the caller named it, qualifier included.
    trace_id : str
        X-Ray trace header.
    client_context : str or None
        JSON text for ``context.client_context``.
    """

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str
    client_context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResult:
    """What came of an invocation.

    Parameters
    ----------
    payload : bytes
        The handler's answer, or on an error ``{"errorType", "errorMessage", ...}``; JSON in UTF-8.
    error_type : str or None
        None if the handler answered.
    version : str
        The version that executed it.
    duration_ms : float
        From hand-over to answer, without queueing and init.
    init_ms : float or None
        Time the environment took to come up, on its first invocation only.
    provisioned : bool
        Whether a provisioned environment took it.
    log_tail : str
        The last lines that the environment wrote while it ran (at most 4 kB).
    """

    payload: bytes
    error_type: str | None
    version: str
    duration_ms: float
    init_ms: float | None = None
    provisioned: bool = False
    log_tail: str = ""

    @property
    def failed(self) -> bool:
        """Whether the caller got nothing of use: the function raised, timed out or died, or its answer is a 5xx."""
        return self.error_type is not None or _SERVER_ERROR.search(self.payload) is not None


def error_payload(error_type: str, message: str) -> bytes:
    """Give the JSON that Lambda answers for a failed invocation."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def error_message(payload: bytes) -> str:
    """Read the message of a failed invocation's payload."""
    try:
        reported = json.loads(payload)
    except ValueError:
        return "no message"
    return str(reported.get("errorMessage") or "no message") if isinstance(reported, dict) else "no message"


def function_arn(name: str, qualifier: str | None = None) -> str:
    """Give a function's ARN in the account and region of the local service."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn
