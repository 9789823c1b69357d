"""What is classified."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A text of any length, and its title if there is one.

    The title is read in front of every window of the text, so it helps most where the text is short.
    """

    text: str
    title: str | None = None
