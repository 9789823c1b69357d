"""Where training computes: on a CUDA device where torch finds one, on the CPU otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from model_artifacts.pipeline.views import Batch

_ALIGNED: Final = 16
"""Tokens of a padded window are a multiple of it on CUDA: the attention kernels copy a mask of any other length first."""


def compute_device() -> torch.device:
    """Choose the device; ``CUDA_VISIBLE_DEVICES=`` (empty) in the environment chooses the CPU.

    On CUDA, attention is kept off cuDNN, which plans anew for every shape, and batches have many shapes.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.enable_cudnn_sdp(enabled=False)
    return torch.device("cuda")


def describe(device: torch.device) -> str:
    """Name the device for people: ``CPU``, or the product's name."""
    return "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)


def windows_on(device: torch.device, batch: Batch) -> tuple[Tensor, Tensor]:
    """Put a batch's ids and mask, int64 ``[windows, tokens]``, on the device, with more padding where that is quicker there."""
    ids, mask = (torch.from_numpy(array).to(device) for array in (batch.input_ids, batch.attention_mask))
    if device.type == "cpu":
        return ids, mask
    more = -ids.shape[1] % _ALIGNED
    return functional.pad(ids, (0, more)), functional.pad(mask, (0, more))
