"""Step 2, train: fine-tune the base on the prepared examples; killed at any moment, it goes on from its last checkpoint."""

from __future__ import annotations

import json
import logging
import math
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_artifacts.pipeline.beside import Beside
from model_artifacts.pipeline.cross_fit import TRAIN
from model_artifacts.pipeline.distil import Teacher
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.monitor import Monitor
from model_artifacts.pipeline.network import GenreNetwork, load_base, mean_by_text
from model_artifacts.pipeline.progress import LOG, log_progress
from model_artifacts.pipeline.states import load_state
from model_artifacts.pipeline.views import Batch, Epoch

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import BertRecipe, TrainRecipe

    Logits = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)

WEIGHTS: Final = "weights.pt"
CHECKPOINT: Final = "checkpoint.pt"
_LOG_STEPS: Final = 20
_IN_CHECKPOINT: Final = ("identity", "fingerprint", "step", "seconds", "network", "optimizer", "rng")
"""What a checkpoint cannot do without; ``rescheduled`` came later."""


def train(
    *,
    prepared: Path,
    out: Path,
    recipe: BertRecipe,
    teacher: Path | None = None,
    crossed: Path | None = None,
) -> None:
    """Run the step.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`.
    out : Path
        The step's folder; gets ``weights.pt`` (the state dict), ``log.jsonl`` (loss, rate, speed and the monitored
        mAP by step) and ``train.json``; holds ``checkpoint.pt`` while it runs.
    teacher : Path or None
        The teacher's ``weights.pt``; needed where the recipe has a section ``distil``, and not looked at elsewhere.
    crossed : Path or None
        The folder of the step `cross-fit`; likewise for a section ``joint``.

    Raises
    ------
    StepError
        If the examples, the teacher's weights or the linear model's logits are missing or not given, the examples too few for one batch, or the
        checkpoint is damaged or belongs to another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    examples = Examples.load(prepared / "train.npz")
    beside = Beside.load(crossed, recipe.joint)
    monitor = Monitor(Examples.load(prepared / "validation.npz"), recipe, beside.validation)
    fingerprint = {"train.npz": sha256(prepared / "train.npz")}
    if crossed is not None and recipe.joint is not None:
        fingerprint["cross-fit"] = sha256(crossed / TRAIN)
    learned = None
    if recipe.distil is not None:
        if teacher is None:
            message = f"the recipe learns from {recipe.distil.teacher}, whose weights are not given"
            raise StepError(message)
        learned = Teacher.load(teacher, recipe.distil)
        fingerprint["teacher"] = sha256(teacher)
    run = _Run(recipe, examples, fingerprint, learned, beside.train)
    run.resume(out)
    while run.step < run.total_steps:
        run.advance()
        if run.step % _LOG_STEPS == 0:
            run.log(out)
        if run.step % recipe.train.monitor_steps == 0 or run.step == run.total_steps:
            run.log(out, monitor_map=monitor.precision(run.network))
        if run.step % recipe.train.checkpoint_steps == 0:
            run.save(out)
    with replacing(out / WEIGHTS) as temporary:
        torch.save(run.network.state_dict(), temporary)
    write_json(
        out / "train.json",
        {
            "recipe": recipe.train.model_dump(mode="json"),
            "layers": recipe.layers,
            **({"distil": recipe.distil.model_dump(mode="json")} if recipe.distil else {}),
            **({"joint": recipe.joint.model_dump(mode="json")} if recipe.joint else {}),
            "input": run.fingerprint,
            "steps": run.total_steps,
            "rescheduled": run.rescheduled,
            "views": run.total_steps * recipe.train.batch_size,
            "seconds": round(run.seconds),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
    )
    (out / CHECKPOINT).unlink(missing_ok=True)


class _Run:
    """The state of one training run: everything a checkpoint must hold."""

    def __init__(
        self,
        recipe: BertRecipe,
        examples: Examples,
        fingerprint: dict[str, str],
        teacher: Teacher | None,
        beside: Logits | None,
    ) -> None:
        self.recipe = recipe.train
        self._beside = beside
        self._windows = recipe.windows_of_a_text
        self.fingerprint = fingerprint
        self._teacher = teacher
        self._identity = {"recipe": self.recipe.model_dump(mode="json"), "layers": recipe.layers}
        if recipe.distil is not None:
            self._identity["distil"] = recipe.distil.model_dump(mode="json")
        if recipe.joint is not None:
            self._identity["joint"] = recipe.joint.model_dump(mode="json")
        self._examples = examples
        self._epoch_number = 0
        self._epoch = Epoch(examples, self.recipe, 0, self._windows)
        if not len(self._epoch):
            message = f"{len(examples.texts)} texts make no batch of {self.recipe.batch_size}"
            raise StepError(message)
        self.steps_per_epoch = len(self._epoch)
        self.total_steps = max(1, math.floor(self.recipe.epochs * self.steps_per_epoch))
        torch.manual_seed(self.recipe.seed)
        self.network = GenreNetwork(recipe.layers, self.recipe.dropout)
        load_base(self.network, _prior(examples))
        if teacher is not None:
            teacher.start(self.network)
            if not teacher.answers:
                self._teacher = None
        self._optimizer = _optimizer(self.network, self.recipe)
        self._peak = [group["lr"] for group in self._optimizer.param_groups]
        self.step = 0
        self.seconds = 0.0
        self.rescheduled: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._log_mark = (0, 0.0)

    def advance(self) -> None:
        """Take one optimisation step."""
        started = time.monotonic()
        number, index = divmod(self.step, self.steps_per_epoch)
        if number != self._epoch_number:
            self._epoch_number = number
            self._epoch = Epoch(self._examples, self.recipe, number, self._windows)
        scale = _schedule(self.step, self.total_steps, self.recipe.warmup_share)
        for group, peak in zip(self._optimizer.param_groups, self._peak, strict=True):
            group["lr"] = peak * scale
        self.network.train()
        loss = self._loss(self._epoch[index])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        self._losses.append(loss.item())
        self.seconds += time.monotonic() - started

    def _loss(self, batch: Batch) -> Tensor:
        """Binary cross-entropy over the labels that the title's source can know, or towards the teacher over all."""
        ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits = self._served(self.network(ids, mask).float(), batch)
            soft = None if self._teacher is None else self._served(self._teacher.logits(ids, mask), batch)
        labels, known = torch.from_numpy(batch.labels), torch.from_numpy(batch.known)
        if soft is not None and self._teacher is not None:
            return self._teacher.loss(logits, soft, labels, known)
        losses = functional.binary_cross_entropy_with_logits(logits, labels, weight=known, reduction="sum")
        return losses / known.sum()

    def _served(self, windows: Tensor, batch: Batch) -> Tensor:
        """Make of the windows' logits ``[windows, 18]`` those of the texts ``[batch, 18]``, with what stands beside."""
        logits = mean_by_text(windows, batch.window_text)
        return logits if self._beside is None else logits + torch.from_numpy(self._beside[batch.texts])

    def log(self, out: Path, **extra: float) -> None:
        """Append one line to the log and show it."""
        step, seconds = self._log_mark
        done, spent = self.step - step, self.seconds - seconds
        line: dict[str, float | int | None] = {
            "step": self.step,
            "of": self.total_steps,
            "loss": round(float(np.mean(self._losses)), 5) if self._losses else None,
            "rate": self._optimizer.param_groups[-1]["lr"],
            "seconds": round(self.seconds, 1),
        }
        if done:
            line["samples_per_second"] = round(done * self.recipe.batch_size / spent, 1)
            line["eta_seconds"] = round((self.total_steps - self.step) * spent / done)
        line |= {name: round(value, 5) for name, value in extra.items()}
        self._losses, self._log_mark = [], (self.step, self.seconds)
        log_progress(out, line)

    def save(self, out: Path) -> None:
        """Write a checkpoint atomically."""
        with replacing(out / CHECKPOINT) as temporary:
            torch.save(
                {
                    "identity": self._identity,
                    "fingerprint": self.fingerprint,
                    "step": self.step,
                    "seconds": self.seconds,
                    "rescheduled": self.rescheduled,
                    "network": self.network.state_dict(),
                    "optimizer": self._optimizer.state_dict(),
                    "rng": torch.get_rng_state(),
                },
                temporary,
            )

    def resume(self, out: Path) -> None:
        """Go on from the checkpoint in ``out``, if there is one; drop what the log says beyond it.

        A recipe that differs in the number of passes alone goes on too, on the schedule of its own number; ``train.json``
        then says after which step, and what the number was before. Training that has more or less time than was
        thought is worth finishing, but is not the same as a run that had this number from the start.
        """
        path = out / CHECKPOINT
        if path.exists():
            state = load_state(path, "remove it to start over", _IN_CHECKPOINT)
            before = state["identity"]["recipe"].get("epochs", self.recipe.epochs)
            state["identity"]["recipe"]["epochs"] = self.recipe.epochs
            if state["identity"] != self._identity or state["fingerprint"] != self.fingerprint:
                message = f"{path} belongs to another recipe or other examples; remove it to start over"
                raise StepError(message)
            if state["step"] > self.total_steps:
                message = f"{path} is at step {state['step']}, beyond the {self.total_steps} of {self.recipe.epochs} passes"
                raise StepError(message)
            self.rescheduled = state.get("rescheduled", [])
            if before != self.recipe.epochs:
                self.rescheduled.append({"after_step": state["step"], "epochs_before": before})
                logger.info(
                    "%g passes instead of %g from step %d on", self.recipe.epochs, before, state["step"]
                )
            self.network.load_state_dict(state["network"])
            self._optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["rng"])
            self.step, self.seconds = state["step"], state["seconds"]
            self._log_mark = (self.step, self.seconds)
            logger.info("resumed at step %d of %d", self.step, self.total_steps)
        log = out / LOG
        if log.exists():
            kept = []
            for line in log.read_text(encoding="utf-8").splitlines():
                try:
                    if json.loads(line)["step"] <= self.step and self.step:
                        kept.append(line)
                except (ValueError, KeyError):
                    continue  # a line cut off by the interruption
            with replacing(log) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _prior(examples: Examples) -> Tensor:
    """Each label's share of the titles where it is known, kept off 0 and 1."""
    share = (examples.labels.sum(0) + 1) / (examples.known.sum(0) + 2)
    return torch.from_numpy(share.astype(np.float32))


def _optimizer(network: GenreNetwork, recipe: TrainRecipe) -> torch.optim.AdamW:
    """AdamW with a rate that falls layer by layer, and no decay on biases and norms."""
    depth = len(network.layers)
    groups = []
    for name, parameter in network.named_parameters():
        if name.startswith("classifier."):
            rate = recipe.head_learning_rate
        else:
            level = int(name.split(".")[1]) if name.startswith("layers.") else -1
            rate = recipe.learning_rate * recipe.layer_decay ** (depth - 1 - level)
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.append({"params": [parameter], "lr": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def _schedule(step: int, total: int, warmup_share: float) -> float:
    """Linear warm-up from 0 and linear decay to 0, as a factor on the peak rate."""
    warmup = max(1, round(total * warmup_share))
    return min((step + 1) / warmup, (total - step) / max(1, total - warmup), 1.0)
