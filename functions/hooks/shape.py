"""Does a JSON value have the shape that a golden file asks for? The part of JSON Schema that answers need, no more.

A keyword that is not known here is refused when the file is read, so that no check is skipped in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN: Final = frozenset(
    {"type", "required", "properties", "items", "enum", "minimum", "maximum", "minItems", "minLength"}
)


class ShapeError(ValueError):
    """A schema uses something that this module cannot check; the text names it."""


def check_schema(schema: Mapping[str, Any], where: str = "schema") -> None:
    """Refuse a schema that could not be checked in full.

    Raises
    ------
    ShapeError
        On an unknown keyword or type.
    """
    if unknown := sorted(set(schema) - _KNOWN):
        message = f"{where}: the keyword {unknown[0]!r} cannot be checked"
        raise ShapeError(message)
    if schema.get("type", "object") not in _TYPES:
        message = f"{where}: unknown type {schema['type']!r}"
        raise ShapeError(message)
    for name, part in schema.get("properties", {}).items():
        check_schema(part, f"{where}.{name}")
    if "items" in schema:
        check_schema(schema["items"], f"{where}[]")


def faults(value: object, schema: Mapping[str, Any], where: str = "answer") -> Iterator[str]:
    """Yield one sentence for each place where ``value`` does not fit ``schema``."""
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        yield f"{where} is {type(value).__name__}, not {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, none of {schema['enum']}"
    if isinstance(value, dict):
        yield from _object_faults(value, schema, where)
    elif isinstance(value, list):
        yield from _array_faults(value, schema, where)
    elif isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{where} is shorter than {schema['minLength']} characters"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number_faults(value, schema, where)


def _object_faults(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where} lacks {name}"
    for name, part in schema.get("properties", {}).items():
        if name in value:
            yield from faults(value[name], part, f"{where}.{name}")


def _array_faults(value: Sequence[object], schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{where} has {len(value)} entries, fewer than {schema['minItems']}"
    if "items" in schema:
        for index, entry in enumerate(value):
            yield from faults(entry, schema["items"], f"{where}[{index}]")


def _number_faults(value: float, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"{where} is {value}, below {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield f"{where} is {value}, above {schema['maximum']}"


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):  # a bool is an int to Python, not to JSON
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
