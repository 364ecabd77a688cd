from __future__ import annotations

import json
from datetime import timedelta

import pyarrow as pa

from quanyu.kernel.clock import micros
from quanyu.messaging.contracts import PersonCard
from tests.unit.doubles import BRAND


def arrive(world, *events: dict) -> int:
    given = {"name": [], "occurred_at": [], "person_id": [], "effect_id": [], "properties": []}
    for event in events:
        for key, values in given.items():
            values.append(event.get(key))
    types = {"occurred_at": pa.int64(), "person_id": pa.int64()}
    table = pa.table({key: pa.array(values, types.get(key, pa.string())) for key, values in given.items()})
    with world.state.write() as tx:
        return world.messaging.receipts(tx, table)


def test_receipts_name_a_send_by_effect_or_by_the_token_in_the_page(world) -> None:
    world.grow(3)
    first, second, third = world.wish(*(world.intent(i) for i in (1, 2, 3)))
    world.messaging.dispatch()
    token = world.provider.batches[0].token
    at = world.clock.now() + timedelta(minutes=3)
    opened = {
        "name": "mini_program_opened",
        "occurred_at": micros(at),
        "person_id": 2,
        "properties": json.dumps({"send": token}),
    }
    stranger = opened | {"person_id": 9}
    read = {"name": "message_read", "occurred_at": micros(at), "person_id": 1, "effect_id": first}
    other = {"name": "order_paid", "occurred_at": micros(at), "person_id": 3, "properties": "{}"}
    assert arrive(world, opened, stranger, read, other) == 2
    assert [world.look(each).read_at for each in (first, second, third)] == [at, at, None]


def test_the_earliest_time_counts_whatever_the_order_and_however_often(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.messaging.dispatch()
    at = world.clock.now() + timedelta(minutes=3)
    read = {"name": "message_read", "occurred_at": micros(at), "person_id": 1, "effect_id": effect}
    later = read | {"occurred_at": micros(at + timedelta(hours=1))}
    arrive(world, later)
    arrive(world, read, read, later)
    assert world.look(effect).read_at == at
    assert world.history(effect).count("read") == 1


def test_a_token_follows_the_person_through_a_merge(world) -> None:
    world.grow(2)
    (effect,) = world.wish(world.intent(2))
    world.messaging.dispatch()
    world.people.move(2, 1)
    at = world.clock.now()
    properties = json.dumps({"send": world.provider.batches[0].token})
    arrive(world, {"name": "mini_program_opened", "occurred_at": micros(at), "person_id": 1, "properties": properties})
    assert world.look(effect).read_at == at


def test_names_are_masked_on_screens_and_in_contents(world) -> None:
    world.grow(1)
    world.cards.known = {1: PersonCard("p1", "欧阳小王")}
    named = world.messaging.templates.create(BRAND, "N", "{{name}}，你好", None).template_id
    (effect,) = world.wish(world.intent(1, template_id=named))
    world.messaging.dispatch()
    assert world.provider.batches[0].text == "欧阳小王，你好"
    view, _, content = world.messaging.send(BRAND, effect)
    assert view.person.name == "欧***"
    assert content == {"text": "欧***，你好"}
    with world.state.read() as tx:
        stored = tx.exec_driver_sql("SELECT sealed FROM message_content").all()
    assert not any("欧阳小王".encode() in bytes(row[0]) for row in stored)
