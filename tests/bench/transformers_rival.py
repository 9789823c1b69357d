"""The rival of the cold-start and load benches: ``transformers`` on torch, with the shipped weights in float32.

It lies in a folder of its own (``pip install --target build/bench/rival transformers``, which `make bench` does) and uses the
environment's torch. Must not know what is measured.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from genre_model import GenreModel
from tests.bench.agreement import demand_agreement, differences

if TYPE_CHECKING:
    from tests.bench.agreement import Agreement

ROOT: Final = Path(__file__).resolve().parents[2]
RIVAL: Final = ROOT / "build" / "bench" / "rival"
HANDLERS: Final = Path(__file__).parent / "rival"
HANDLER: Final = "transformers_handler.handler"


def missing(rival: Path) -> str | None:
    """Say in one sentence what to install, or give None."""
    if (rival / "transformers").is_dir() and importlib.util.find_spec("torch") is not None:
        return None
    install = f"{sys.executable} -m pip install --target {rival} transformers"
    return f"the rival is not there: {install} (and torch, by make setup-dev)"


def variables(model: Path, rival: Path) -> dict[str, str]:
    """Give the environment variables of the rival's process, for a folder that `prepare` wrote."""
    return {
        "RIVAL_MODEL_DIR": str(model),
        "PYTHONPATH": os.pathsep.join((str(HANDLERS), str(rival))),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TQDM_DISABLE": "1",
    }


def prepare(artifact: Path, folder: Path, rival: Path) -> Agreement:
    """Write the shipped network in the rival's format, and make sure that it answers alike.

    Parameters
    ----------
    artifact : Path
        The shipped model's folder.
    folder : Path
        Gets the rival's files.
    rival : Path
        Where ``transformers`` is installed.

    Raises
    ------
    SystemExit
        If the two are not the same network.
    """
    given = variables(folder, rival)
    layers = [ROOT, ROOT / "layers" / "core" / "python", ROOT / "layers" / "genre" / "python"]
    path = os.pathsep.join([given["PYTHONPATH"], *map(str, layers)])
    done = subprocess.run(
        [sys.executable, str(HANDLERS / "prepare.py"), str(artifact), str(folder)],
        env={**os.environ, **given, "PYTHONPATH": path},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = differences(GenreModel.load(artifact), json.loads(done.stdout.splitlines()[-1]))
    demand_agreement(found)
    return found
