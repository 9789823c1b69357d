"""Cold start of the classification function against the usual way to put BERT on Lambda, in one run.

    .venv/bin/python -m pip install --target build/bench/rival transformers==5.23.0
    .venv/bin/python tests/bench/cold_start_bench.py [--rounds 10] [--images | --rival-image] [--out build/bench/cold_start.json]

Both sides are what Lambda would run: a fresh process under the runtime client (``awslambdaric``), one thread, the same
event. ``init`` is the time until the client asks for its first event, ``first answer`` until the answer to it has arrived, both
from the start of the process; ``cpu`` is the processor time that took. The rival is ``transformers`` on torch with the same weights in float32, taken from the shipped
file; before anything is timed, both answer the same texts and must agree. It lies in a folder of its own (first line
above) and uses the environment's torch. Without ``transformers`` in that folder the command says so and ends.

How it measures: see `tests.bench.rounds`. ``--images`` also starts each function's container image under the Runtime Interface
Emulator, as often, where ``BASE_IMAGE`` is set: from ``docker run`` to the first answer, so Docker's own start is in it; ``init``
there is what the emulator reports. ``--rival-image`` builds and starts one of the rival too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model_artifacts.registry import Registry
from tests.bench import transformers_rival
from tests.bench.lambda_start import Start, cold_start
from tests.bench.machine import describe_machine
from tests.bench.rounds import ratio, take_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
EVENT: Final = ROOT / "tests" / "events" / "classify.json"
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
    registry = Registry.load()
    ours = {**shared, "GENRE_MODEL_DIR": str(folder), "PYTHONPATH": os.pathsep.join(map(str, layers))}
    if "genre-xgboost" in registry.models:
        ours["GENRE_XGBOOST_MODEL_DIR"] = str(registry.resolve("genre-xgboost"))
    return ours, {**shared, **transformers_rival.variables(rival_model, rival)}


def describe(starts: Sequence[Start]) -> dict[str, float]:
    """Give medians and the longest, in ms."""
    return {
        "init_ms": round(statistics.median(start.init_ms for start in starts), 1),
        "first_answer_ms": round(statistics.median(start.answer_ms for start in starts), 1),
        "longest_first_answer_ms": round(max(start.answer_ms for start in starts), 1),
        "cpu_ms": round(statistics.median(start.cpu_ms for start in starts), 1),
    }


def compare(rounds: int, rival: Path) -> dict[str, Any]:
    """Make sure that both sides are the same network, then start them in turn."""
    folder = Registry.load().resolve("genre-bert")
    event = json.loads(EVENT.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        agreement = transformers_rival.prepare(folder, Path(scratch), rival)
        ours, theirs = environments(folder, Path(scratch), rival)
        pairs = take_turns(
            lambda: _start("functions.classification.handler.handler", event, ours, ROOT),
            lambda: _start(transformers_rival.HANDLER, event, theirs, transformers_rival.HANDLERS),
            rounds,
        )
        size = sum(path.stat().st_size for path in Path(scratch).iterdir())
    return {
        "model": f"{folder.parent.name} {folder.name}",
        "agreement": agreement,
        "ours": describe([mine for mine, _ in pairs]),
        "transformers": describe([other for _, other in pairs]),
        "times_faster": {
            "init": ratio([(mine.init_ms, other.init_ms) for mine, other in pairs]),
            "first_answer": ratio([(mine.answer_ms, other.answer_ms) for mine, other in pairs]),
            "cpu": ratio([(mine.cpu_ms, other.cpu_ms) for mine, other in pairs]),
        },
        "model_bytes": {
            "ours": sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
            "transformers": size,
        },
        "rounds": rounds,
    }


def _start(handler: str, event: dict[str, Any], environment: dict[str, str], folder: Path) -> Start:
    start, answer = cold_start(handler, event, environment, folder)
    if answer["statusCode"] != 200:
        message = f"{handler} answered with an error: {answer}"
        raise SystemExit(message)
    return start


def missed(process: dict[str, Any]) -> list[str]:
    """Say which of the two bounds do not hold."""
    sentences = []
    if process["ours"]["first_answer_ms"] > WITHIN_MS:
        sentences.append(f"the first answer took longer than {WITHIN_MS} ms")
    if process["times_faster"]["first_answer"]["median"] < TIMES_FASTER:
        sentences.append(f"the first answer was less than {TIMES_FASTER} times as fast as the rival's")
    return sentences


def main() -> int:
    """Measure, print, and write the JSON; 1 if a bound does not hold, and stderr says which."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--rival",
        type=Path,
        default=transformers_rival.RIVAL,
        help="folder that transformers is installed in",
    )
    parser.add_argument("--images", action="store_true", help="start the functions' images too")
    parser.add_argument("--rival-image", action="store_true", help="... and the rival's, which is large")
    parser.add_argument("--out", type=Path, default=Path("build/bench/cold_start.json"))
    options = parser.parse_args()
    rival = options.rival.resolve()
    if reason := transformers_rival.missing(rival):
        sys.exit(reason)
    result: dict[str, Any] = {
        "command": "python tests/bench/cold_start_bench.py",
        "machine": describe_machine(),
        "process": compare(options.rounds, rival),
    }
    if options.images or options.rival_image:
        from tests.bench.image_starts import measure_images  # noqa: PLC0415 -- needs Docker

        result["images"] = measure_images(options.rounds, rival if options.rival_image else None)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))  # noqa: T201 -- the command's output
    sentences = missed(result["process"])
    sys.stderr.writelines(f"{sentence}\n" for sentence in sentences)
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
