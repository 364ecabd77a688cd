"""How one mistake is mended in many quarantined items at once: small edits of JSON, named by a path.

A path walks through objects by name (`properties.total`); in a list it goes into every element. Raw bytes that are
no JSON stay as they are. Nothing here knows a protocol.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

Operation = Literal["rename", "set", "remove", "text", "number"]


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One edit: `rename` a member to `to`, `set` it to `value`, `remove` it, or read it as `text` or `number`.

    `set` makes a missing member; the others leave an object without the member alone.
    """

    op: Operation
    path: str
    to: str = ""
    value: str | int | float | bool | None = None


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
