"""The two kinds of network behind one face: documents in, logits out.

A scorer owns how documents become the network's input; calibration is not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from genre_model.bag import dense_bags
from genre_model.batching import batches_by_length, pad
from genre_model.encoding import Encoder
from genre_model.errors import ArtifactError
from genre_model.labels import GENRES
from genre_model.manifest import BagInput, WindowInput
from genre_model.runtime import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from genre_model.documents import Document
    from genre_model.tokenizing import WordPieces
    from genre_model.wide import WideScorer

_ROWS: Final = 64
"""Documents of one run of the tree model: bounds the dense input to 4 MB at 16,384 bins."""


class Parts(NamedTuple):
    """The logits of a model's parts, each float32 ``[documents, 18]``, and the word pieces that the texts have.

    ``deep`` is what the network says, ``wide`` what the linear model beside it says, None where there is none; ``pieces`` is
    int64 ``[documents]``, and counts no title.
    """

    deep: npt.NDArray[np.float32]
    wide: npt.NDArray[np.float32] | None
    pieces: npt.NDArray[np.int64]


class Scorer(Protocol):
    """What `GenreModel` needs of a network."""

    def parts(self, documents: Sequence[Document]) -> Parts:
        """Give each document's logits, part by part."""


class WindowScorer:
    """A transformer that reads windows of token ids; a document's logits are the mean over its windows.

    The windows of all documents are sorted by length and run in batches of similar ones, as large as the
    artifact allows. A linear model beside it, if there is one, reads the text's word pieces (never the title's).
    """

    def __init__(
        self,
        pieces: WordPieces,
        session: onnxruntime.InferenceSession,
        limits: WindowInput,
        wide: WideScorer | None = None,
    ) -> None:
        self._encoder = Encoder(pieces, limits)
        self._session = session
        self._max_batch_tokens = limits.max_batch_tokens
        self._wide = wide

    def parts(self, documents: Sequence[Document]) -> Parts:
        """Give each document's logits, part by part."""
        texts, titles = self._encoder.tokenize(documents)
        deep = self._deep(self._encoder.windows(texts, titles))
        wide = None if self._wide is None else self._wide.logits(texts)
        return Parts(deep, wide, _lengths(texts))

    def _deep(self, encoded: list[list[list[int]]]) -> npt.NDArray[np.float32]:
        """Give the network's logits of documents that are cut into windows, float32 ``[documents, 18]``."""
        windows = [window for document in encoded for window in document]
        owner = [row for row, document in enumerate(encoded) for _ in document]
        total = np.zeros((len(encoded), len(GENRES)), np.float32)
        for members in batches_by_length([len(window) for window in windows], self._max_batch_tokens):
            ids, mask = pad([windows[i] for i in members])
            (output,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
            np.add.at(total, [owner[i] for i in members], output)
        counts = np.array([len(document) for document in encoded], np.float32)
        return total / counts[:, None]


class BagScorer:
    """Boosted trees that read hashed bags of word pieces; a title's pieces count like the text's."""

    def __init__(self, pieces: WordPieces, session: onnxruntime.InferenceSession, limits: BagInput) -> None:
        self._pieces = pieces
        self._session = session
        self._bins = limits.bins

    def parts(self, documents: Sequence[Document]) -> Parts:
        """Give each document's logits; there is one part."""
        texts = self._pieces.encode([document.text for document in documents])
        titles = self._pieces.encode([document.title or "" for document in documents])
        bags = [title + text for title, text in zip(titles, texts, strict=True)]
        outputs = [
            self._session.run(None, {"bags": dense_bags(bags[start : start + _ROWS], self._bins)})[0]
            for start in range(0, len(bags), _ROWS)
        ]
        logits = np.concatenate([np.empty((0, len(GENRES)), np.float32), *outputs])
        return Parts(logits, None, _lengths(texts))


def _lengths(texts: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    return np.array([len(text) for text in texts], np.int64)


_SIGNATURES: Final[dict[type, list[tuple[str, str]]]] = {
    WindowInput: [("input_ids", "tensor(int32)"), ("attention_mask", "tensor(int32)")],
    BagInput: [("bags", "tensor(float)")],
}


def open_scorer(
    path: Path,
    pieces: WordPieces,
    limits: WindowInput | BagInput,
    *,
    threads: int,
    wide: WideScorer | None = None,
) -> Scorer:
    """Open a network with exactly the given threads, and check that it is of the manifest's kind.

    Parameters
    ----------
    path : Path
        An ONNX model. ONNX Runtime reads the file itself: one copy of the weights fewer than from bytes, and so
        less memory to fill at a cold start.
    pieces : WordPieces
        The artifact's tokenizer.
    limits : WindowInput or BagInput
        The manifest's ``input``; its type says which kind of network this is.
    threads : int
        Compute threads.
    wide : WideScorer or None
        The linear model beside a transformer.

    Raises
    ------
    ArtifactError
        If ONNX Runtime cannot load it, or its inputs or output are not those of its kind.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads must sleep: a spinning one burns the CPU share that the function is billed for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the binding's exceptions share no base
        message = f"model artifact file {path} is not a network that ONNX Runtime can load: {error}"
        raise ArtifactError(message) from error
    inputs: list[tuple[Any, Any]] = [(value.name, value.type) for value in session.get_inputs()]
    expected = _SIGNATURES[type(limits)]
    if inputs != expected:
        message = f"model artifact file {path} takes {inputs}, not {expected}"
        raise ArtifactError(message)
    outputs = [value.shape for value in session.get_outputs()]
    if len(outputs) != 1 or outputs[0][-1:] != [len(GENRES)]:
        message = (
            f"model artifact file {path} gives {outputs}, not one logit for each of {len(GENRES)} labels"
        )
        raise ArtifactError(message)
    if isinstance(limits, WindowInput):
        return WindowScorer(pieces, session, limits, wide)
    return BagScorer(pieces, session, limits)
