"""When a text counts as one: it shows something. The one rule for requests, files and drafts alike.

Must import nothing, since a command reads it before it knows that it needs a model.
"""

from __future__ import annotations


def is_visible(text: str) -> bool:
    """Whether a text shows anything: not only spaces, control and zero-width characters."""
    return any(char.isprintable() and not char.isspace() for char in text)


def check_visible(text: str) -> str:
    """Give a text back that shows something; for a pydantic ``AfterValidator``.

    Raises
    ------
    ValueError
        With the words that complete "<field> ...".
    """
    if not is_visible(text):
        message = "must not be empty"
        raise ValueError(message)
    return text
