"""The functions' OpenAPI schemas in the dialect that API Gateway validates with: JSON Schema draft 4.

Pure: dictionaries in, dictionaries out. OpenAPI 3.1 speaks draft 2020-12. What draft 4 cannot say is left out, so the
gateway may let through what the function then refuses, never the other way round.
https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DRAFT_4: Final = "http://json-schema.org/draft-04/schema#"
_COMPONENTS: Final = "#/components/schemas/"
_SAME: Final = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "enum",
        "items",
        "maximum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "minimum",
        "minItems",
        "minLength",
        "minProperties",
        "multipleOf",
        "not",
        "oneOf",
        "pattern",
        "properties",
        "required",
        "type",
        "uniqueItems",
    }
)
_MAPS: Final = frozenset({"properties"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf"})
_SINGLE: Final = frozenset({"items", "additionalProperties", "not"})


class SchemaError(ValueError):
    """A schema of the OpenAPI document that cannot be carried over; the text names it."""


def request_schema(document: Mapping[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """Give the schema of a route's JSON body in draft 4, complete in itself.

    Returns
    -------
    dict or None
        None if the document does not describe a JSON body for this route.

    Raises
    ------
    SchemaError
        If the schema refers to something that the document does not hold.
    """
    operation = document.get("paths", {}).get(path, {}).get(method.lower(), {})
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return None
    components = document.get("components", {}).get("schemas", {})
    names: list[str] = []
    converted = _convert(schema, names)
    if "$ref" in converted:  # in draft 4 a reference silences everything beside it
        converted = {"allOf": [converted]}
    definitions: dict[str, Any] = {}
    for name in names:  # grows while definitions refer to further ones
        if name not in components:
            message = f"{method} {path}: the OpenAPI document has no schema {name!r}"
            raise SchemaError(message)
        definitions[name] = _convert(components[name], names)
    return {
        "$schema": DRAFT_4,
        "title": f"{method} {path}",
        **converted,
        **({"definitions": definitions} if definitions else {}),
    }


def _convert(schema: Any, names: list[str]) -> Any:  # noqa: ANN401 -- JSON: an object or a boolean
    if isinstance(schema, bool):
        return schema
    if reference := schema.get("$ref"):
        return {"$ref": f"#/definitions/{_name(reference, names)}"}
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS:
            result[key] = {name: _convert(part, names) for name, part in value.items()}
        elif key in _LISTS:
            result[key] = [_convert(part, names) for part in value]
        elif key in _SINGLE:
            result[key] = _convert(value, names)
        elif key in _SAME:
            result[key] = value
        elif key == "const":
            result["enum"] = [value]
    _exclusive(schema, result, "exclusiveMinimum", "minimum", max)
    _exclusive(schema, result, "exclusiveMaximum", "maximum", min)
    return result


def _exclusive(
    schema: Mapping[str, Any],
    result: dict[str, Any],
    exclusive: str,
    bound: str,
    tighter: Callable[[float, float], float],
) -> None:
    """Draft 4 marks a bound as exclusive instead of holding the number."""
    limit = schema.get(exclusive)
    if limit is None or isinstance(limit, bool):
        return
    if bound not in result or (result[bound] != limit and tighter(result[bound], limit) == limit):
        result[bound], result[exclusive] = limit, True
    elif result[bound] == limit:
        result[exclusive] = True


def _name(reference: str, names: list[str]) -> str:
    if not reference.startswith(_COMPONENTS):
        message = f"reference {reference!r} does not lead into the document's components"
        raise SchemaError(message)
    name = reference.removeprefix(_COMPONENTS)
    if name not in names:
        names.append(name)
    return name
