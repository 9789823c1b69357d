"""The tokenizer of an artifact: texts to word-piece ids, without special tokens, truncation or padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from genre_model.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Sequence


class WordPieces:
    """Turns texts into word-piece ids.

    Parameters
    ----------
    tokenizer_json : bytes
        The content of a ``tokenizer.json``.

    Raises
    ------
    ArtifactError
        If the tokenizer cannot be read.
    """

    def __init__(self, tokenizer_json: bytes) -> None:
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_buffer(tokenizer_json)
        except Exception as error:  # the binding raises bare Exception
            message = f"the tokenizer cannot be read: {error}"
            raise ArtifactError(message) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @property
    def size(self) -> int:
        """The number of word pieces, special ones included; every id is below it."""
        return self._tokenizer.get_vocab_size()

    def special(self, token: str) -> int:
        """Give the id of a special token such as ``[CLS]``.

        Raises
        ------
        ArtifactError
            If the tokenizer does not know it.
        """
        number = self._tokenizer.token_to_id(token)
        if number is None:
            message = f"the tokenizer lacks {token}"
            raise ArtifactError(message)
        return number

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text, however long; a text without any word piece gives none."""
        encodings = self._tokenizer.encode_batch_fast(
            [_well_formed(text) for text in texts], add_special_tokens=False
        )
        return [encoding.ids for encoding in encodings]


def _well_formed(text: str) -> str:
    """Replace lone surrogates, which JSON can spell but UTF-8 (and so the tokenizer) cannot, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
