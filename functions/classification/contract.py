"""What a text has to be and how a probability is written, in a request and in a file alike.

Plain constants and one rule; must import nothing, since a command reads it before it knows that it needs a model.
"""

from __future__ import annotations

from typing import Final

MAX_TEXT_CHARS: Final = 100_000
MAX_TITLE_CHARS: Final = 500
MAX_ID_CHARS: Final = 256
DECIMALS: Final = 4
"""Decimals of an answered probability. Calibration itself is not better than a few thousandths."""


def is_visible(text: str) -> bool:
    """Whether a text shows anything: not only spaces, control and zero-width characters."""
    return any(char.isprintable() and not char.isspace() for char in text)
