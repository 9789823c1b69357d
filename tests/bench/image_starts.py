"""Cold starts of the container images: ``docker run`` to the first answer, under the Runtime Interface Emulator.

Docker's own start (container, file system, network) is in the time to the answer, and measured apart with a command that does
nothing; on Lambda something else stands in its place. ``init`` is what the emulator reports of the function alone.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from cdk.service import service
from tests.support import docker, stack
from tests.support.gateway import load_event, proxy_event

_INIT: Final = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)\)")
_ENRICH: Final = {
    "item_id": "salt",
    "title": "The Salt Road",
    "plot": "Two sisters smuggle salt.",
    "reviews": [],
}


def requests() -> dict[str, dict[str, Any]]:
    """Give each function's first request; the enrichment only queues, so that no other function is waited for."""
    queued = proxy_event("POST", "/enrich-item", json.dumps(_ENRICH))
    queued["headers"]["Prefer"] = "respond-async"
    queued["multiValueHeaders"]["Prefer"] = ["respond-async"]
    return {
        "classification": load_event("classify"),
        "enrichment": queued,
        "trending": proxy_event("GET", "/trending"),
    }


def measure_images(rounds: int) -> dict[str, Any]:
    """Start each image so many times, and once before that does not count; give medians in ms.

    Raises
    ------
    SystemExit
        If there is no Docker or no base image, or an image answers with an error.
    """
    if reason := docker.unavailable():
        raise SystemExit(reason)
    functions = {function.name: function for function in service("dev").functions}
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        assembly = stack.synthesise(Path(scratch) / "out")
        stack.build(assembly)
        with stack.emulator(Path(scratch) / "emulator", host=stack.bridge()) as running:
            given = stack.surroundings(running.endpoint_url)
            for name, event in requests().items():
                starts = [
                    _start(assembly.images[name], given[name], functions[name].memory_mb, event)
                    for _ in range(rounds + 1)
                ][1:]
                results[name] = {
                    "init_ms": round(statistics.median(init for init, _, _ in starts), 1),
                    "first_answer_ms": round(statistics.median(answer for _, answer, _ in starts), 1),
                    "docker_alone_ms": round(statistics.median(alone for _, _, alone in starts), 1),
                    "rounds": rounds,
                }
    return results


def _start(
    image: str, variables: dict[str, str], memory_mb: int, event: dict[str, Any]
) -> tuple[float, float, float]:
    started = time.perf_counter()
    with docker.Container(image, variables=variables, memory_mb=memory_mb) as container:
        answer = container.invoke(event)
        elapsed = (time.perf_counter() - started) * 1000
        if answer.get("statusCode", 500) >= 300:
            message = f"{image} answered {answer}"
            raise SystemExit(message)
        found = _INIT.search(container.logs())
    if found is None:
        message = f"the emulator reported no init of {image}"
        raise SystemExit(message)
    started = time.perf_counter()
    docker.docker("run", "--rm", "--publish=127.0.0.1::8080", "--entrypoint=/bin/true", image)
    return float(found[1]), elapsed, (time.perf_counter() - started) * 1000
