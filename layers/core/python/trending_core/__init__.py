"""What more than one function needs: errors, the HTTP application, settings, telemetry, items and their store.

Nothing is imported here, so that a function pays only for the modules it uses.
"""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
"""The service's version; equals the one in ``pyproject.toml``, which an image does not hold."""
