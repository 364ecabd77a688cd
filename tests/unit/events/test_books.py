"""Books balance, per source and hour, whatever comes and however often it is committed; on both databases."""

import json
import random
from dataclasses import replace

import pyarrow as pa
import pytest
import sqlalchemy as sa

from quanyu.events.contracts import Batch, FrameHeader, Position
from quanyu.events.errors import BooksOutOfStep
from quanyu.events.tables import book, quarantine
from tests.unit.events.conftest import World

NOW = 1_790_000_000_000_000


def send(world: World, calls: list[object], *, at: int = NOW, source: str = "web", raw: bytes | None = None) -> None:
    body = raw if raw is not None else json.dumps({"batch": calls}).encode()
    header = FrameHeader(at, "segment", source, len(calls), "batch")
    world.events.log.append_now([(header, body)])


def call(message_id: str, **more: object) -> dict[str, object]:
    return {"type": "track", "event": "E", "userId": "u", "messageId": message_id, **more}


def test_everything_accepted_is_stored_or_duplicate_or_quarantined(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call("1"), call("2"), call("2"), call("3", timestamp="never")])
    assert world.books() == {"accepted": 4, "stored": 0, "duplicate": 0, "quarantined": 0, "pending": 4}
    assert world.drain().table.num_rows == 2
    assert world.books() == {"accepted": 4, "stored": 2, "duplicate": 1, "quarantined": 1, "pending": 0}
    send(world, [call("1"), call("4")], at=NOW + 3_600_000_000)
    world.drain()
    assert world.books() == {"accepted": 6, "stored": 3, "duplicate": 2, "quarantined": 1, "pending": 0}
    with world.state.read() as tx:
        hours = tx.execute(sa.select(book.c.accepted, book.c.stored, book.c.duplicate).order_by(book.c.hour_at)).all()
    assert [tuple(row) for row in hours] == [(4, 2, 1), (2, 1, 1)]
    assert world.events.unbalanced() == []


def test_committing_a_batch_twice_changes_nothing(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call("1"), call("2", timestamp="never")])
    batch = world.drain()
    before = world.books()
    with world.state.write() as tx:
        assert not world.events.commit_books(tx, batch)
    assert world.books() == before
    assert world.reasons() == ["bad_time"]


def test_a_crash_before_the_commit_repeats_the_same_batch(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call("1"), call("2", timestamp="never")])
    first = world.drain(commit=False)

    class Crash(Exception):
        pass

    with pytest.raises(Crash), world.state.write() as tx:
        world.events.commit_books(tx, first)
        raise Crash
    again = world.drain()
    assert again.table.column("event_id") == first.table.column("event_id")
    assert [item.quarantine_id for item in again.rejected] == [item.quarantine_id for item in first.rejected]
    assert world.books() == {"accepted": 2, "stored": 1, "duplicate": 0, "quarantined": 1, "pending": 0}


def test_two_workers_at_once_are_noticed(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call("1")])
    first = world.drain()
    send(world, [call("2")])
    overlapping = replace(first, ended={"w00": Position(99, 0)})
    with pytest.raises(BooksOutOfStep), world.state.write() as tx:
        world.events.commit_books(tx, overlapping)
    assert world.drain().table.num_rows == 1


def test_an_unbalanced_hour_is_found(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call("1"), call("2")])
    batch = world.events.deduplicate(world.events.decode(world.events.read()))
    lossy: Batch = replace(batch, table=batch.table.slice(0, 1))
    with world.state.write() as tx:
        world.events.commit_books(tx, lossy)
    (row,) = world.events.unbalanced()
    assert (row.accepted, row.stored) == (2, 1)


POISON: dict[str, bytes] = {
    "malformed_json": b'{"type":"track","event":tru}',
    "not_utf8": '{"type":"track","event":"中文","userId":"u","messageId":"x"}'.encode("gbk"),
    "not_a_number": b'{"type":"track","event":"E","userId":"u","properties":{"a":NaN}}',
    "too_deep": b'{"type":"track","properties":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}",
    "control_character": b'{"type":"track","event":"E","userId":"u","properties":{"a":"\\u0000"}}',
    "not_an_object": b"[1,2]",
    "unknown_type": b'{"type":"nonsense","userId":"u"}',
    "name_missing": b'{"type":"track","userId":"u"}',
    "bad_name": b'{"type":"track","event":"a\\nb","userId":"u"}',
    "bad_event_id": b'{"type":"track","event":"E","userId":"u","messageId":"' + b"x" * 300 + b'"}',
    "no_identifier": b'{"type":"track","event":"E"}',
    "bad_field": b'{"type":"track","event":"E","userId":{"a":1}}',
    "time_too_old": b'{"type":"track","event":"E","userId":"u","timestamp":"1970-01-01T00:00:00Z"}',
    "time_in_future": b'{"type":"track","event":"E","userId":"u","timestamp":"2100-01-01T00:00:00Z"}',
    "bad_time": b'{"type":"track","event":"E","userId":"u","timestamp":"32.13.2026"}',
    "bad_properties": b'{"type":"track","event":"E","userId":"u","properties":"text"}',
    "bad_traits": b'{"type":"identify","userId":"u","traits":[1]}',
    "bad_amount": b'{"type":"track","event":"Order Completed","userId":"u","properties":{"revenue":"abc"}}',
    "bad_items": b'{"type":"track","event":"Order Completed","userId":"u","properties":{"products":"abc"}}',
    "bad_quantity": b'{"type":"track","event":"Product Added","userId":"u","properties":{"sku":"p","quantity":"x"}}',
    "bad_currency": b'{"type":"track","event":"Product Added","userId":"u","properties":{"currency":"RMB!"}}',
    "unknown_namespace": (
        b'{"type":"track","event":"E","userId":"u","context":{"externalIds":[{"id":"1","type":"zz"}]}}'
    ),
    "bad_identifier": b'{"type":"track","event":"E","userId":"u","context":{"externalIds":["zz"]}}',
    "too_large": b'{"type":"track","event":"E","userId":"u","properties":{"a":"' + b"x" * (1 << 20) + b'"}}',
    "bad_consent": b'{"type":"track","event":"Consent Granted","userId":"u","properties":{"purpose":[1]}}',
}


@pytest.mark.parametrize("reason", sorted(POISON))
def test_one_poisoned_event_is_kept_with_its_reason_and_its_bytes_and_the_others_stored(
    world: World, reason: str
) -> None:
    raw = POISON[reason]
    good = [json.dumps(call(f"good{n}")).encode() for n in range(3)]
    body = b'{"batch":[' + b",".join([good[0], raw, good[1], good[2]]) + b"]}"
    send(world, [None] * 4, raw=body)
    batch = world.drain()
    assert sorted(batch.table.column("event_id").to_pylist()) == ["good0", "good1", "good2"]
    assert [(item.reason, item.raw) for item in batch.rejected] == [(reason, raw)]
    assert world.books() == {"accepted": 4, "stored": 3, "duplicate": 0, "quarantined": 1, "pending": 0}


def test_one_percent_of_poison_costs_no_good_event(world: World) -> None:
    random_ = random.Random(5)
    kinds = [raw for reason, raw in POISON.items() if reason != "too_large"]
    good = bad = 0
    for n in range(60):
        elements = []
        for i in range(100):
            if random_.random() < 0.01:
                elements.append(random_.choice(kinds))
                bad += 1
            else:
                elements.append(json.dumps(call(f"{n}-{i}")).encode())
                good += 1
        send(world, [None] * 100, raw=b'{"batch":[' + b",".join(elements) + b"]}")
    assert bad > 20
    batch = world.drain()
    assert (batch.table.num_rows, len(batch.rejected)) == (good, bad)
    assert world.books() == {"accepted": 6000, "stored": good, "duplicate": 0, "quarantined": bad, "pending": 0}


def test_raw_bytes_in_quarantine_are_sealed(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call("1", timestamp="never", properties={"phone": "13800138000"})])
    world.drain()
    with world.state.read() as tx:
        row = tx.execute(sa.select(quarantine)).one()
    assert b"13800138000" not in bytes(row.raw)
    assert "13800138000" not in str({**row._mapping, "raw": b""})
    (item,), total = world.events.quarantine.list(world.brand.scope())
    assert total == 1
    assert "13800138000" not in item.excerpt
    assert "never" in item.excerpt


def test_the_table_of_a_batch_has_the_promised_schema(world: World) -> None:
    from quanyu.events.contracts import BATCH_SCHEMA, EVENT_SCHEMA

    assert world.drain().table.schema == BATCH_SCHEMA
    send(world, [call("1")])
    table: pa.Table = world.drain().table
    assert table.schema == BATCH_SCHEMA
    assert table.select(EVENT_SCHEMA.names).schema == EVENT_SCHEMA
