"""Cold start and warm latency of `genre_model` against torch with the same weights, in one run.

    .venv/bin/python tests/bench/genre_model_bench.py [--rounds 10] [--out build/bench/genre_model.json]

The rival is the plain way to serve such a network: torch in float32, inference mode, the same tokenizer, weights read from a
file; they are the shipped ones, and both sides must agree on a few texts before anything is timed. ONNX Runtime with the same
float32 weights says how much of the difference is INT8.

How it measures: see `tests.bench.rounds`. Everything runs on one thread. A round's time of a warm run is the fastest of
`REPEATS` in succession on the same token ids: what makes a run slower than that is other work on the machine
(https://docs.python.org/3/library/timeit.html#timeit.Timer.repeat). Percentiles are of all counted runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from genre_model import GenreModel
from model_artifacts.registry import Registry
from tests.bench.agreement import TEXTS, demand_agreement, differences
from tests.bench.machine import describe_machine
from tests.bench.rounds import ratio, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from genre_model.runtime import onnxruntime

REPEATS: Final = 5
TOKENS: Final = (32, 64, 128)
PLOT: Final = (
    "A night ferry loses its way in the fog, and the five people on board each remember another harbour."
)

GENRE_MODEL: Final = """
import sys
from pathlib import Path
from genre_model import Document, GenreModel
model = GenreModel.load(Path(sys.argv[1]), threads=1)
print(model.predict([Document(sys.argv[3])])[0].argmax(), flush=True)
"""
TORCH: Final = """
import sys
from pathlib import Path
import torch
from tokenizers import Tokenizer
from model_artifacts.pipeline.network import GenreNetwork
torch.set_num_threads(1)
network = GenreNetwork(int(sys.argv[4]))
network.load_state_dict(torch.load(sys.argv[2], weights_only=True))
network.eval()
tokenizer = Tokenizer.from_file(str(Path(sys.argv[1]) / "tokenizer.json"))
ids = torch.tensor([tokenizer.encode(sys.argv[3]).ids])
with torch.inference_mode():
    print(network(ids, torch.ones_like(ids))[0].argmax().item(), flush=True)
"""


def first_answer_ms(code: str, arguments: list[str]) -> float:
    """Time a fresh process from its start to its first answer."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = (time.perf_counter() - started) * 1000
        if process.wait() or not line:
            message = f"the measured process failed with {process.returncode}"
            raise SystemExit(message)
    return elapsed


def compare(
    ours: Callable[[], Sequence[float]], theirs: Callable[[], Sequence[float]], rounds: int
) -> dict[str, Any]:
    """Take turns; each side's fastest run of a round makes the round's ratio, all runs make its percentiles."""
    pairs = take_turns(ours, theirs, rounds)
    mine, other = ([time_ms for times in side for time_ms in times] for side in zip(*pairs, strict=True))
    return {
        "genre_model_ms": round(statistics.median(mine), 2),
        "genre_model_p99_ms": round(float(np.percentile(mine, 99)), 2),
        "rival_ms": round(statistics.median(other), 2),
        "rival_p99_ms": round(float(np.percentile(other, 99)), 2),
        "times_faster": ratio([(min(a), min(b)) for a, b in pairs]),
        "rounds": rounds,
    }


def run_ms(call: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def runs_ms(call: Callable[[], object]) -> list[float]:
    """Time `REPEATS` calls in succession."""
    return [run_ms(call) for _ in range(REPEATS)]


def open_session(network: Path | bytes) -> onnxruntime.InferenceSession:
    """Open a network on one thread."""
    from genre_model.runtime import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network, sess_options=options, providers=["CPUExecutionProvider"])


def random_feed(tokens: int, size: int = 1) -> dict[str, npt.NDArray[np.int32]]:
    """Make a network's input, the same each time: ids and mask, int32 ``[size, tokens]``."""
    ids = np.random.default_rng(0).integers(1000, 30_000, (size, tokens), dtype=np.int32)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def warm(path: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Compare one run of the network at several lengths, tokenization left out on all sides."""
    import torch  # noqa: PLC0415

    from model_artifacts.pipeline.export import build_graph  # noqa: PLC0415
    from tests.bench.rival_weights import dequantized, layers_of, network_state  # noqa: PLC0415
    from tests.bench.torch_rival import torch_network  # noqa: PLC0415

    torch.set_num_threads(1)
    network = torch_network(path)
    weights = dequantized(path)
    ours = open_session(path)
    floating = open_session(build_graph(network_state(weights), layers_of(weights)).SerializeToString())
    results = {}
    for tokens in TOKENS:
        feed = random_feed(tokens)
        wide, ones = (torch.from_numpy(array).long() for array in feed.values())
        sides: dict[str, Callable[[], object]] = {
            "ours": lambda feed=feed: ours.run(None, feed),  # type: ignore[misc]
            "torch": lambda wide=wide, ones=ones: network(wide, ones),  # type: ignore[misc]
            "onnxruntime_fp32": lambda feed=feed: floating.run(None, feed),  # type: ignore[misc]
        }
        with torch.inference_mode():
            results[str(tokens)] = {
                rival: compare(
                    lambda sides=sides: runs_ms(sides["ours"]),  # type: ignore[misc]
                    lambda sides=sides, rival=rival: runs_ms(sides[rival]),  # type: ignore[misc]
                    rounds * 3,
                )
                for rival in ("torch", "onnxruntime_fp32")
            }
    return results


def student(path: Path, teacher: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Compare one run of the distilled INT8 network with its teacher in torch, at the lengths of `warm`."""
    import torch  # noqa: PLC0415

    from tests.bench.torch_rival import torch_network  # noqa: PLC0415

    torch.set_num_threads(1)
    network, session = torch_network(teacher), open_session(path)
    results = {}
    for tokens in TOKENS:
        feed = random_feed(tokens)
        wide, ones = (torch.from_numpy(array).long() for array in feed.values())
        with torch.inference_mode():
            results[str(tokens)] = compare(
                lambda feed=feed: runs_ms(lambda: session.run(None, feed)),  # type: ignore[misc]
                lambda wide=wide, ones=ones: runs_ms(lambda: network(wide, ones)),  # type: ignore[misc]
                rounds * 3,
            )
    return results


def batches(path: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Time a window alone and in batches: the table of docs/adr/0002. ms per window, median."""
    session = open_session(path)
    table: dict[str, dict[str, float]] = {}
    for tokens in (8, 16, 32, 64, 128):
        feeds = {}
        for size in (1, 4, 8, 16):
            feeds[size] = random_feed(tokens, size)
        times: dict[int, list[float]] = {size: [] for size in feeds}
        for _ in range(rounds * 2 + 1):
            for size, feed in feeds.items():
                times[size].append(run_ms(lambda feed=feed: session.run(None, feed)) / size)  # type: ignore[misc]
        table[str(tokens)] = {
            str(size): round(statistics.median(values[1:]), 2) for size, values in times.items()
        }
    return table


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("build/bench/genre_model.json"))
    options = parser.parse_args()
    registry = Registry.load()
    folder = registry.resolve("genre-bert")
    path = folder / "model.int8.onnx"

    import torch  # noqa: PLC0415

    from tests.bench.torch_rival import torch_logits, torch_network  # noqa: PLC0415

    network = torch_network(path)
    agreement = differences(GenreModel.load(folder), torch_logits(network, folder / "tokenizer.json", TEXTS))
    demand_agreement(agreement)
    with tempfile.TemporaryDirectory() as scratch:
        weights = str(Path(scratch) / "weights.pt")
        torch.save(network.state_dict(), weights)
        arguments = [str(folder), weights, PLOT, str(len(network.layers))]
        cold = compare(
            lambda: [first_answer_ms(GENRE_MODEL, arguments)],
            lambda: [first_answer_ms(TORCH, arguments)],
            options.rounds,
        )
    result: dict[str, Any] = {
        "command": "python tests/bench/genre_model_bench.py",
        "machine": describe_machine(),
        "model": f"{folder.parent.name} {folder.name}",
        "agreement": agreement,
        "cold_start": cold,
        "warm_by_tokens": warm(path, options.rounds),
        "student_by_tokens": student(
            registry.resolve("genre-bert-small") / "model.int8.onnx", path, options.rounds
        ),
        "ms_per_window_by_tokens_and_batch": batches(path, options.rounds),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))  # noqa: T201 -- the command's output


if __name__ == "__main__":
    main()
