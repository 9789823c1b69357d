"""What pydantic reports, in plain words.

It owns the sentences about a value that does not fit; it must not know HTTP nor repeat a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_NAME_CHARS: Final = 80
"""A field's name may come from the caller; this much of it is repeated."""

_PLAIN: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "string_unicode": "must be Unicode text; it holds half of a surrogate pair",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "none_required": "must be null",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "too_short": "must have at least {min_length} entries, not {actual_length}",
    "too_long": "must have at most {max_length} entries, not {actual_length}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "url_parsing": "must be a URL",
    "path_type": "must be a path",
}


def reason(fault: Mapping[str, Any]) -> str:
    """Say what is wrong with a value, so that it completes "<field> ...".

    Parameters
    ----------
    fault : mapping
        One entry of ``pydantic.ValidationError.errors()``.

    Returns
    -------
    str
        Without the value itself: it may be long, private, or secret.
    """
    context = fault.get("ctx") or {}
    if fault["type"] == "value_error":
        # A rule of ours, raised in a validator as ValueError("must ...").
        return str(context.get("error", "is not valid"))
    if fault["type"] in ("string_too_short", "too_short") and context.get("min_length") == 1:
        return "must not be empty"
    plain = _PLAIN.get(fault["type"])
    if plain is not None:
        return plain.format_map(_Context(context))
    message = str(fault["msg"])
    return f"is not valid: {message[:1].lower()}{message[1:]}"


class _Context(dict[str, Any]):
    """A number that pydantic leaves out of its context reads as "the allowed number of"."""

    def __missing__(self, key: str) -> str:
        return "more" if key == "actual_length" else "the allowed number of"


def field_path(loc: Sequence[int | str]) -> str:
    """Write a location as a path: ``("items", 3, "text")`` is ``items[3].text``.

    Marks of a union's members, which pydantic puts into the location, are written ``<like this>`` in this project's
    schemas and left out. Each name is cut to `MAX_NAME_CHARS` and is valid Unicode.
    """
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not (part.startswith("<") and part.endswith(">")):
            name = part.encode("utf-8", "replace").decode("utf-8")
            name = name if len(name) <= MAX_NAME_CHARS else f"{name[:MAX_NAME_CHARS]}…"
            path += f".{name}" if path else name
    return path
