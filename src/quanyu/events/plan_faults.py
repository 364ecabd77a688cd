"""Why a document is no tracking plan, in both languages and with the place in it. What a plan is: `plan.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from quanyu.kernel.label import Label

_SAYS = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(.*?)`, got `(.*?)`")
_ENUM = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_TYPES = {
    "str": Label("文本", "text"),
    "int": Label("整数", "whole number"),
    "float": Label("数字", "number"),
    "bool": Label(" true 或 false", "true or false"),
    "array": Label("列表", "list"),
    "object": Label("对象（名称: 值）", "object (name: value)"),
    "null": Label("空", "nothing"),
    "date": Label("日期（要文本请加引号）", "date (quote it for a text)"),
    "datetime": Label("时间（要文本请加引号）", "time (quote it for a text)"),
}


def explained(document: Any, models: tuple[type, type, type], error: msgspec.ValidationError) -> tuple[str, Label]:
    """(place, what is wrong there) of a document that is no plan. `models` are the plan, its event, its property.

    msgspec does not say under which name of an object it stumbled: the parts are tried one by one.
    """
    plan, event, one = models
    for where, part, model in _parts(document, event, one):
        try:
            msgspec.convert(part, model)
        except msgspec.ValidationError as found:
            return _explained(where, model, found)
    return _explained("", plan, error)


def _parts(document: Any, event: type, one: type) -> Iterator[tuple[str, Any, type]]:
    events = document.get("events") if isinstance(document, Mapping) else None
    for name, given in events.items() if isinstance(events, Mapping) else ():
        properties = given.get("properties") if isinstance(given, Mapping) else None
        if not isinstance(properties, Mapping):
            yield f"events.{name}", given, event
            continue
        for key, inner in properties.items():
            yield f"events.{name}.properties.{key}", inner, one
        yield f"events.{name}", {**given, "properties": {}}, event


def _explained(where: str, model: type, error: msgspec.ValidationError) -> tuple[str, Label]:
    found = _SAYS.match(str(error))
    assert found is not None
    path = (found["path"] or "").replace("[...]", "").lstrip(".")
    place = ".".join(step for step in (where, path) if step)
    if found["key"]:
        return place, Label("名称应为文本，请加引号", "A name must be a text: quote it")
    return place, _why(found["what"], model, path)


def _why(said: str, model: type, path: str) -> Label:
    if match := _UNKNOWN.match(said):
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(model))
        return Label(f"没有 {match[1]} 这一项；可用：{known}", f"There is no field {match[1]}, only {known}")
    if match := _EXPECTED.match(said):
        wanted, got = _named(match[1]), _named(match[2])
        return Label(f"应为{wanted.zh}，却是{got.zh}", f"Expected {wanted.en}, but it is {got.en}")
    if match := _ENUM.match(said):
        field = next((one for one in msgspec.structs.fields(model) if one.encode_name == path), None)
        values = ", ".join(_values(msgspec.inspect.type_info(field.type))) if field else ""
        return Label(f"不能是 {match[1]}；可用：{values}", f"It cannot be {match[1]}, only {values}")
    return Label("写法不对，请对照导出的 YAML 修改", f"{said}: compare with the exported YAML")


def _named(types: str) -> Label:
    known = [_TYPES.get(one.strip(), Label(one.strip(), one.strip())) for one in types.split("|")]
    return Label("或".join(one.zh for one in known), " or ".join(one.en for one in known))


def _values(kind: msgspec.inspect.Type) -> list[str]:
    if isinstance(kind, msgspec.inspect.LiteralType):
        return [str(value) for value in kind.values]
    return [value for one in getattr(kind, "types", ()) for value in _values(one)]
