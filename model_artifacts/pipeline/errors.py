"""The pipeline's error tree.

PipelineError
├── RecipeError        the recipe file cannot be used
├── CorpusError        a line of the corpus cannot be used (names file and line)
└── StepError          a step cannot run: an input is missing, stale or damaged
"""

from __future__ import annotations


class PipelineError(Exception):
    """Base of everything the pipeline raises on purpose; its text is one sentence for a person."""


class RecipeError(PipelineError):
    """The recipe is missing, is not TOML or holds a wrong value."""


class CorpusError(PipelineError):
    """A corpus line cannot be read; the text starts with ``file:line``."""


class StepError(PipelineError):
    """A step's input is missing or does not fit; the text says which step makes it."""
