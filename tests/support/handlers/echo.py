"""Answers with what it was given, and does on request what a broken function does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_grown: list[bytearray] = []


def handler(event: dict[str, Any], context: Any) -> Any:
    """Do what the event's ``do`` says, then answer with the event and what the handler sees of its environment."""
    do = event.get("do")
    if do in {"sleep", "hold"}:
        _wait(event)
    elif do == "raise":
        raise ValueError(event.get("message", "asked to fail"))
    elif do == "exit":
        os._exit(event.get("status", 3))
    elif do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "grow":
        _grown.extend(bytearray(b"x" * 2**20) for _ in range(event["mb"]))
        time.sleep(event.get("seconds", 0))
    elif do == "large":
        return "x" * event["bytes"]
    elif do == "spawn":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return {"child": child.pid}
    elif do == "not-json":
        return {1, 2}
    elif do == "log":
        sys.stderr.write("to stderr\n")
        sys.stdout.write("to stdout\n")
    return {
        "event": event,
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
        "cwd": str(Path.cwd()),
    }


def _wait(asked: dict[str, Any]) -> None:
    """Wait some seconds, or until a test deletes a file; say so first, for whoever acts while this waits."""
    if asked["do"] == "sleep":
        sys.stdout.write("sleeping\n")
        time.sleep(float(asked["seconds"]))
    else:
        sys.stdout.write("holding\n")
        while Path(asked["file"]).exists():
            time.sleep(0.02)


def proxy(event: dict[str, Any], context: Any) -> Any:
    """Answer API Gateway: the event itself, or what the query asks for."""
    query = event["queryStringParameters"] or {}
    do = query.get("do")
    if do in {"sleep", "hold"}:
        _wait(query)
    if do == "raise":
        message = "asked to fail"
        raise RuntimeError(message)
    if do == "exit":
        os._exit(1)
    if do == "malformed":
        return {"status": 200}
    if do == "text":
        return "not an object"
    if do == "binary":
        return {
            "statusCode": 200,
            "body": "AAEC/w==",
            "isBase64Encoded": True,
            "headers": {"Content-Type": "a/b"},
        }
    if do == "cookies":
        return {"statusCode": 204, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": ""}
    body = {"pid": os.getpid(), "version": context.function_version, "event": event}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
