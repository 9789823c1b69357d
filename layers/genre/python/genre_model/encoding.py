"""Documents to windows of token ids: ``[CLS] (title [SEP]) text [SEP]``, as in training.

Owns the tokenizer; knows nothing of the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenizers import Tokenizer

from genre_model.errors import ArtifactError
from genre_model.windows import plan_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genre_model.documents import Document

CLS: Final = "[CLS]"
SEP: Final = "[SEP]"


class Encoder:
    """Tokenizes documents and cuts them into windows.

    Parameters
    ----------
    tokenizer_json : bytes
        The content of a ``tokenizer.json``.
    window_tokens : int
        Length of a window, special tokens included.
    max_windows : int
        Windows of one document at most.
    max_title_tokens : int
        Word pieces of a title kept.

    Raises
    ------
    ArtifactError
        If the tokenizer cannot be read or lacks BERT's special tokens.
    """

    def __init__(
        self,
        tokenizer_json: bytes,
        *,
        window_tokens: int,
        max_windows: int,
        max_title_tokens: int,
    ) -> None:
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_buffer(tokenizer_json)
        except Exception as error:  # the binding raises bare Exception
            message = f"the tokenizer cannot be read: {error}"
            raise ArtifactError(message) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._cls = self._special(CLS)
        self._sep = self._special(SEP)
        self._window_tokens = window_tokens
        self._max_windows = max_windows
        self._max_title_tokens = max_title_tokens

    def _special(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            message = f"the tokenizer lacks {token}"
            raise ArtifactError(message)
        return number

    def encode(self, documents: Sequence[Document]) -> list[list[list[int]]]:
        """Give each document's windows, each a list of token ids.

        Every document has at least one window; text that holds no word piece at all gives an empty one.
        """
        texts = self._tokenizer.encode_batch_fast(
            [_well_formed(document.text) for document in documents], add_special_tokens=False
        )
        return [
            self._windows(text.ids, self._title(document.title))
            for document, text in zip(documents, texts, strict=True)
        ]

    def _title(self, title: str | None) -> list[int]:
        if not title or not self._max_title_tokens:
            return []
        ids: list[int] = self._tokenizer.encode(
            _well_formed(title), add_special_tokens=False
        ).ids
        return [*ids[: self._max_title_tokens], self._sep] if ids else []

    def _windows(self, ids: list[int], title: list[int]) -> list[list[int]]:
        capacity = self._window_tokens - 2 - len(title)
        return [
            [self._cls, *title, *ids[start:end], self._sep]
            for start, end in plan_windows(len(ids), capacity, self._max_windows)
        ]


def _well_formed(text: str) -> str:
    """Replace lone surrogates, which JSON can spell but UTF-8 (and so the tokenizer) cannot, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
