"""The Segment HTTP API, as Segment's and RudderStack's SDKs speak it: opening a body into its single calls.

What the calls mean is in `segment_calls.py`. Captures of every SDK: the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from quanyu.events.bodies import BadEncoding
from quanyu.events.protocols.splitting import split_array

PROTOCOL = "segment"
BATCH = "batch"
CALLS = {
    "t": "track",
    "i": "identify",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
    "b": BATCH,
}
MAX_EVENTS = 10_000
_BOM = b"\xef\xbb\xbf"


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    writeKey: Any = None  # noqa: N815 - the protocol's name
    sentAt: Any = None  # noqa: N815


class _Single(msgspec.Struct):
    type: Any = None
    batch: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    writeKey: Any = None  # noqa: N815
    sentAt: Any = None  # noqa: N815


_batch = msgspec.json.Decoder(_Batch)
_single = msgspec.json.Decoder(_Single)
_bodies = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Opened:
    """A body cut into its calls. `exact` says that it was valid JSON as a whole."""

    calls: list[msgspec.Raw] | list[bytes]
    write_key: str | None
    sent_at: Any
    exact: bool


def open_body(call: str, body: bytes) -> Opened:
    """The calls in a body sent to `/v1/<call>`. Raises BadEncoding when there is no telling them apart."""
    body = body.removeprefix(_BOM)
    opened = _open_batch(body) if call == BATCH else _open_single(body)
    if len(opened.calls) > MAX_EVENTS:
        raise BadEncoding("too_many_events", f"{len(opened.calls)} events; the limit is {MAX_EVENTS}")
    return opened


def join(bodies: Sequence[bytes]) -> bytes:
    """The payload of a frame for the bodies of single calls: the body, or a JSON array of several."""
    return bodies[0] if len(bodies) == 1 else b"[" + b",".join(bodies) + b"]"


def open_payload(call: str, payload: bytes) -> Opened:
    """`open_body` for the payload of a frame, which may be what `join` made. Raises BadEncoding."""
    if call == BATCH or payload[:1] != b"[":
        return open_body(call, payload)
    return Opened(_bodies.decode(payload), None, None, exact=True)


def _open_batch(body: bytes) -> Opened:
    try:
        envelope = _batch.decode(body)
    except msgspec.ValidationError as error:
        single = _single_in_batch(body)
        if single is not None:
            return single
        raise BadEncoding("batch_missing", str(error)) from error
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return _saved(body, error)
    return Opened(envelope.batch, _text(envelope.writeKey), envelope.sentAt, exact=True)


def _single_in_batch(body: bytes) -> Opened | None:
    """One call without an envelope, sent to the batch address by mistake: it says what it is, so it is taken."""
    try:
        single = _single.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    if not isinstance(single.type, str) or single.batch is not msgspec.UNSET:
        return None
    return Opened([msgspec.Raw(body)], _text(single.writeKey), single.sentAt, exact=True)


def _open_single(body: bytes) -> Opened:
    try:
        single = _single.decode(body)
    except msgspec.ValidationError as error:
        raise BadEncoding("not_an_object", str(error)) from error
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise unreadable(body, error) from error
    return Opened([msgspec.Raw(body)], _text(single.writeKey), single.sentAt, exact=True)


def _saved(body: bytes, error: Exception) -> Opened:
    """The calls of a body that is not JSON as a whole: the good ones and the bad ones, each by itself."""
    split = split_array(body, "batch")
    if split is None:
        raise unreadable(body, error) from error
    calls, rest = split
    try:
        envelope = _batch.decode(rest)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise unreadable(body, error) from error
    return Opened(calls, _text(envelope.writeKey), envelope.sentAt, exact=False)


def unreadable(body: bytes, error: Exception) -> BadEncoding:
    """Why a body is not JSON: its encoding, its depth, or its grammar."""
    if isinstance(error, RecursionError):
        return BadEncoding("too_deep", "nested too deeply")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return BadEncoding("not_utf8", f"byte {wrong.start}: {wrong.reason}")
    return BadEncoding("malformed_json", str(error))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
