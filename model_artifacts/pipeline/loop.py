"""The loop that trains a network: AdamW, warm-up and decay, a log, and checkpoints that a killed run goes on from."""

from __future__ import annotations

import json
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import replacing
from model_artifacts.pipeline.progress import LOG, log_progress
from model_artifacts.pipeline.states import load_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_artifacts.pipeline.bases import Network
    from model_artifacts.pipeline.monitor import Monitor
    from model_artifacts.pipeline.recipe import TrainRecipe
    from model_artifacts.pipeline.views import Batch, Epoch

logger = logging.getLogger(__name__)

CHECKPOINT: Final = "checkpoint.pt"
_LOG_STEPS: Final = 20
_IN_CHECKPOINT: Final = ("identity", "fingerprint", "step", "seconds", "network", "optimizer", "rng")
"""What a checkpoint cannot do without; ``rescheduled`` and ``device_rng`` came later."""


class Loop:
    """The state of one training run: everything a checkpoint must hold.

    Parameters
    ----------
    network : Network
        What is trained, on its device.
    recipe : TrainRecipe
        Rates, passes, and how often something is written.
    epoch : callable
        Gives the batches of a pass by its number.
    loss : callable
        Gives the loss of a batch.
    identity, fingerprint : dict
        The recipe and the digests of the input. A checkpoint that has others is refused; of the identity's ``recipe``,
        the number of passes may differ.

    Raises
    ------
    StepError
        If a pass has no batch.
    """

    def __init__(
        self,
        *,
        network: Network,
        recipe: TrainRecipe,
        epoch: Callable[[int], Epoch],
        loss: Callable[[Batch], Tensor],
        identity: dict[str, Any],
        fingerprint: dict[str, str],
    ) -> None:
        self.network = network
        self._recipe, self._identity, self._fingerprint = recipe, identity, fingerprint
        self._draw, self._loss = epoch, loss
        self._epoch_number, self._epoch = 0, epoch(0)
        self.steps_per_epoch = len(self._epoch)
        if not self.steps_per_epoch:
            message = f"the texts make no batch of {recipe.batch_size}"
            raise StepError(message)
        self.total_steps = max(1, math.floor(recipe.epochs * self.steps_per_epoch))
        self._optimizer = _optimizer(network, recipe)
        self._peak = [group["lr"] for group in self._optimizer.param_groups]
        self.step = 0
        self.seconds = 0.0
        self.rescheduled: list[dict[str, float]] = []
        self._losses: list[Tensor] = []
        self._log_mark = (0, 0.0)

    def run(self, out: Path, monitor: Monitor) -> None:
        """Train to the end, from the checkpoint in ``out`` if there is one; the log and checkpoints are written there."""
        self.resume(out)
        while self.step < self.total_steps:
            self.advance()
            if self.step % _LOG_STEPS == 0:
                self.log(out)
            if self.step % self._recipe.monitor_steps == 0 or self.step == self.total_steps:
                self.log(out, monitor_map=monitor.precision(self.network))
            if self.step % self._recipe.checkpoint_steps == 0:
                self.save(out)

    def advance(self) -> None:
        """Take one optimisation step."""
        started = time.monotonic()
        number, index = divmod(self.step, self.steps_per_epoch)
        if number != self._epoch_number:
            self._epoch_number, self._epoch = number, self._draw(number)
        scale = _schedule(self.step, self.total_steps, self._recipe.warmup_share)
        for group, peak in zip(self._optimizer.param_groups, self._peak, strict=True):
            group["lr"] = peak * scale
        self.network.train()
        loss = self._loss(self._epoch[index])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        # Read where it is logged: reading it here would make the processor wait for the device.
        self._losses.append(loss.detach())
        self.seconds += time.monotonic() - started

    def log(self, out: Path, **extra: float) -> None:
        """Append one line to the log and show it."""
        started = time.monotonic()
        loss = round(float(torch.stack(self._losses).mean()), 5) if self._losses else None
        self.seconds += time.monotonic() - started
        step, seconds = self._log_mark
        done, spent = self.step - step, self.seconds - seconds
        line: dict[str, float | int | None] = {
            "step": self.step,
            "of": self.total_steps,
            "loss": loss,
            "rate": self._optimizer.param_groups[-1]["lr"],
            "seconds": round(self.seconds, 1),
        }
        if done:
            line["samples_per_second"] = round(done * self._recipe.batch_size / spent, 1)
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
                    "fingerprint": self._fingerprint,
                    "step": self.step,
                    "seconds": self.seconds,
                    "rescheduled": self.rescheduled,
                    "network": self.network.state_dict(),
                    "optimizer": self._optimizer.state_dict(),
                    "rng": torch.get_rng_state(),
                    "device_rng": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
                },
                temporary,
            )

    def resume(self, out: Path) -> None:
        """Go on from the checkpoint in ``out``, if there is one; drop what the log says beyond it.

        A recipe that differs in the number of passes alone goes on too, on the schedule of its own number; ``rescheduled``
        then says after which step, and what the number was before. Training that has more or less time than was
        thought is worth finishing, but is not the same as a run that had this number from the start.
        """
        path = out / CHECKPOINT
        if path.exists():
            self._restore(path)
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

    def _restore(self, path: Path) -> None:
        state = load_state(path, "remove it to start over", _IN_CHECKPOINT)
        epochs = self._recipe.epochs
        before = state["identity"]["recipe"].get("epochs", epochs)
        state["identity"]["recipe"]["epochs"] = epochs
        if state["identity"] != self._identity or state["fingerprint"] != self._fingerprint:
            message = f"{path} belongs to another recipe or other examples; remove it to start over"
            raise StepError(message)
        if state["step"] > self.total_steps:
            message = f"{path} is at step {state['step']}, beyond the {self.total_steps} of {epochs} passes"
            raise StepError(message)
        self.rescheduled = state.get("rescheduled", [])
        if before != epochs:
            self.rescheduled.append({"after_step": state["step"], "epochs_before": before})
            logger.info("%g passes instead of %g from step %d on", epochs, before, state["step"])
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        if torch.cuda.is_available() and state.get("device_rng") is not None:
            torch.cuda.set_rng_state(state["device_rng"])
        self.step, self.seconds = state["step"], state["seconds"]
        self._log_mark = (self.step, self.seconds)
        logger.info("resumed at step %d of %d", self.step, self.total_steps)


def prior(labels: np.ndarray[Any, np.dtype[np.uint8]], known: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """Give each label's share of the titles where it is known, float32 ``[18]``, kept off 0 and 1."""
    share = (labels.sum(0) + 1) / (known.sum(0) + 2)
    return torch.from_numpy(share.astype(np.float32))


def _optimizer(network: Network, recipe: TrainRecipe) -> torch.optim.AdamW:
    """AdamW with a rate that falls layer by layer, and no decay on biases and norms."""
    depth = len(network.layers)
    groups = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
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
