"""Step 2, train: fine-tune the base on the prepared examples; killed at any moment, it goes on from its last checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from model_artifacts.pipeline.arrays import load_array
from model_artifacts.pipeline.bases import KINDS, begin
from model_artifacts.pipeline.beside import Beside
from model_artifacts.pipeline.cross_fit import TRAIN
from model_artifacts.pipeline.device import compute_device, describe
from model_artifacts.pipeline.distil import Teacher
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.loop import CHECKPOINT, Loop, prior
from model_artifacts.pipeline.monitor import Monitor
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.objective import Objective
from model_artifacts.pipeline.views import Epoch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from model_artifacts.pipeline.recipe import BertRecipe

WEIGHTS: Final = "weights.pt"
STUDENT_BASE: Final = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What training reads, by the step that made it; None for what the recipe does not ask for.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`.
    crossed : Path or None
        The folder of the step `cross-fit`; for a section ``joint``.
    taught : Path or None
        The folder of the step `teach`; for a section ``teacher``.
    teacher : Path or None
        ``weights.pt`` of another model's training; for a section ``distil``.
    """

    prepared: Path
    crossed: Path | None = None
    taught: Path | None = None
    teacher: Path | None = None


def train(inputs: Inputs, *, out: Path, recipe: BertRecipe) -> None:
    """Run the step.

    Parameters
    ----------
    out : Path
        The step's folder; gets ``weights.pt`` (the state dict), ``log.jsonl`` (loss, rate, speed and the monitored
        mAP by step) and ``train.json``; holds ``checkpoint.pt`` while it runs.

    Raises
    ------
    StepError
        If an input is missing, damaged or not given, the examples are too few for one batch, or the
        checkpoint is damaged or belongs to another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    plan = recipe.train
    examples = Examples.load(inputs.prepared / "train.npz")
    beside = Beside.load(inputs.crossed, 0.0 if recipe.joint is None else recipe.joint.wide_weight)
    device = compute_device()
    torch.manual_seed(plan.seed)
    network = begin(KINDS[STUDENT_BASE], recipe.layers, plan.dropout, prior(examples.labels, examples.known))
    assert isinstance(network, GenreNetwork)  # noqa: S101 -- what is exported
    learned = _start(inputs.teacher, recipe, network, device)
    begun = {name: value.clone() for name, value in network.state_dict().items()}
    windows = recipe.windows_of_a_text
    loop = Loop(
        network=network.to(device),
        recipe=plan,
        epoch=lambda number: Epoch(examples, plan, number, windows),
        loss=Objective(
            network=network,
            bfloat16=plan.precision == "bfloat16",
            beside=beside.train,
            teacher=learned,
            answers=_answers(inputs.taught, recipe),
            answers_share=recipe.answers_share or 0.0,
        ),
        identity=_identity(recipe),
        fingerprint=_fingerprint(inputs, recipe),
    )
    validation = Examples.load(inputs.prepared / "validation.npz")
    loop.run(out, Monitor(validation, plan, windows, beside.validation))
    with replacing(out / WEIGHTS) as temporary:
        torch.save(_ended(recipe, begun, network.cpu().state_dict()), temporary)
    write_json(
        out / "train.json",
        {
            **_identity(recipe),
            "input": _fingerprint(inputs, recipe),
            "steps": loop.total_steps,
            "rescheduled": loop.rescheduled,
            "views": loop.total_steps * plan.batch_size,
            "seconds": round(loop.seconds),
            "device": describe(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
    )
    (out / CHECKPOINT).unlink(missing_ok=True)


def _start(
    weights: Path | None, recipe: BertRecipe, network: GenreNetwork, device: torch.device
) -> Teacher | None:
    """Let the network begin as the section ``distil`` says, and give the teacher if it answers too."""
    if recipe.distil is None:
        return None
    if weights is None:
        message = f"the recipe learns from {recipe.distil.teacher}, whose weights are not given"
        raise StepError(message)
    teacher = Teacher.load(weights, recipe.distil)
    teacher.start(network)
    return teacher.to(device) if teacher.answers else None


def _ended(recipe: BertRecipe, begun: dict[str, Tensor], trained: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights that training ends with: the trained ones, or their mean with those it began with."""
    share = recipe.distil.start_share if recipe.distil is not None else None
    if share is None:
        return trained
    return {name: share * begun[name] + (1 - share) * value for name, value in trained.items()}


def _answers(taught: Path | None, recipe: BertRecipe) -> Any:  # noqa: ANN401 -- an array or None
    """Read what the teacher of the section ``teacher`` said of the training texts."""
    if recipe.teacher is None:
        return None
    if taught is None:
        message = f"the recipe learns from {recipe.teacher.base}, whose answers are not given"
        raise StepError(message)
    return load_array(taught / TRAIN, "teach")


def _identity(recipe: BertRecipe) -> dict[str, Any]:
    sections = {"distil": recipe.distil, "joint": recipe.joint, "teacher": recipe.teacher}
    return {
        "recipe": recipe.train.model_dump(mode="json"),
        "layers": recipe.layers,
        **{name: part.model_dump(mode="json") for name, part in sections.items() if part is not None},
        **({} if recipe.answers_share is None else {"answers_share": recipe.answers_share}),
    }


def _fingerprint(inputs: Inputs, recipe: BertRecipe) -> dict[str, str]:
    files = {
        "train.npz": inputs.prepared / "train.npz",
        "cross-fit": inputs.crossed / TRAIN if inputs.crossed and recipe.joint else None,
        "teach": inputs.taught / TRAIN if inputs.taught and recipe.teacher else None,
        "teacher": inputs.teacher if recipe.distil else None,
    }
    return {name: sha256(path) for name, path in files.items() if path is not None}
