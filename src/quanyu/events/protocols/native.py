"""Events in our own shape: JSON of `NativeEvent` for single ones, Arrow for tables.

The product records them itself, and others send them in bulk: then one event a line, and more is asked of them
(`outside.py`). A table is checked and completed column by column; no row of it becomes a Python object unless it is
refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events import errors
from quanyu.events.checks import Refused
from quanyu.events.contracts import (
    BATCH_SCHEMA,
    CHANNELS,
    EVENT_SCHEMA,
    NAMESPACES,
    Frame,
    NativeEvent,
)
from quanyu.events.protocols import outside
from quanyu.events.protocols.shared import unforeseen, ungrammatical
from quanyu.events.protocols.splitting import split_array
from quanyu.events.rows import FUTURE_MICROS, MAX_AMOUNT, MAX_ID, MAX_NAME, OLDEST_AT, Draft, Origin, days
from quanyu.kernel.clock import micros
from quanyu.kernel.label import Label

PROTOCOL = "native"
TABLE_PROTOCOL = "arrow"
TABLE_ROWS = 20_000
_REQUIRED = ("event_id", "name", "occurred_at")
_SET_HERE = frozenset({"source", "received_at", "day", "brand", "brand_id", "person_id", "anchor_id", "identifiers"})
OFFERED = tuple(field.name for field in BATCH_SCHEMA if field.name not in _SET_HERE)

_encoder = msgspec.json.Encoder()
_events = msgspec.json.Decoder(list[msgspec.Raw])
_event = msgspec.json.Decoder(NativeEvent)


def encode(events: Sequence[NativeEvent]) -> bytes:
    """A frame's payload for events. NaN and infinity become null: JSON has no word for them."""
    return _encoder.encode(events)


def drafts(frame: Frame, origin: Origin) -> Iterator[Draft | Refused]:
    """One draft, or the reason why there is none, for each event of the frame, in order."""
    read = outside.read if frame.header.call == outside.CALL else _event.decode
    for raw in elements(frame.payload):
        try:
            yield _draft(read(raw), origin)
        except Refused as reason:
            yield reason
        except msgspec.ValidationError as error:
            yield Refused("bad_field", "", str(error))
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            yield ungrammatical(raw, error)
        except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not stop the others
            yield unforeseen(error)


def lines(payload: bytes) -> bytes:
    """A payload of one event a line; blank lines are no events, but count as lines."""
    return b"\n" + payload


def row_of(frame: Frame, index: int) -> int | None:
    """The number (from 1) that the sender's stream gives to an event of the frame; None where it had none."""
    first, payload = frame.header.first_row, frame.payload
    if not first or index >= frame.header.events:
        return None
    if frame.header.protocol == TABLE_PROTOCOL or payload[:1] != b"\n":
        return first + index
    filled = [place for place, line in enumerate(payload[1:].split(b"\n")) if line.strip()]
    return first + filled[index]


def elements(payload: bytes) -> list[bytes]:
    """The JSON of each event, of an array or of lines; one object counts as a list of one."""
    if payload[:1] == b"\n":
        return [line for line in payload.split(b"\n") if line.strip()]
    body = payload.strip()
    if body[:1] == b"{":
        return [body]
    try:
        return [bytes(raw) for raw in _events.decode(body)]
    except (msgspec.MsgspecError, RecursionError, ValueError):
        split = split_array(body) if body[:1] == b"[" else None
        return split[0] if split is not None else [body]  # refused as one, with the reason that reading it gives


def _draft(event: NativeEvent, origin: Origin) -> Draft:
    at = event.occurred_at if isinstance(event.occurred_at, int) else micros(event.occurred_at)
    return Draft(
        event.event_id,
        event.name,
        at,
        identifiers=list(dict.fromkeys((one.namespace, one.value) for one in event.identifiers)),
        properties=_encoder.encode(event.properties).decode(),
        traits=_encoder.encode(event.traits).decode() if event.traits else None,
        channel=event.channel,
        touchpoint=event.touchpoint,
        store_id=event.store_id,
        staff_id=event.staff_id,
        effect_id=event.effect_id,
        session_id=event.session_id,
        order_id=event.order_id,
        items=[(item.sku, item.quantity, item.unit_price, item.amount) for item in event.items] or None,
        amount=event.amount,
        currency=event.currency or (origin.currency if event.amount is not None or event.items else None),
        consent=_encoder.encode(event.consent).decode() if event.consent else None,
        replaces=event.replaces,
    )


# ------------------------------------------------------------------------------------------------------- tables
@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row of a table that fails a check, as the JSON of a native event, so that it can be mended and replayed."""

    index: int
    refused: Refused
    raw: bytes


def frames_of(table: pa.Table) -> Iterator[tuple[int, bytes]]:
    """The table as payloads of bounded size, each with its number of rows. Raises Invalid for wrong columns."""
    table = offered(table)
    for begin in range(0, table.num_rows, TABLE_ROWS):
        part = table.slice(begin, TABLE_ROWS).combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema) as stream:
            stream.write_table(part)
        yield part.num_rows, sink.getvalue().to_pybytes()


def offered(table: pa.Table) -> pa.Table:
    """The table with exactly the columns that a connector may give, typed. Raises Invalid, naming the column."""
    unknown = sorted(set(table.column_names) - set(OFFERED))
    missing = [name for name in _REQUIRED if name not in table.column_names]
    if unknown or missing:
        raise errors.table_refused(
            Label(
                f"缺少列 {missing}，多余列 {unknown}；可用列：{', '.join(OFFERED)}",
                f"missing columns {missing}, unknown columns {unknown}; columns are {', '.join(OFFERED)}",
            )
        )
    columns = []
    for name in OFFERED:
        wanted = BATCH_SCHEMA.field(name).type
        if name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, wanted))
            continue
        try:
            columns.append(_instants(table.column(name)) if name == "occurred_at" else table.column(name).cast(wanted))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise errors.table_refused(Label(f"列 {name}：{error}", f"column {name}: {error}")) from error
    return pa.table(columns, schema=pa.schema([BATCH_SCHEMA.field(name) for name in OFFERED]))


def _instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise pa.ArrowInvalid("a timestamp without a time zone is no instant")
        return column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return column.cast(pa.int64())


def read_table(frame: Frame, origin: Origin) -> tuple[pa.Table, list[RefusedRow]]:
    """A frame's table as `BATCH_SCHEMA`, and the rows of it that fail a check."""
    with pa.ipc.open_stream(pa.py_buffer(frame.payload)) as stream:
        table = stream.read_all().combine_chunks()
    reasons = _judge(table, origin.received_at, from_outside=frame.header.call == outside.CALL)
    bad = np.flatnonzero(reasons["code"])
    refused = []
    if len(bad):
        for index in bad:
            code, where = _CODES[int(reasons["code"][index])]
            raw = json.dumps(_as_native(table.slice(int(index), 1).to_pylist()[0]), ensure_ascii=False).encode()
            refused.append(RefusedRow(int(index), Refused(code, where), raw))
        table = table.filter(pa.array(reasons["code"] == 0))
    return _completed(table, origin), refused


_CODES: dict[int, tuple[str, str]] = {
    1: ("bad_event_id", "event_id"),
    2: ("name_missing", "name"),
    3: ("bad_name", "name"),
    4: ("bad_time", "occurred_at"),
    5: ("time_too_old", "occurred_at"),
    6: ("time_in_future", "occurred_at"),
    7: ("bad_amount", "amount"),
    8: ("unknown_namespace", "raw_identifiers"),
    9: ("bad_identifier", "raw_identifiers"),
    10: ("bad_properties", "properties"),
    11: ("control_character", "properties"),
    12: ("bad_quantity", "items"),
    13: ("bad_consent", "consent"),
    14: ("bad_traits", "traits"),
    15: ("bad_field", ""),
    16: ("bad_currency", "currency"),
}
_OUTSIDE_CODES = {"properties": 10, "consent": 13, "traits": 14, "short": 15, "currency": 16}


def _judge(table: pa.Table, received_at: int, *, from_outside: bool) -> Mapping[str, np.ndarray[Any, Any]]:
    """For each row the number of the first check that it fails, 0 for none."""
    code = np.zeros(table.num_rows, np.int8)

    def fail(number: int, wrong: Any) -> None:
        mask = pc.fill_null(wrong, fill_value=True).to_numpy(zero_copy_only=False)
        code[(code == 0) & mask] = number

    ids, names, at = (table.column(name).combine_chunks() for name in _REQUIRED)
    length = pc.utf8_length(ids)
    fail(1, pc.or_(pc.or_(pc.less(length, 1), pc.greater(length, MAX_ID)), pc.match_substring(ids, "\0")))
    length = pc.utf8_length(names)
    fail(2, pc.less(length, 1))
    fail(3, pc.or_(pc.greater(length, MAX_NAME), pc.match_substring_regex(names, r"[\x00-\x1f\x7f]")))
    fail(4, pc.is_null(at))
    fail(5, pc.less(at, OLDEST_AT))
    fail(6, pc.greater(at, received_at + FUTURE_MICROS))
    amount = table.column("amount").combine_chunks()
    fail(7, pc.fill_null(pc.or_(pc.greater(amount, MAX_AMOUNT), pc.less(amount, -MAX_AMOUNT)), False))
    for number, wrong in _bad_identifiers(table.column("raw_identifiers").combine_chunks()):
        code[(code == 0) & wrong] = number
    properties = table.column("properties").combine_chunks()
    fail(10, pc.fill_null(pc.invert(pc.match_substring_regex(properties, r"^\s*\{[\s\S]*\}\s*$")), False))
    fail(11, pc.fill_null(pc.match_substring(properties, "\\u0000"), False))
    code[(code == 0) & _bad_items(table.column("items").combine_chunks())] = 12
    if from_outside:
        strict = outside.judge(table, _OUTSIDE_CODES)
        code[code == 0] = strict[code == 0]
    return {"code": code}


def _bad_identifiers(lists: pa.ListArray) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    flat = lists.flatten()
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    namespaces, values = pc.struct_field(flat, [0]), pc.struct_field(flat, [1])
    unknown = pc.invert(pc.is_in(namespaces, pa.array(sorted(NAMESPACES))))
    size = pc.utf8_length(values)
    bad = pc.or_(pc.or_(pc.less(size, 1), pc.greater(size, 512)), pc.match_substring(values, "\0"))
    for number, wrong in ((8, unknown), (9, bad)):
        mask = np.zeros(len(lists), bool)
        mask[rows[pc.fill_null(wrong, fill_value=True).to_numpy(zero_copy_only=False)]] = True
        yield number, mask


def _bad_items(lists: pa.ListArray) -> np.ndarray[Any, Any]:
    flat = lists.flatten()
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    quantity = pc.struct_field(flat, [1])
    wrong = pc.or_(pc.is_null(pc.struct_field(flat, [0])), pc.fill_null(pc.invert(pc.is_finite(quantity)), False))
    mask = np.zeros(len(lists), bool)
    mask[rows[wrong.to_numpy(zero_copy_only=False)]] = True
    return mask


def _completed(table: pa.Table, origin: Origin) -> pa.Table:
    """The columns that the product sets, beside those that the connector gave."""
    count = table.num_rows
    given = {name: table.column(name).combine_chunks() for name in table.column_names}
    given["source"] = pa.repeat(origin.source, count)
    given["brand"] = pa.repeat(origin.brand, count)
    given["brand_id"] = given["received_at"] = pa.array(np.full(count, origin.brand_id, np.int64))
    given["received_at"] = pa.array(np.full(count, origin.received_at, np.int64))
    given["person_id"] = given["anchor_id"] = pa.array(np.zeros(count, np.int64))
    given["identifiers"] = pa.nulls(count, EVENT_SCHEMA.field("identifiers").type)
    given["day"] = days(given["occurred_at"], [origin.time_zone]) if count else pa.nulls(0, pa.string())
    given["properties"] = pc.fill_null(given["properties"], "{}")
    money = pc.or_(pc.is_valid(given["amount"]), pc.is_valid(given["items"]))
    given["currency"] = pc.if_else(money, pc.fill_null(given["currency"], origin.currency), given["currency"])
    channel = pc.if_else(pc.is_in(given["channel"], pa.array(sorted(CHANNELS))), given["channel"], None)
    given["channel"] = pc.fill_null(channel, origin.channel) if origin.channel else channel.cast(pa.string())
    return pa.table([given[field.name].cast(field.type) for field in BATCH_SCHEMA], schema=BATCH_SCHEMA)


def _as_native(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the JSON of a native event."""
    native = {name: value for name, value in row.items() if value is not None and name != "raw_identifiers"}
    if row.get("raw_identifiers"):
        native["identifiers"] = row["raw_identifiers"]
    for name in ("properties", "traits", "consent"):
        try:
            native[name] = json.loads(native[name]) if name in native else None
        except ValueError:
            native[name] = {"unreadable": native[name]}
    return {name: value for name, value in native.items() if value is not None}
