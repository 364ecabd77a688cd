"""Requests made from the OpenAPI document: for every operation the path, query and body that its schema asks for.

Values come by field name from the samples of a brand; what has no sample is made from the schema.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Fields that name a new thing, each time another.
_NEW = {"username", "source", "connection", "name", "zh"}
_fresh: list[tuple[int, itertools.count[int]]] = [(0, itertools.count(1))]
_TYPES: dict[str, type] = {"string": str, "integer": int, "array": list, "object": dict}
_ORDER = ("get", "put", "patch", "post", "delete")


def begin(round_: int) -> None:
    """Name new things from here on as in every other round of this number, and in no other round."""
    _fresh[0] = (round_, itertools.count(1))


def fresh() -> str:
    """A name that nothing has yet."""
    round_, count = _fresh[0]
    return f"new{round_}x{next(count)}"


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    name: str
    method: str
    path: str
    path_fields: tuple[str, ...]
    query_fields: tuple[tuple[str, bool], ...]
    body: Mapping[str, Any] | None

    @property
    def reads(self) -> bool:
        return self.method == "get"


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation under /api/v1, readers first and deletions last."""
    found = []
    for path, item in document["paths"].items():
        for method, one in item.items():
            if not path.startswith("/api/v1"):
                continue
            given = one.get("parameters", [])
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            found.append(
                Operation(
                    one["operationId"],
                    method,
                    path,
                    tuple(field["name"] for field in given if field["in"] == "path"),
                    tuple((field["name"], bool(field.get("required"))) for field in given if field["in"] == "query"),
                    body,
                )
            )
    return sorted(found, key=lambda one: (_ORDER.index(one.method), one.name))


def query(operation: Operation, samples: Mapping[str, Any]) -> dict[str, Any]:
    """What the operation needs in its query."""
    return {name: samples.get(name, "x") for name, required in operation.query_fields if required}


def body(operation: Operation, document: Mapping[str, Any], samples: Mapping[str, Any]) -> Any:
    """A body that the schema accepts: what is required, and what there is a sample of."""
    return None if operation.body is None else _value(operation.body, "", document, samples)


def _value(schema: Mapping[str, Any], name: str, document: Mapping[str, Any], samples: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], name, document, samples)
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], name, document, samples)
    if name in _NEW and schema.get("type") == "string":
        return fresh()
    if name in samples and isinstance(samples[name], _TYPES.get(schema.get("type", ""), object)):
        return samples[name]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object" or "properties" in schema:
        wanted = set(schema.get("required", ())) | {one for one in schema.get("properties", {}) if one in samples}
        return {
            key: _value(field, key, document, samples)
            for key, field in schema.get("properties", {}).items()
            if key in wanted
        }
    if schema.get("type") == "array":
        if name in samples:
            return [samples[name]]
        return [_value(schema["items"], name.removesuffix("s"), document, samples)]
    if schema.get("type") in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if schema.get("type") == "boolean":
        return False
    return "some words of text"
