"""How fast uploads are, against one request per row: ``python tests/bench/uploads_bench.py [--rows N]``.

Runs the real service on this machine with the shipped model: the requests go one after another over a kept connection
to ``POST /classify``; then a file of the same kind of rows goes into the bucket. Both include everything: gateway,
runtime client, queue, reading, checkpoints, publishing. Exit code 1 if uploads are not `LEAST` times as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx

from cdk.local.aws import AwsCompanion
from cdk.local.pollers import queue_pollers
from cdk.local.service import LocalService, ServeOptions
from cdk.service import service

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


def measure_upload(aws: AwsCompanion, name: str, texts: list[str]) -> tuple[float, dict[str, Any]]:
    """Give rows per second from the object's arrival to its summary, and the summary."""
    s3 = aws.session().client("s3", endpoint_url=aws.endpoint_url)
    body = "\n".join(json.dumps({"id": str(n), "text": row}) for n, row in enumerate(texts)).encode()
    begin = time.perf_counter()
    s3.put_object(Bucket=aws.names["files"], Key=f"uploads/{name}", Body=body)
    while True:
        try:
            answer = s3.get_object(Bucket=aws.names["files"], Key=f"results/{name}.summary.json")
        except s3.exceptions.NoSuchKey:
            time.sleep(0.1)
        else:
            summary: dict[str, Any] = json.loads(answer["Body"].read())
            return len(texts) / (time.perf_counter() - begin), summary


async def measure(rows: int, requests: int, words: int) -> tuple[float, float, dict[str, Any]]:
    """Run the service and measure both."""
    chance = random.Random(20260504)
    with tempfile.TemporaryDirectory() as folder:
        full = service("local")
        spec = replace(full, functions=tuple(full.function(name) for name in ("classification", "uploads")))
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
            singly = await asyncio.to_thread(
                measure_requests, url, [text(chance, words) for _ in range(WARM + requests)]
            )
            # The worker's cold start is not what is measured.
            await asyncio.to_thread(measure_upload, aws, "warm.jsonl", [text(chance, words)] * WARM)
            together, summary = await asyncio.to_thread(
                measure_upload, aws, "rows.jsonl", [text(chance, words) for _ in range(rows)]
            )
        finally:
            await local.stop()
    return singly, together, summary


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--words", type=int, default=12, help="mean length of a row")
    options = parser.parse_args()
    singly, together, summary = asyncio.run(measure(options.rows, options.requests, options.words))
    sys.stdout.write(
        f"one request per row: {singly:8.1f} rows/s ({options.requests} rows)\n"
        f"upload:              {together:8.1f} rows/s ({summary['classified']} rows, {summary['runs']} runs)\n"
        f"ratio:               {together / singly:8.2f} (at least {LEAST})\n"
    )
    return 0 if together >= LEAST * singly and summary["classified"] == options.rows else 1


if __name__ == "__main__":
    sys.exit(main())
