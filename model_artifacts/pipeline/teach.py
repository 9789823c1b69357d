"""Step before a taught training, teach: what a larger network says of texts whose titles it has not seen.

The titles are dealt into folds; for each, a network is trained on all the others and asked about the fold's texts. Interrupted, it goes on from the
last checkpoint of the fold it was at; a fold that is answered is not trained again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from model_artifacts.pipeline.answers import answer, cut
from model_artifacts.pipeline.arrays import load_arrays
from model_artifacts.pipeline.bases import KINDS, begin
from model_artifacts.pipeline.beside import Beside
from model_artifacts.pipeline.cross_fit import TRAIN, VALIDATION, deal
from model_artifacts.pipeline.device import compute_device, describe
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.held_out import best_quality
from model_artifacts.pipeline.loop import CHECKPOINT, Loop, prior
from model_artifacts.pipeline.monitor import Monitor
from model_artifacts.pipeline.objective import Objective
from model_artifacts.pipeline.views import Epoch

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.bases import Network
    from model_artifacts.pipeline.recipe import TeacherRecipe

logger = logging.getLogger(__name__)

ANSWERS: Final = "answers.npz"
FOLD: Final = "fold.json"
_NAMES: Final = ("rows", "train", "validation")


def teach(*, prepared: Path, out: Path, recipe: TeacherRecipe, crossed: Path | None = None) -> None:
    """Run the step.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`.
    out : Path
        The step's folder; gets ``train.npy`` (float32 ``[texts, 18]``, each text's logits by the network that did not see its title, with the linear
        model's beside them where the recipe says so), ``validation.npy`` (the same of the validation texts: the mean of all networks), ``teach.json``,
        and a folder for each fold.
    crossed : Path or None
        The folder of the step `cross-fit`; needed where ``recipe.wide_weight`` is above 0.

    Raises
    ------
    StepError
        If an input is missing, damaged or not given, the base model is missing, or a checkpoint belongs to another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    step = _Step.load(prepared, crossed, recipe)
    folds = [step.fold(out / f"fold-{number}", number) for number in range(recipe.folds)]
    taught = np.full((len(step.examples.texts), step.examples.labels.shape[1]), np.nan, np.float32)
    for fold in folds:
        taught[fold["rows"]] = fold["train"]
    asked = np.stack([fold["validation"] for fold in folds]).mean(0)
    for name, logits in ((TRAIN, taught), (VALIDATION, asked)):
        with replacing(out / name) as temporary, temporary.open("wb") as stream:
            np.save(stream, logits)
    write_json(
        out / "teach.json",
        {
            "recipe": recipe.model_dump(mode="json"),
            "input": step.fingerprint,
            "quality": {
                "train": _main_quality(taught, step.examples),
                "validation": _main_quality(asked, step.validation),
            },
            "folds": [
                json.loads((out / f"fold-{number}" / FOLD).read_text("utf-8"))
                for number in range(recipe.folds)
            ],
        },
    )


def _main_quality(logits: npt.NDArray[np.float32], examples: Examples) -> dict[str, float]:
    """Give the figures of the first text of each title, which has the title in front."""
    main = examples.is_main
    return best_quality(logits[main], examples.texts.lengths[main], examples.labels[examples.owner[main]])


def _answered(out: Path, done: dict[str, Any]) -> dict[str, npt.NDArray[Any]] | None:
    """Read a fold's answers; None where they are not there, not whole, or made from something else."""
    try:
        if json.loads((out / FOLD).read_text("utf-8"))["made_from"] != done["made_from"]:
            return None
        return load_arrays(out / ANSWERS, _NAMES, "teach")
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not done, or cut off
    except StepError as error:
        logger.warning("%s", error)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What all folds share."""

    recipe: TeacherRecipe
    examples: Examples
    validation: Examples
    beside: Beside
    fold_of: npt.NDArray[np.int64]
    """The fold of each training text's title."""
    fingerprint: dict[str, str]
    asked: str
    """Digest of the validation examples, which are answered and take no part in training."""

    @classmethod
    def load(cls, prepared: Path, crossed: Path | None, recipe: TeacherRecipe) -> _Step:
        examples, validation = (Examples.load(prepared / f"{split}.npz") for split in ("train", "validation"))
        fingerprint = {"train.npz": sha256(prepared / "train.npz")}
        beside = Beside.load(crossed, recipe.wide_weight)
        if crossed is not None and recipe.wide_weight:
            fingerprint["cross-fit"] = sha256(crossed / TRAIN)
        return cls(
            recipe=recipe,
            examples=examples,
            validation=validation,
            beside=beside,
            fold_of=deal(len(examples.titles), recipe.folds, recipe.seed)[examples.owner],
            fingerprint=fingerprint,
            asked=sha256(prepared / "validation.npz"),
        )

    def fold(self, out: Path, number: int) -> dict[str, npt.NDArray[Any]]:
        """Train on all folds but one and answer that one; or read the answers, where that is done."""
        identity = {**self.recipe.model_dump(mode="json"), "recipe": {}, "fold": number}
        identity["recipe"] = identity.pop("train")
        input_ = {**self.fingerprint, "validation.npz": self.asked}
        done = {"made_from": {"identity": identity, "input": input_}}
        if (answered := _answered(out, done)) is not None:
            logger.info("fold %d of %d: up to date", number + 1, self.recipe.folds)
            return answered
        logger.info("fold %d of %d: starts", number + 1, self.recipe.folds)
        out.mkdir(parents=True, exist_ok=True)
        (out / FOLD).unlink(missing_ok=True)  # what it vouches for is replaced before it is written again
        loop = self._loop(number, identity)
        loop.run(out, Monitor(self.validation, self.recipe.train, 1, self.beside.validation))
        found = self._answers(loop.network, np.flatnonzero(self.fold_of == number))
        with replacing(out / ANSWERS) as temporary, temporary.open("wb") as stream:
            np.savez(stream, rows=found["rows"], train=found["train"], validation=found["validation"])
        write_json(
            out / FOLD,
            {
                **done,
                "steps": loop.total_steps,
                "rescheduled": loop.rescheduled,
                "seconds": round(loop.seconds),
                "device": describe(compute_device()),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            },
        )
        (out / CHECKPOINT).unlink(missing_ok=True)
        return found

    def _loop(self, number: int, identity: dict[str, Any]) -> Loop:
        plan, examples = self.recipe.train, self.examples
        rows = np.flatnonzero(self.fold_of != number)
        titles = np.unique(examples.owner[rows])
        torch.manual_seed(plan.seed + number)
        network = begin(
            KINDS[self.recipe.base],
            self.recipe.layers,
            plan.dropout,
            prior(examples.labels[titles], examples.known[titles]),
        ).to(compute_device())
        return Loop(
            network=network,
            recipe=plan,
            epoch=lambda epoch: Epoch(examples, plan, epoch, 1, rows),
            loss=Objective(
                network=network,
                bfloat16=plan.precision == "bfloat16",
                beside=self.beside.train,
            ),
            identity=identity,
            fingerprint=self.fingerprint,
        )

    def _answers(self, network: Network, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """Give the logits of the training texts ``rows`` and of all validation texts, what stands beside included."""
        plan = self.recipe.train
        both = (
            (self.examples, rows, self.beside.train),
            (self.validation, np.arange(len(self.validation.texts)), self.beside.validation),
        )
        found = []
        for examples, asked, beside in both:
            batches = cut(
                examples,
                asked,
                tokens=max(plan.window_tokens),
                windows=self.recipe.answer_windows,
                size=plan.batch_size,
                titled=True,
            )
            logits = answer(network, batches, len(examples.texts), bfloat16=plan.precision == "bfloat16")
            found.append((logits if beside is None else logits + beside)[asked])
        return {"rows": rows, "train": found[0], "validation": found[1]}
