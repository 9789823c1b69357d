"""How fast uploads are, against one request per row: ``python tests/bench/uploads_bench.py [--words N] [--items]``.

Runs the real service on this machine with the shipped model, in rounds: requests one after another over a kept connection
to ``POST /classify``; then a file of the same kind of rows into the bucket. Both include everything: gateway, runtime
client, queue, reading, checkpoints, publishing. The ratio is the median of the rounds', so that other work on the machine
meets both. Exit code 1 if uploads are not `LEAST` times as fast.

A request is computed on one vCPU, and a file on as many as the upload function has, or the machine: what is printed as
vCPUs bounds the ratio for rows whose computation outweighs everything else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx

from cdk.local.aws import AwsCompanion
from cdk.local.pollers import queue_pollers
from cdk.local.service import LocalService, ServeOptions
from cdk.service import MEMORY_MB_PER_VCPU, service

ROOT: Final = Path(__file__).resolve().parents[2]
LEAST: Final = 3.0
WARM: Final = 10
WORDS: Final = [
    "a",
    "detective",
    "hunts",
    "killer",
    "town",
    "river",
    "love",
    "war",
    "ship",
    "storm",
    "sister",
    "brother",
    "secret",
    "night",
    "city",
    "train",
    "letter",
    "soldier",
    "queen",
    "robot",
    "planet",
    "dog",
    "school",
    "band",
    "island",
    "ghost",
    "heist",
    "lawyer",
    "doctor",
    "wedding",
    "desert",
    "road",
]


def text(chance: random.Random, words: int) -> str:
    """Make a plot of about so many words."""
    count = max(4, int(chance.gauss(words, words / 3)))
    return " ".join(chance.choices(WORDS, k=count)).capitalize() + "."


def measure_requests(url: str, texts: list[str]) -> float:
    """Give rows per second of one request per row."""
    with httpx.Client(base_url=url, timeout=30) as client:
        for row in texts[:WARM]:
            client.post("/classify", json={"text": row}).raise_for_status()
        begin = time.perf_counter()
        for row in texts[WARM:]:
            client.post("/classify", json={"text": row}).raise_for_status()
        return (len(texts) - WARM) / (time.perf_counter() - begin)


def measure_upload(
    aws: AwsCompanion, name: str, texts: list[str], *, items: bool
) -> tuple[float, dict[str, Any]]:
    """Give rows per second from the object's arrival to its summary, and the summary."""
    s3 = aws.session().client("s3", endpoint_url=aws.endpoint_url)
    rows = ({"id": str(n), "title": f"{name} {n}", "text": row} for n, row in enumerate(texts))
    body = "\n".join(map(json.dumps, rows)).encode()
    metadata = {"items": str(items).lower()}
    begin = time.perf_counter()
    s3.put_object(Bucket=aws.names["files"], Key=f"uploads/{name}", Body=body, Metadata=metadata)
    while True:
        try:
            answer = s3.get_object(Bucket=aws.names["files"], Key=f"results/{name}.summary.json")
        except s3.exceptions.NoSuchKey:
            time.sleep(0.1)
        else:
            summary: dict[str, Any] = json.loads(answer["Body"].read())
            return len(texts) / (time.perf_counter() - begin), summary


@dataclass(frozen=True, slots=True)
class Round:
    """Rows per second of both ways, and the summary of the upload."""

    singly: float
    together: float
    summary: dict[str, Any]


async def measure(
    rows: int, requests: int, words: int, *, rounds: int, memory_mb: int | None, items: bool
) -> list[Round]:
    """Run the service and measure both in turns."""
    chance = random.Random(20260504)
    with tempfile.TemporaryDirectory() as folder:
        full = service("local")
        uploads = full.function("uploads")
        uploads = replace(uploads, memory_mb=memory_mb or uploads.memory_mb)
        spec = replace(full, functions=(full.function("classification"), uploads))
        aws = AwsCompanion(spec, Path(folder) / "aws")
        local = LocalService(
            spec,
            ServeOptions(root=ROOT, data=Path(folder), port=0),
            lambda _prefix, _line: None,
            companions=(aws,),
            sources=queue_pollers(spec, aws),
        )
        try:
            await local.start()
            url = local.gateway.server.url
            # The worker's cold start is not what is measured.
            warm = [text(chance, words)] * WARM
            await asyncio.to_thread(measure_upload, aws, "warm.jsonl", warm, items=items)
            found = []
            for number in range(rounds):
                texts = [text(chance, words) for _ in range(WARM + requests)]
                singly = await asyncio.to_thread(measure_requests, url, texts)
                texts = [text(chance, words) for _ in range(rows // rounds)]
                together, summary = await asyncio.to_thread(
                    measure_upload, aws, f"rows-{number}.jsonl", texts, items=items
                )
                found.append(Round(singly, together, summary))
        finally:
            await local.stop()
    return found


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=50_000, help="of all rounds together")
    parser.add_argument("--requests", type=int, default=300, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--words", type=int, default=25, help="mean length of a row")
    parser.add_argument("--memory", type=int, help="MB of the upload function, instead of the spec's")
    parser.add_argument("--items", action="store_true", help="make an item of every row")
    options = parser.parse_args()
    found = asyncio.run(
        measure(
            options.rows,
            options.requests,
            options.words,
            rounds=options.rounds,
            memory_mb=options.memory,
            items=options.items,
        )
    )
    memory_mb = options.memory or service("local").function("uploads").memory_mb
    vcpus = min(memory_mb // MEMORY_MB_PER_VCPU, len(os.sched_getaffinity(0)))
    singly, together, ratio = (
        statistics.median(values)
        for values in zip(*((r.singly, r.together, r.together / r.singly) for r in found), strict=True)
    )
    each = ", ".join(f"{one.together / one.singly:.2f}" for one in found)
    sys.stdout.write(
        f"rows of about {options.words} words, median of {len(found)} rounds\n"
        f"one request per row: {singly:8.1f} rows/s ({options.requests} rows a round)\n"
        f"upload:              {together:8.1f} rows/s ({options.rows // options.rounds} rows a round, {vcpus} vCPUs)\n"
        f"ratio:               {ratio:8.2f} (at least {LEAST}; {each})\n"
    )
    every = all(one.summary["classified"] == options.rows // options.rounds for one in found)
    return 0 if ratio >= LEAST and every else 1


if __name__ == "__main__":
    sys.exit(main())
