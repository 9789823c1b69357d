"""What a network in torch says of whole texts: each cut into windows as serving cuts it, the windows' logits averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from genre_model.labels import GENRES
from genre_model.windows import plan_windows
from model_artifacts.pipeline.device import windows_on
from model_artifacts.pipeline.encoder import mean_by_text
from model_artifacts.pipeline.views import Batch, assemble, pad

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from model_artifacts.pipeline.bases import Network
    from model_artifacts.pipeline.examples import Examples


def cut(
    examples: Examples,
    rows: npt.NDArray[np.int64],
    *,
    tokens: int,
    windows: int,
    size: int,
    titled: bool = False,
) -> list[Batch]:
    """Cut texts into batches, the shortest texts first.

    Parameters
    ----------
    rows : ndarray
        int64, the texts.
    tokens, windows : int
        Length of a window, special tokens included, and how many of them a text has at most.
    size : int
        Texts of a batch.
    titled : bool
        Put the title in front of every window.
    """
    lengths = np.minimum(examples.texts.lengths[rows], tokens * windows)
    rows = rows[np.argsort(lengths, kind="stable")]
    return [
        _batch(examples, rows[start : start + size], tokens, windows, titled=titled)
        for start in range(0, len(rows), size)
    ]


def _batch(
    examples: Examples, rows: npt.NDArray[np.int64], tokens: int, windows: int, *, titled: bool
) -> Batch:
    owners = examples.owner[rows]
    cuts, window_text = [], []
    for place, (row, owner) in enumerate(zip(rows.tolist(), owners.tolist(), strict=True)):
        text, title = examples.texts[row], examples.titles[owner] if titled else None
        specials = 2 if title is None or not len(title) else 3 + len(title)
        plan = plan_windows(len(text), tokens - specials, windows)
        cuts += [assemble(text[first:end], title) for first, end in plan]
        window_text += [place] * len(plan)
    ids, mask = pad(cuts)
    labels, known = (array[owners].astype(np.float32) for array in (examples.labels, examples.known))
    return Batch(ids, mask, rows, np.array(window_text, np.int64), labels, known)


def answer(
    network: Network, batches: Iterable[Batch], texts: int, *, bfloat16: bool = False
) -> npt.NDArray[np.float32]:
    """Ask the network, which is left in evaluation mode.

    Parameters
    ----------
    batches : iterable of Batch
        From `cut`.
    texts : int
        Texts of the examples that the batches are from.
    bfloat16 : bool
        Whether products are computed so.

    Returns
    -------
    ndarray
        float32 ``[texts, 18]``; NaN for a text that is in no batch.
    """
    network.eval()
    device = network.classifier.weight.device
    found = np.full((texts, len(GENRES)), np.nan, np.float32)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for batch in batches:
            ids, mask = windows_on(device, batch)
            found[batch.texts] = mean_by_text(network(ids, mask).float(), batch.window_text).cpu().numpy()
    return found
