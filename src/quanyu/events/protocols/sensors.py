"""The 神策 (Sensors Analytics) SA protocol: opening a request into its single messages.

`data` is one message and `data_list` an array, as base64 of JSON, often of gzip of JSON, in a query or a form
whatever the Content-Type says. `crc` is Java's string hash of the base64 text, not a CRC-32. What the messages
mean is in `sensors_messages.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from quanyu.events.bodies import BadEncoding, inflate, looks_like_json, unbase64
from quanyu.events.protocols.segment import MAX_EVENTS, unreadable
from quanyu.events.protocols.splitting import split_array

PROTOCOL = "sensors"
_ENCRYPTED = "9"
_BOM = b"\xef\xbb\xbf"

_list = msgspec.json.Decoder(list[msgspec.Raw])


class _Routing(msgspec.Struct):
    token: str | None = None


_routing = msgspec.json.Decoder(list[_Routing])


@dataclass(frozen=True, slots=True)
class Opened:
    """A request cut into its messages. `exact` says that it was valid JSON as a whole."""

    messages: list[msgspec.Raw] | list[bytes]
    exact: bool


def payload_of(fields: Mapping[str, str], limit: int) -> bytes:
    """The JSON text that a form or query carries. Raises BadEncoding, TooLarge."""
    name = "data_list" if fields.get("data_list") else "data"
    text = fields.get(name, "")
    if not text:
        raise BadEncoding("no_data", "neither data nor data_list")
    if fields.get("gzip") == _ENCRYPTED:
        raise BadEncoding("encrypted_payload", "gzip=9: the SDK's encryption is not supported")
    claimed = _claimed_crc(fields)
    if claimed is not None and claimed != java_hash(text):
        raise BadEncoding("bad_crc", f"crc {claimed} does not fit {name}")
    if looks_like_json(text[:64].encode("utf-8", "replace")):
        return text.encode()  # JSON text without base64, as people send it by hand
    return inflate(unbase64(text), limit)


def open_payload(payload: bytes) -> Opened:
    """The messages of a JSON text, one object or an array. Raises BadEncoding."""
    body = payload.removeprefix(_BOM).strip()
    if body[:1] == b"{":
        return Opened([msgspec.Raw(body)], exact=True)
    try:
        messages = _list.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        split = split_array(body) if body[:1] == b"[" else None
        if split is None:
            raise unreadable(body, error) from error
        return _within_limit(Opened(split[0], exact=False))
    return _within_limit(Opened(messages, exact=True))


def tokens(payload: bytes, opened: Opened) -> list[str | None]:
    """The token that each message names for itself, if any."""
    if b'"token"' not in payload:
        return [None] * len(opened.messages)
    found = []
    for message in opened.messages:
        try:
            found.append(_routing.decode(b"[" + bytes(message) + b"]")[0].token or None)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            found.append(None)
    return found


def java_hash(text: str) -> int:
    """Java's `String.hashCode`: signed 32 bits of h = 31·h + c."""
    value = 0
    for byte in text.encode("latin-1", "replace"):
        value = (value * 31 + byte) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def _claimed_crc(fields: Mapping[str, str]) -> int | None:
    text = fields.get("crc") or fields.get("ext", "").removeprefix("crc=")
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _within_limit(opened: Opened) -> Opened:
    if len(opened.messages) > MAX_EVENTS:
        raise BadEncoding("too_many_events", f"{len(opened.messages)} events; the limit is {MAX_EVENTS}")
    return opened
