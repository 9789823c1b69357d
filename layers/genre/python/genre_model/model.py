"""The model: an artifact folder, documents in, calibrated probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from genre_model.calibration import Calibration
from genre_model.manifest import Manifest
from genre_model.scorers import open_scorer
from genre_model.tokenizing import WordPieces
from genre_model.wide import open_wide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from genre_model.documents import Document
    from genre_model.scorers import Parts, Scorer


class GenreModel:
    """A loaded model; it holds no state between calls.

    Make one with `load`, once, during a function's init.
    """

    def __init__(self, manifest: Manifest, scorer: Scorer) -> None:
        self._manifest = manifest
        self._scorer = scorer
        self._weights = np.array(manifest.wide.weights if manifest.wide else 0, np.float32)
        """float32 ``[18]``: what the linear model's logits count beside the network's."""
        self._calibration = Calibration(
            slope=np.array(manifest.slope, np.float32),
            intercept=np.array(manifest.intercept, np.float32),
            centre=np.array(manifest.length.centre, np.float32),
            length_scale=manifest.length.scale,
        )
        self.thresholds: npt.NDArray[np.float32] = np.array(manifest.thresholds, np.float32)
        """float32 ``[18]``: a label at or above its threshold is selected."""

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Load an artifact folder.

        Parameters
        ----------
        folder : Path
            Holds ``manifest.json`` and the files it names.
        threads : int
            Compute threads, at least 1; see `threads_for_memory`.

        Raises
        ------
        ArtifactError
            If anything of the artifact is missing, damaged or does not fit.
        ValueError
            If ``threads`` is below 1.
        """
        if threads < 1:
            message = f"threads is {threads}, at least 1 is needed"
            raise ValueError(message)
        manifest = Manifest.load(folder)
        pieces = WordPieces(manifest.read_file(folder, manifest.tokenizer))
        network = manifest.check_file(folder, manifest.network)
        wide = None
        if manifest.wide is not None:
            table = manifest.read_file(folder, manifest.wide.file)
            wide = open_wide(table, folder / manifest.wide.file, manifest.wide, pieces)
        scorer = open_scorer(network, pieces, manifest.input, threads=threads, wide=wide)
        return cls(manifest, scorer)

    @property
    def name(self) -> str:
        """The model's name, such as ``genre-bert``."""
        return self._manifest.name

    @property
    def version(self) -> str:
        """The artifact's version, such as ``0.1.0``."""
        return self._manifest.version

    def predict(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Give each document's calibrated probabilities.

        Parameters
        ----------
        documents : sequence of Document
            Any number of them, none included.

        Returns
        -------
        ndarray
            float32 ``[documents, 18]``, in the order of `GENRES`.
        """
        parts = self.parts(documents)
        return self.calibrate(self.combine(parts), parts.pieces)

    def logits(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Give each document's logits, float32 ``[documents, 18]``: what calibration is fitted on."""
        return self.combine(self.parts(documents))

    def parts(self, documents: Sequence[Document]) -> Parts:
        """Give the logits of the network and of the linear model beside it, for whoever measures them apart."""
        return self._scorer.parts(documents)

    def combine(self, parts: Parts) -> npt.NDArray[np.float32]:
        """Add the parts up with the manifest's weights, float32 ``[documents, 18]``."""
        if parts.wide is None:
            return parts.deep
        return parts.deep + self._weights * parts.wide

    def calibrate(
        self, logits: npt.NDArray[np.float32], pieces: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Turn logits into probabilities, same shape and dtype; ``pieces`` is int64 ``[documents]``, as in `Parts`."""
        return self._calibration.probabilities(logits, pieces)
