"""What training minimises: how far what is served lies from the labels, or from a teacher's answers and the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from model_artifacts.pipeline.device import windows_on
from model_artifacts.pipeline.distil import blended_loss
from model_artifacts.pipeline.encoder import mean_by_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from model_artifacts.pipeline.bases import Network
    from model_artifacts.pipeline.distil import Teacher
    from model_artifacts.pipeline.views import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The loss of a batch, a scalar with a gradient.

    A text's logits are the mean over its windows, plus what stands beside the network. Without soft targets the loss is binary cross-entropy over
    the labels that the title's source can know.

    Parameters
    ----------
    network : Network
        What is trained; batches go to the device that it lies on.
    bfloat16 : bool
        Whether products are computed so.
    beside : ndarray or None
        float32 ``[texts, 18]``, see `beside`.
    teacher : Teacher or None
        A network that is asked about the very windows of a batch.
    answers : ndarray or None
        float32 ``[texts, 18]``: what a teacher said of the texts before, in full; not together with ``teacher``.
    answers_share : float
        Their weight in the target; the labels have the rest.
    """

    network: Network
    bfloat16: bool
    beside: npt.NDArray[np.float32] | None = None
    teacher: Teacher | None = None
    answers: npt.NDArray[np.float32] | None = None
    answers_share: float = 0.0

    def __call__(self, batch: Batch) -> Tensor:
        """Give the loss."""
        device = self.network.classifier.weight.device

        def put(array: npt.NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(array).to(device)

        def served(windows: Tensor) -> Tensor:
            logits = mean_by_text(windows, batch.window_text)
            return logits if self.beside is None else logits + put(self.beside[batch.texts])

        ids, mask = windows_on(device, batch)
        soft = None
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = served(self.network(ids, mask).float())
            if self.teacher is not None:
                soft = served(self.teacher.logits(ids, mask))
        labels, known = put(batch.labels), put(batch.known)
        if soft is not None and self.teacher is not None:
            return self.teacher.loss(logits, soft, labels, known)
        if self.answers is not None:
            return blended_loss(logits, put(self.answers[batch.texts]), labels, known, self.answers_share)
        losses = functional.binary_cross_entropy_with_logits(logits, labels, weight=known, reduction="sum")
        return losses / known.sum()
