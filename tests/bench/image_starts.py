"""Cold starts of the container images: ``docker run`` to the first answer, under the Runtime Interface Emulator.

Docker's own start (container, file system, network) is in the time to the answer, and measured apart with a command that does
nothing; on Lambda something else stands in its place. ``init`` is what the emulator reports of the function alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdk.service import service
from model_artifacts.registry import Registry
from tests.bench import transformers_rival
from tests.support import docker, stack
from tests.support.gateway import load_event, proxy_event

if TYPE_CHECKING:
    from collections.abc import Sequence

RIVAL_IMAGE: Final = "trending-now-bench-rival"
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


def measure_images(rounds: int, rival: Path | None = None) -> dict[str, Any]:
    """Start the images in turn, each so many times, and once before that does not count; give medians in ms.

    Parameters
    ----------
    rounds : int
        Cold starts of each image.
    rival : Path or None
        Where ``transformers`` is installed: the rival's image is built and started too.

    Raises
    ------
    SystemExit
        If there is no Docker or no base image, or an image answers with an error.
    """
    if reason := docker.unavailable():
        raise SystemExit(reason)
    functions = {function.name: function for function in service("dev").functions}
    events = requests()
    memory_mb = {name: functions[name].memory_mb for name in events}
    with tempfile.TemporaryDirectory() as scratch:
        assembly = stack.synthesise(Path(scratch) / "out")
        stack.build(assembly)
        images = {name: assembly.images[name] for name in events}
        if rival is not None:
            images["transformers"] = build_rival(Path(scratch) / "rival", rival)
            events["transformers"] = events["classification"]
            memory_mb["transformers"] = memory_mb["classification"]
        starts: dict[str, list[tuple[float, float, float]]] = {name: [] for name in images}
        with stack.emulator(Path(scratch) / "emulator", host=stack.bridge()) as running:
            given = {"transformers": {}, **stack.surroundings(running.endpoint_url)}
            for _ in range(rounds + 1):
                for name, image in images.items():
                    starts[name].append(_start(image, given[name], memory_mb[name], events[name]))
    return {name: describe(found[1:]) for name, found in starts.items()}


def describe(starts: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    """Give the medians of starts: init, first answer, and Docker alone, in ms."""
    init, answer, alone = (statistics.median(times) for times in zip(*starts, strict=True))
    return {
        "init_ms": round(init, 1),
        "first_answer_ms": round(answer, 1),
        "docker_alone_ms": round(alone, 1),
        "rounds": len(starts),
    }


def build_rival(folder: Path, rival: Path) -> str:
    """Build the rival's image with the shipped weights; give its name.

    ``TORCH`` and ``PIP_EXTRA_INDEX_URL`` of the environment reach the build, for where pip finds no CPU build by itself.
    """
    model = folder / "model"
    model.mkdir(parents=True)
    transformers_rival.prepare(Registry.load().resolve("genre-bert"), model, rival)
    shutil.copy(transformers_rival.HANDLERS / "transformers_handler.py", folder)
    given = {name: os.environ[name] for name in ("TORCH", "PIP_EXTRA_INDEX_URL") if name in os.environ}
    docker.docker(
        "build",
        "--quiet",
        f"--build-arg=BASE_IMAGE={docker.base_image()}",
        *(f"--build-arg={name}={value}" for name, value in given.items()),
        f"--file={transformers_rival.HANDLERS / 'Dockerfile'}",
        f"--tag={RIVAL_IMAGE}",
        str(folder),
        timeout=3600,
    )
    return RIVAL_IMAGE


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
