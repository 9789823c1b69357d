"""Cold start and warm latency of `genre_model` against torch with a network of the same shape, in one run.

    .venv/bin/python tests/bench/genre_model_bench.py [--rounds 10] [--out build/bench/genre_model.json]

How it measures: both sides take turns, round by round, on one thread; each round gives a ratio, and the median of the ratios is
what counts, since the machine's speed drifts. The first round of each kind is dropped (files come from the disk
then); nothing else is. The rival is the plain way to serve such a network: torch in float32, the same tokenizer, weights read
from a file. Its weights are random: they change no timing.
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

if TYPE_CHECKING:
    from collections.abc import Callable

from model_artifacts.registry import Registry

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
network = GenreNetwork(6)
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


def paired(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> dict[str, float]:
    """Take turns, drop the first round, and give medians, and the median of the rounds' ratios."""
    pairs = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
    mine, other = zip(*pairs, strict=True)
    return {
        "genre_model_ms": round(statistics.median(mine), 2),
        "genre_model_p99_ms": round(float(np.percentile(mine, 99)), 2),
        "torch_ms": round(statistics.median(other), 2),
        "torch_p99_ms": round(float(np.percentile(other, 99)), 2),
        "times_faster": round(statistics.median(b / a for a, b in pairs), 2),
        "rounds": rounds,
    }


def run_ms(call: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def warm(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Compare one run of the network at several lengths, tokenization left out on both sides."""
    import torch  # noqa: PLC0415

    from genre_model.runtime import onnxruntime  # noqa: PLC0415
    from model_artifacts.pipeline.network import GenreNetwork  # noqa: PLC0415

    torch.set_num_threads(1)
    network = GenreNetwork(6)
    network.eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.int8.onnx", sess_options=options)
    results = {}
    for tokens in (32, 64, 128):
        ids = np.random.default_rng(0).integers(1000, 30_000, (1, tokens), dtype=np.int32)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        wide, ones = torch.from_numpy(ids).long(), torch.ones(1, tokens, dtype=torch.long)
        with torch.inference_mode():
            results[str(tokens)] = paired(
                lambda feed=feed: run_ms(lambda: session.run(None, feed)),  # type: ignore[misc]
                lambda wide=wide, ones=ones: run_ms(lambda: network(wide, ones)),  # type: ignore[misc]
                rounds * 5,
            )
    return results


def batches(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Time a window alone and in batches: the table of docs/adr/0002. ms per window, median."""
    from genre_model.runtime import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.int8.onnx", sess_options=options)
    table: dict[str, dict[str, float]] = {}
    for tokens in (8, 16, 32, 64, 128):
        feeds = {}
        for size in (1, 4, 8, 16):
            ids = np.random.default_rng(0).integers(1000, 30_000, (size, tokens), dtype=np.int32)
            feeds[size] = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
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
    folder = Registry.load().resolve("genre-bert")

    import torch  # noqa: PLC0415

    from model_artifacts.pipeline.network import GenreNetwork  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        weights = str(Path(scratch) / "weights.pt")
        torch.save(GenreNetwork(6).state_dict(), weights)
        arguments = [str(folder), weights, PLOT]
        cold = paired(
            lambda: first_answer_ms(GENRE_MODEL, arguments),
            lambda: first_answer_ms(TORCH, arguments),
            options.rounds,
        )
    result: dict[str, Any] = {
        "command": "python tests/bench/genre_model_bench.py",
        "model": f"{folder.parent.name} {folder.name}",
        "cold_start": cold,
        "warm_by_tokens": warm(folder, options.rounds),
        "ms_per_window_by_tokens_and_batch": batches(folder, options.rounds),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))  # noqa: T201 -- the command's output


if __name__ == "__main__":
    main()
