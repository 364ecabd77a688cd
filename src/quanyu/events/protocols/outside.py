"""Native events that come over the network: what the product's own code need not be asked, these are.

A misspelt member, trait operations of another shape or a number beyond 64 bits must end in quarantine with their row,
and never reach what trusts the product's own events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events.checks import Refused
from quanyu.events.contracts import NativeEvent
from quanyu.events.protocols.shared import ungrammatical
from quanyu.events.rows import MAX_AMOUNT, MAX_EVENT_BYTES, MAX_TEXT

CALL = "bulk"  # how a frame's header marks such events
_MAX_LIST = 2000
_PATH = re.compile(r" - at `\$\.?(.*)`$")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SHORT = (
    "channel",
    "touchpoint",
    "store_id",
    "staff_id",
    "effect_id",
    "session_id",
    "order_id",
    "currency",
    "replaces",
)

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


class _Event(NativeEvent, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A native event that may say nothing else."""


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    namespace: str
    value: str


class _Tag(msgspec.Struct, forbid_unknown_fields=True):
    group: _Name
    name: _Name


class _Operations(msgspec.Struct, forbid_unknown_fields=True):
    set: dict[_Name, Any] | None = None
    set_once: dict[_Name, Any] | None = None
    increment: dict[_Name, float] | None = None
    append: dict[_Name, list[Any]] | None = None
    unset: list[_Name] | None = None
    delete: bool = False
    unbind: list[_Named] | None = None
    tags: list[_Tag] | None = None


class _Consent(msgspec.Struct, forbid_unknown_fields=True):
    purpose: str
    channel: str
    status: str
    notice_version: str | None = None
    evidence: Any = None


_event = msgspec.json.Decoder(_Event)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_operations = msgspec.json.Decoder(_Operations)
_consents = msgspec.json.Decoder(list[_Consent])


def read(raw: bytes) -> NativeEvent:
    """One event of a line. Raises Refused, naming the member."""
    if len(raw) > MAX_EVENT_BYTES:
        raise Refused("too_large", "", f"{len(raw)} bytes")
    if b"\\u0000" in raw:
        raise Refused("control_character")
    try:
        event = _event.decode(raw)
        msgspec.convert(event.traits, _Operations)
        msgspec.convert(event.consent, list[_Consent])
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ungrammatical(raw, error) from None
    if not isinstance(event.occurred_at, int) and event.occurred_at.tzinfo is None:
        raise Refused("bad_time", "occurred_at", "a time without a time zone is no instant")
    for name in _SHORT:
        given = getattr(event, name)
        if given is not None and (len(given) > MAX_TEXT or "\0" in given):
            raise Refused("bad_field", name, f"longer than {MAX_TEXT} characters, or with a NUL")
    if event.currency is not None and not _CURRENCY.fullmatch(event.currency):
        raise Refused("bad_currency", "currency", "three letters of ISO 4217")
    if max(len(event.identifiers), len(event.items)) > _MAX_LIST:
        raise Refused("bad_field", "items", f"more than {_MAX_LIST} items or identifiers")
    for index, item in enumerate(event.items):
        if max(abs(item.unit_price or 0), abs(item.amount or 0)) > MAX_AMOUNT:
            raise Refused("bad_amount", f"items[{index}]", "out of range")
    if abs(event.amount or 0) > MAX_AMOUNT:
        raise Refused("bad_amount", "amount", "out of range")
    if isinstance(event.occurred_at, int) and abs(event.occurred_at) >= 1 << 62:
        raise Refused("bad_time", "occurred_at", "out of range")
    return event


def judge(table: pa.Table, codes: dict[str, int]) -> np.ndarray[Any, Any]:
    """For each row of a table the number (of `codes`, by column) of a check that it fails, 0 for none."""
    code = np.zeros(table.num_rows, np.int8)
    checks: Sequence[tuple[str, Callable[[bytes], Any]]] = (
        ("consent", _consents.decode),
        ("traits", _operations.decode),
        ("properties", _object.decode),
    )
    for name, decode in checks:
        column = table.column(name)
        for index in np.flatnonzero(column.is_valid().to_numpy()).tolist():
            try:
                decode(column[index].as_py().encode())
            except (msgspec.MsgspecError, RecursionError, ValueError):
                code[index] = codes[name]
    for name in _SHORT:
        column = table.column(name)
        wrong = pc.or_(pc.greater(pc.utf8_length(column), MAX_TEXT), pc.match_substring(column, "\0"))
        code[pc.fill_null(wrong, fill_value=False).to_numpy()] = codes["short"]
    currency = pc.invert(pc.match_substring_regex(table.column("currency"), "^[A-Z]{3}$"))
    code[pc.fill_null(currency, fill_value=False).to_numpy()] = codes["currency"]
    return code


def _invalid(error: msgspec.ValidationError) -> Refused:
    text = str(error)
    path = _PATH.search(text)
    return Refused("bad_field", path.group(1) if path else "", _PATH.sub("", text))
