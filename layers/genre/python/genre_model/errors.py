"""The one error this package raises on purpose."""

from __future__ import annotations


class ArtifactError(ValueError):
    """An artifact folder cannot be served; the text is one sentence naming the file and what is wrong."""
