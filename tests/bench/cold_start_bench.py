"""Cold start of the classification function against the usual way to put BERT on Lambda, in one run.

    .venv/bin/python -m pip install --target build/bench/rival transformers==5.23.0
    .venv/bin/python tests/bench/cold_start_bench.py [--rounds 10] [--images] [--out build/bench/cold_start.json]

Both sides are what Lambda would run: a fresh process under the runtime client (``awslambdaric``), one thread, the same
event. ``init`` is the time until the client asks for its first event, ``first answer`` until the answer to it has arrived, both
from the start of the process. The rival is ``transformers`` on torch, float32, a network of the same shape; it lies in a folder of its
own (first line above) and uses the environment's torch. Without ``transformers`` in that folder the command says so and ends.

How it measures: both sides take turns. Discard rule: the first round is dropped (files come from the disk then); nothing
else is. What counts is the median of the rounds' ratios, since a shared machine's speed drifts. ``--images`` also starts each function's
container image under the Runtime Interface Emulator, as often, where ``BASE_IMAGE`` is set: from ``docker run`` to the first
answer, so Docker's own start is in it; ``init`` there is what the emulator reports.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genre_model import GENRES
from model_artifacts.registry import Registry
from tests.bench.lambda_start import Start, cold_start

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
EVENT: Final = ROOT / "tests" / "events" / "classify.json"
RIVAL: Final = ROOT / "build" / "bench" / "rival"
WITHIN_MS: Final = 600
TIMES_FASTER: Final = 10


def environments(folder: Path, rival_model: Path, rival: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Give the variables of the two processes: the same but for what is loaded."""
    shared = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ
    }
    shared |= {
        "AWS_LAMBDA_FUNCTION_NAME": "classification",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_REGION": "us-east-1",
        "OMP_NUM_THREADS": "1",
        "POWERTOOLS_SERVICE_NAME": "classification",
        "POWERTOOLS_METRICS_NAMESPACE": "TrendingNow",
    }
    layers = [ROOT, ROOT / "layers" / "core" / "python", ROOT / "layers" / "genre" / "python"]
    trees = Registry.load().resolve("genre-xgboost") if _has("genre-xgboost") else None
    ours = {**shared, "GENRE_MODEL_DIR": str(folder), "PYTHONPATH": os.pathsep.join(map(str, layers))}
    if trees:
        ours["GENRE_XGBOOST_MODEL_DIR"] = str(trees)
    theirs = {
        **shared,
        "RIVAL_MODEL_DIR": str(rival_model),
        "PYTHONPATH": str(rival),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TQDM_DISABLE": "1",
    }
    return ours, theirs


def _has(model: str) -> bool:
    return model in Registry.load().models


def describe(starts: Sequence[Start]) -> dict[str, float]:
    """Give medians and the longest, in ms."""
    return {
        "init_ms": round(statistics.median(start.init_ms for start in starts), 1),
        "first_answer_ms": round(statistics.median(start.answer_ms for start in starts), 1),
        "longest_first_answer_ms": round(max(start.answer_ms for start in starts), 1),
    }


def compare(rounds: int, rival: Path) -> dict[str, Any]:
    """Take turns for so many rounds, and one before that does not count."""
    folder = Registry.load().resolve("genre-bert")
    event = json.loads(EVENT.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        ours, theirs = environments(folder, Path(scratch), rival)
        subprocess.run(
            [
                sys.executable,
                str(Path(__file__).parent / "rival" / "transformers_handler.py"),
                scratch,
                str(folder / "tokenizer.json"),
                json.dumps(list(GENRES)),
            ],
            env=theirs,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        pairs = []
        for _ in range(rounds + 1):
            mine, answer = cold_start("functions.classification.handler.handler", event, ours, ROOT)
            other, rivals = cold_start(
                "transformers_handler.handler", event, theirs, Path(__file__).parent / "rival"
            )
            if answer["statusCode"] != 200 or rivals["statusCode"] != 200:
                message = f"a side answered with an error: {answer}, {rivals}"
                raise SystemExit(message)
            pairs.append((mine, other))
        size = sum(path.stat().st_size for path in Path(scratch).iterdir())
    counted = pairs[1:]
    return {
        "ours": describe([mine for mine, _ in counted]),
        "transformers": describe([other for _, other in counted]),
        "times_faster": {
            "init": round(statistics.median(b.init_ms / a.init_ms for a, b in counted), 2),
            "first_answer": round(statistics.median(b.answer_ms / a.answer_ms for a, b in counted), 2),
        },
        "model_bytes": {
            "ours": sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
            "transformers": size,
        },
        "rounds": rounds,
    }


def main() -> None:
    """Measure, print, and write the JSON; say on stderr which of the two bounds does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rival", type=Path, default=RIVAL, help="folder that transformers is installed in")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench/cold_start.json"))
    options = parser.parse_args()
    rival = options.rival.resolve()
    if not (rival / "transformers").is_dir() or importlib.util.find_spec("torch") is None:
        sys.exit(
            f"the rival is not there: {sys.executable} -m pip install --target {rival} transformers (and torch, by make setup-dev)"
        )
    result: dict[str, Any] = {
        "command": "python tests/bench/cold_start_bench.py",
        "process": compare(options.rounds, rival),
    }
    if options.images:
        from tests.bench.image_starts import measure_images  # noqa: PLC0415 -- needs Docker

        result["images"] = measure_images(options.rounds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))  # noqa: T201 -- the command's output
    process = result["process"]
    if process["ours"]["first_answer_ms"] > WITHIN_MS:
        sys.stderr.write(f"the first answer took longer than {WITHIN_MS} ms\n")
    if process["times_faster"]["first_answer"] < TIMES_FASTER:
        sys.stderr.write(f"the first answer was less than {TIMES_FASTER} times as fast as the rival's\n")


if __name__ == "__main__":
    main()
