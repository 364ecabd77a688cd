"""What the protocols share: objects out of raw JSON, additions to it, and traits that are identifiers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from quanyu.events.checks import Refused
from quanyu.events.names import TRAIT_IDENTIFIERS
from quanyu.events.rows import Identifier
from quanyu.events.values import text

log = logging.getLogger(__name__)

_object = msgspec.json.Decoder(dict[str, Any])


def object_of(raw: bytes, where: str) -> dict[str, Any]:
    """The object in raw JSON; empty for nothing and null. Raises Refused for anything else."""
    if not raw or raw == b"null":
        return {}
    try:
        return _object.decode(raw)
    except msgspec.ValidationError as error:
        if "out of range" in str(error):
            raise Refused("not_a_number", where, "a number is out of range") from None
        raise Refused("bad_traits" if "traits" in where else "bad_properties", where, str(error)) from None


def splice(raw: bytes, extra: Mapping[str, Any], members: str = "") -> str:
    """Raw JSON of an object as text, with more members; never parsed, only joined.

    `members` is JSON of members already, without braces. Raises UnicodeDecodeError when `raw` is not UTF-8.
    """
    body = raw.decode() if raw and raw != b"null" else "{}"
    if extra:
        added = msgspec.json.encode(extra).decode()[1:-1]
        members = f"{members},{added}" if members else added
    if not members:
        return body
    rest = body.lstrip()[1:].lstrip()
    return f"{{{members}{rest}" if rest.startswith("}") else f"{{{members},{rest}"


def traits_and_identifiers(operations: dict[str, Any]) -> tuple[str | None, list[Identifier]]:
    """Trait operations as JSON, without those traits that are identifiers, and these. Raises Refused."""
    identifiers: list[Identifier] = []
    for operation in ("set", "set_once"):
        values = operations.get(operation)
        if not isinstance(values, dict):
            continue
        for name in [name for name in values if name in TRAIT_IDENTIFIERS]:
            found = text(values.pop(name), f"traits.{name}")
            if found:
                identifiers.append((TRAIT_IDENTIFIERS[name], found))
    kept = {name: value for name, value in operations.items() if value}
    if not kept:
        return None, identifiers
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), allow_nan=False), identifiers


def ungrammatical(raw: bytes, error: Exception) -> Refused:
    """Why one event's JSON cannot be read: not an object, too deep, not UTF-8, no number, or plain wrong."""
    if isinstance(error, RecursionError):
        return Refused("too_deep")
    if isinstance(error, msgspec.ValidationError):
        if "out of range" in str(error):
            return Refused("not_a_number", "", str(error))
        return Refused("not_an_object", "", str(error))
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return Refused("not_utf8", "", f"byte {wrong.start}: {wrong.reason}")
    if any(word in raw for word in (b"NaN", b"Infinity")):
        return Refused("not_a_number", "", str(error))
    return Refused("malformed_json", "", str(error))


def unforeseen(error: Exception) -> Refused:
    """A mistake of ours that one event brought to light: the event is kept, and the log says where to look."""
    log.error("event_decoding_crashed", exc_info=error)
    return Refused("unforeseen", "", type(error).__name__)
