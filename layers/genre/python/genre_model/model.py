"""The model: an artifact folder, an ONNX Runtime session, documents in, probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import onnxruntime

from genre_model.batching import batches_by_length, pad
from genre_model.encoding import Encoder
from genre_model.errors import ArtifactError
from genre_model.labels import GENRES
from genre_model.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from genre_model.documents import Document

class GenreModel:
    """A loaded model. One instance serves one request at a time per thread; it holds no state between calls.

    Make one with `load`, once, during a function's init.
    """

    def __init__(self, manifest: Manifest, encoder: Encoder, session: onnxruntime.InferenceSession) -> None:
        self._manifest = manifest
        self._encoder = encoder
        self._session = session
        self._slope = np.array(manifest.slope, np.float32)
        self._intercept = np.array(manifest.intercept, np.float32)
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
        encoder = Encoder(
            manifest.read_file(folder, manifest.tokenizer),
            window_tokens=manifest.window_tokens,
            max_windows=manifest.max_windows,
            max_title_tokens=manifest.max_title_tokens,
        )
        network = manifest.read_file(folder, manifest.network)
        return cls(manifest, encoder, _session(network, folder / manifest.network, threads))

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

        The windows of all documents are sorted by length and run in batches of similar ones, as large as the artifact
        allows; the logits of a document's windows are averaged before calibration.

        Parameters
        ----------
        documents : sequence of Document
            Any number of them, none included.

        Returns
        -------
        ndarray
            float32 ``[documents, 18]``, in the order of `GENRES`.
        """
        return self.calibrate(self.logits(documents))

    def logits(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Give each document's mean logits, float32 ``[documents, 18]``: what calibration is fitted on."""
        encoded = self._encoder.encode(documents)
        windows = [window for document in encoded for window in document]
        owner = [row for row, document in enumerate(encoded) for _ in document]
        total = np.zeros((len(documents), len(GENRES)), np.float32)
        limit = self._manifest.max_batch_tokens
        for members in batches_by_length([len(window) for window in windows], limit):
            ids, mask = pad([windows[i] for i in members])
            (output,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
            np.add.at(total, [owner[i] for i in members], output)
        counts = np.array([[len(document)] for document in encoded], np.float32)
        return total / counts if len(documents) else total

    def calibrate(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn mean logits into probabilities, same shape and dtype (Platt 1999, per label)."""
        # The logistic function as a tanh: no overflow at either end.
        scaled = 0.5 * (self._slope * logits + self._intercept)
        probabilities: npt.NDArray[np.float32] = 0.5 + 0.5 * np.tanh(scaled)
        return probabilities


def _session(network: bytes, path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open the network with exactly the given threads, and check that it is one of ours."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads must sleep: a spinning one burns the CPU share that the function is billed for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            network, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the binding's exceptions share no base
        message = f"model artifact file {path} is not a network that ONNX Runtime can load: {error}"
        raise ArtifactError(message) from error
    inputs = [(value.name, value.type) for value in session.get_inputs()]
    outputs = [value.shape for value in session.get_outputs()]
    if inputs != [("input_ids", "tensor(int32)"), ("attention_mask", "tensor(int32)")]:
        message = f"model artifact file {path} takes {inputs}, not input_ids and attention_mask (int32)"
        raise ArtifactError(message)
    if len(outputs) != 1 or outputs[0][-1] != len(GENRES):
        message = (
            f"model artifact file {path} gives {outputs}, not one logit for each of {len(GENRES)} labels"
        )
        raise ArtifactError(message)
    return session
