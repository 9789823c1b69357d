"""What a text has to be and how a probability is written, in a request and in a file alike.

Plain constants; must import nothing, since a command reads it before it knows that it needs a model. That a text has to
show something is `trending_core.visible`'s rule.
"""

from __future__ import annotations

from typing import Final

MAX_TEXT_CHARS: Final = 100_000
MAX_TITLE_CHARS: Final = 500
MAX_ID_CHARS: Final = 256
DECIMALS: Final = 4
"""Decimals of an answered probability. Calibration itself is not better than a few thousandths."""
