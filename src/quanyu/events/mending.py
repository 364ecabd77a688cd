"""How one mistake is mended in many quarantined items at once: small edits of JSON, named by a path.

A path walks through objects by name (`properties.total`); in a list it goes into every element. Raw bytes that are
no JSON stay as they are. Nothing here knows a protocol.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from quanyu.events import errors
from quanyu.kernel.label import Label

Operation = Literal["rename", "set", "remove", "text", "number"]


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One edit: `rename` a member to `to`, `set` it to `value`, `remove` it, or read it as `text` or `number`.

    `set` makes a missing member; the others leave an object without the member alone.
    """

    op: Operation
    path: str
    to: str = ""
    value: str | int | float | bool | None = None


def check(edits: Sequence[Edit]) -> None:
    """Raises Invalid for the first edit that has a name missing, or a path where a name belongs."""
    for number, edit in enumerate(edits, 1):
        if not all(name.strip() for name in edit.path.split(".")):
            raise errors.edit_invalid(
                number,
                Label(
                    f"路径“{edit.path}”里有空的一段；请写成 properties.total 这样，点号之间都有字段名",
                    f'the path "{edit.path}" has an empty part; write a name between all dots, as in properties.total',
                ),
            )
        if edit.op == "rename" and (not edit.to.strip() or "." in edit.to):
            raise errors.edit_invalid(
                number,
                Label(
                    f"新名字“{edit.to}”须为一个不含点号的字段名；字段改名后仍在原来的位置",
                    f'the new name "{edit.to}" must be one name without dots; a field stays where it is',
                ),
            )


def mend(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """`raw` with all edits made, in order; the same bytes when nothing changes or it is no JSON."""
    if not edits:
        return raw
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    before = json.dumps(document, ensure_ascii=False)
    for edit in edits:
        for event in _events(document):
            _walk(event, edit.path.split("."), edit)
    after = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return raw if json.dumps(document, ensure_ascii=False) == before else after.encode()


def _events(document: Any) -> list[Any]:
    """The events of a document: itself, its `batch`, or its elements."""
    if isinstance(document, dict) and isinstance(document.get("batch"), list):
        return list(document["batch"])
    return document if isinstance(document, list) else [document]


def _walk(value: Any, path: list[str], edit: Edit) -> None:
    if isinstance(value, list):
        for member in value:
            _walk(member, path, edit)
    elif isinstance(value, dict):
        if len(path) == 1:
            _change(value, path[0], edit)
        elif path[0] in value:
            _walk(value[path[0]], path[1:], edit)


def _change(holder: dict[str, Any], name: str, edit: Edit) -> None:
    if edit.op == "set":
        holder[name] = edit.value
    elif name not in holder:
        return
    elif edit.op == "remove":
        del holder[name]
    elif edit.op == "rename":
        holder[edit.to] = holder.pop(name)
    elif edit.op == "text":
        holder[name] = holder[name] if isinstance(holder[name], str) else json.dumps(holder[name], ensure_ascii=False)
    else:
        holder[name] = _number(holder[name])


def _number(value: Any) -> Any:
    """A number out of what people write: `¥1,299.00` is 1299.0; what is none stays as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip().lstrip("¥￥$€").replace(",", "").replace("，", "").removesuffix("元").strip()
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return value
