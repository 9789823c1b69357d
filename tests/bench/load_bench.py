"""Warm latency, throughput and cost of ``/classify`` against transformers + torch, behind the same local gateway.

    .venv/bin/python -m tests.bench.load_bench [--rounds 5] [--requests 40] [--out build/bench/load.json]

Both functions run as the local service runs every function: processes under the real runtime client, one request at a time in
each, as many as the machine has cores, one thread each. The client is one more process on the same machine and so are
the gateway's ten threads of work: the figures compare, they promise nothing. The rival has the same weights in float32
(`tests.bench.transformers_rival`); it validates nothing, writes no log and no metrics, and cuts a text at 512 word pieces where ours
reads on in windows.

How it measures: see `tests.bench.rounds`; percentiles are of all counted requests. The costs come from the processor time of the
handler alone and `tests.bench.cost`'s model. Writes a plot beside the JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cdk.service import Api, Function, Route, Service, Warmup
from cdk.service.catalogue import CLASSIFICATION
from cdk.service.limits import MEMORY_MB_PER_VCPU
from model_artifacts.registry import Registry
from tests.bench import transformers_rival
from tests.bench.cold_start_bench import environments
from tests.bench.cost import Prices, on_demand, provisioned
from tests.bench.load_plot import plot
from tests.bench.machine import describe_machine
from tests.bench.rounds import ratio, take_turns
from tests.support.gateway import proxy_event
from tests.support.local import serving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
CONCURRENCIES: Final = (1, 2, 8)
WORDS: Final = {"sentence": 18, "paragraph": 90, "page": 360}
MEMORIES_MB: Final = (256, 512, 1024, MEMORY_MB_PER_VCPU, 2 * MEMORY_MB_PER_VCPU)
HEADROOM: Final = 1.2
"""A function gets this much more memory than it was seen to hold, or it is not offered at that size."""
_SENTENCE: Final = "A lighthouse keeper on a drowned coast teaches the harbour master's daughter to read the weather from old songs."


class Round(NamedTuple):
    """What one side did in one round."""

    latencies_ms: list[float]
    elapsed_s: float

    @property
    def p50_ms(self) -> float:
        """Median latency."""
        return float(np.median(self.latencies_ms))

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies_ms) / self.elapsed_s


def text_of(words: int) -> str:
    """Give a text of so many words."""
    sentence = _SENTENCE.split()
    return " ".join(sentence[number % len(sentence)] for number in range(words))


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Give percentiles of all requests in ms, and requests in a second over all rounds."""
    latencies = [latency for one in rounds for latency in one.latencies_ms]
    p50, p99 = np.percentile(latencies, [50, 99])
    elapsed = sum(one.elapsed_s for one in rounds)
    return {
        "p50_ms": round(float(p50), 2),
        "p99_ms": round(float(p99), 2),
        "requests_per_second": round(len(latencies) / elapsed, 1),
        "requests": len(latencies),
    }


def compare(pairs: Sequence[tuple[Round, Round]]) -> dict[str, Any]:
    """Describe both sides, and how many times ours is faster and answers more."""
    return {
        "ours": summary([mine for mine, _ in pairs]),
        "transformers": summary([other for _, other in pairs]),
        "times_faster": ratio([(mine.p50_ms, other.p50_ms) for mine, other in pairs]),
        "times_throughput": ratio([(1 / mine.per_second, 1 / other.per_second) for mine, other in pairs]),
    }


def spec(rival_model: Path, rival: Path) -> Service:
    """Give a service of two functions: ours at ``/classify``, the rival at ``/rival``."""
    cores = os.cpu_count() or 1
    warmup = Warmup(provisioned=cores)
    given = transformers_rival.variables(rival_model, rival)
    path = os.pathsep.join((given["PYTHONPATH"], str(ROOT)))
    ours = replace(
        CLASSIFICATION,
        routes=(Route(method="POST", path="/classify"),),
        environment={"OMP_NUM_THREADS": "1"},
        warmup=warmup,
    )
    theirs = Function(
        name="rival",
        image="tests/bench/rival",
        handler=transformers_rival.HANDLER,
        routes=(Route(method="POST", path="/rival"),),
        memory_mb=MEMORY_MB_PER_VCPU,
        timeout_s=29,
        environment={**given, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        warmup=warmup,
    )
    return Service(stage="local", functions=(ours, theirs), api=Api())


def measure_load(url: str, rounds: int, requests: int) -> list[dict[str, Any]]:
    """Send every text length at every concurrency to both functions in turn."""

    def one(path: str, words: int, concurrency: int) -> Round:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.load_client", url + path, str(concurrency), str(requests)],
            input=json.dumps({"text": text_of(words)}).encode(),
            stdout=subprocess.PIPE,
            check=True,
            cwd=ROOT,
        )
        return Round(**json.loads(done.stdout))

    rows = []
    for name, words in WORDS.items():
        for concurrency in CONCURRENCIES:
            pairs = take_turns(
                lambda words=words, concurrency=concurrency: one("/classify", words, concurrency),  # type: ignore[misc]
                lambda words=words, concurrency=concurrency: one("/rival", words, concurrency),  # type: ignore[misc]
                rounds,
            )
            rows.append({"text": name, "words": words, "concurrency": concurrency, **compare(pairs)})
    return rows


def handler_times(handler: str, variables: Mapping[str, str], requests: int) -> dict[str, Any]:
    """Run `handler_time` for the texts of each length."""
    events = {
        name: proxy_event("POST", "/classify", json.dumps({"text": text_of(words)}))
        for name, words in WORDS.items()
    }
    layers = (ROOT, ROOT / "layers" / "core" / "python", ROOT / "layers" / "genre" / "python")
    path = os.pathsep.join((variables["PYTHONPATH"], *map(str, layers)))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.handler_time", handler, str(requests)],
        input=json.dumps(events).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={**variables, "PYTHONPATH": path},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def costs(times: Mapping[str, Any], prices: Prices) -> list[dict[str, Any]]:
    """Give the cost of a million requests of each length at each memory size that holds the function."""
    rows = []
    for memory_mb in MEMORIES_MB:
        if memory_mb < times["memory_mb"] * HEADROOM:
            continue
        for name, cpu_ms in times["cpu_ms"].items():
            kept = provisioned(
                cpu_ms, memory_mb, prices, utilization=CLASSIFICATION.warmup.target_utilization
            )
            asked = on_demand(cpu_ms, memory_mb, prices)
            rows.append(
                {
                    "memory_mb": memory_mb,
                    "text": name,
                    "on_demand_usd": round(asked.total, 2),
                    "of_which_lambda_usd": round(asked.compute + asked.requests, 2),
                    "provisioned_usd": round(kept.total, 2),
                }
            )
    return rows


def main() -> None:
    """Measure, print, and write JSON and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="in one round, to each side")
    parser.add_argument(
        "--rival",
        type=Path,
        default=transformers_rival.RIVAL,
        help="folder that transformers is installed in",
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench/load.json"))
    options = parser.parse_args()
    rival = options.rival.resolve()
    if reason := transformers_rival.missing(rival):
        sys.exit(reason)
    folder = Registry.load().resolve("genre-bert")
    prices = Prices.load()
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "rival"
        model.mkdir()
        agreement = transformers_rival.prepare(folder, model, rival)
        ours, theirs = environments(folder, model, rival)
        with serving(spec(model, rival), Path(scratch) / "data") as running:
            load = measure_load(running.url, options.rounds, options.requests)
        times = {
            "ours": handler_times("functions.classification.handler.handler", ours, options.requests),
            "transformers": handler_times(transformers_rival.HANDLER, theirs, options.requests),
        }
    result: dict[str, Any] = {
        "command": "python -m tests.bench.load_bench",
        "machine": describe_machine(),
        "model": f"{folder.parent.name} {folder.name}",
        "agreement": agreement,
        "environments": os.cpu_count(),
        "load": load,
        "handler": times,
        "prices": {"as_of": prices.as_of, "region": prices.region},
        "usd_per_million": {side: costs(found, prices) for side, found in times.items()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    plot(result, options.out.with_suffix(".png"))
    print(json.dumps(result, indent=2))  # noqa: T201 -- the command's output


if __name__ == "__main__":
    main()
