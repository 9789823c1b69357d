"""Documents to windows of token ids: ``[CLS] (title [SEP]) text [SEP]``, as in training.

It must not know the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from genre_model.windows import plan_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genre_model.documents import Document
    from genre_model.manifest import WindowInput
    from genre_model.tokenizing import WordPieces

CLS: Final = "[CLS]"
SEP: Final = "[SEP]"


class Encoder:
    """Tokenizes documents and cuts them into windows.

    Parameters
    ----------
    pieces : WordPieces
        The artifact's tokenizer.
    limits : WindowInput
        Lengths and numbers, from the manifest.

    Raises
    ------
    ArtifactError
        If the tokenizer lacks BERT's special tokens.
    """

    def __init__(self, pieces: WordPieces, limits: WindowInput) -> None:
        self._pieces = pieces
        self._cls = pieces.special(CLS)
        self._sep = pieces.special(SEP)
        self._limits = limits

    def encode(self, documents: Sequence[Document]) -> list[list[list[int]]]:
        """Give each document's windows, each a list of token ids.

        Every document has at least one window; text that holds no word piece at all gives an empty one.
        """
        return self.windows(*self.tokenize(documents))

    def tokenize(self, documents: Sequence[Document]) -> tuple[list[list[int]], list[list[int]]]:
        """Give the word pieces of each document's text, and of its title (none for no title)."""
        texts = self._pieces.encode([document.text for document in documents])
        titles = self._pieces.encode([document.title or "" for document in documents])
        return texts, titles

    def windows(self, texts: list[list[int]], titles: list[list[int]]) -> list[list[list[int]]]:
        """Cut what `tokenize` gave; see `encode`."""
        return [self._windows(text, title) for text, title in zip(texts, titles, strict=True)]

    def _windows(self, text: list[int], title: list[int]) -> list[list[int]]:
        kept = title[: self._limits.max_title_tokens]
        head = [self._cls, *kept, self._sep] if kept else [self._cls]
        capacity = self._limits.window_tokens - len(head) - 1
        return [
            [*head, *text[start:end], self._sep]
            for start, end in plan_windows(len(text), capacity, self._limits.max_windows)
        ]
