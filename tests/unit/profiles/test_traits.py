"""Traits: what each operation leaves, in whatever order it arrives, and one answer per person from Python and SQL."""

from __future__ import annotations

import itertools
import random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.identity.api import Identity
from quanyu.identity.tables import identifier, person
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.profiles import trait_store
from quanyu.profiles.traits import Change, Row, apply, parse, present
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity.support import Event, caller, door, load

BRANDS = itertools.count(800)


@pytest.fixture
def identity(state: State, vault: Vault, clock: ManualClock, ids: SeededIds) -> Identity:
    return door(state, vault, clock, ids)


def run(*changes: tuple[str, object, int]) -> Row | None:
    row = None
    for op, value, at in changes:
        row = apply(row, Change(1, "points", op, value, at, "s")) or row  # type: ignore[arg-type]
    return row


def value_of(*changes: tuple[str, object, int]) -> str | None:
    row = run(*changes)
    found = present([row] if row else [])
    return found.value if found else None


def test_the_latest_value_wins_however_late_it_comes() -> None:
    assert value_of(("set", "gold", 2), ("set", "silver", 1)) == "gold"
    assert value_of(("set", "silver", 1), ("set", "gold", 2)) == "gold"


def test_set_once_fills_what_is_empty_and_the_first_time_counts() -> None:
    assert value_of(("once", "baidu", 5), ("once", "douyin", 7)) == "baidu"
    assert value_of(("once", "douyin", 7), ("once", "baidu", 5)) == "baidu"
    assert value_of(("set", "ads", 1), ("once", "baidu", 5)) == "ads"
    assert value_of(("once", "baidu", 5), ("set", "ads", 1)) == "ads"


def test_increments_add_up_on_nothing_and_on_a_number() -> None:
    assert value_of(("add", 3, 1), ("add", 4, 2)) == "7"
    assert value_of(("set", 10, 1), ("add", 2.5, 2)) == "12.5"
    assert value_of(("set", "gold", 1), ("add", 2, 2)) == "gold"
    assert value_of(("add", "many", 2)) is None


def test_append_keeps_each_item_once() -> None:
    assert value_of(("list", ["shoes"], 1), ("list", ["hats", "shoes"], 2)) == '["shoes","hats"]'
    assert value_of(("set", "shoes", 1), ("list", ["hats"], 2)) == '["shoes","hats"]'


def test_unset_takes_away_until_it_is_said_again() -> None:
    assert value_of(("set", "gold", 1), ("unset", None, 2)) is None
    assert value_of(("unset", None, 2), ("set", "gold", 1)) is None
    assert value_of(("set", "gold", 1), ("unset", None, 2), ("set", "silver", 3)) == "silver"


def test_values_are_text_and_numbers_where_they_are_numbers() -> None:
    cases = {True: ("true", None), 42: ("42", 42.0), 3.5: ("3.5", 3.5), "42": ("42", 42.0), "4k": ("4k", None)}
    for given_value, expected in cases.items():
        row = run(("set", given_value, 1))
        assert row is not None
        assert (row.value, row.number) == expected
    assert run(("set", float("nan"), 1)).number is None  # type: ignore[union-attr]


def test_a_batch_s_json_is_read_as_operations() -> None:
    found, everything = parse('{"set":{"a":1},"set_once":{"b":2},"append":{"c":[3]},"unset":["d"," "],"delete":true}')
    assert found == [("a", "set", 1), ("b", "once", 2), ("c", "list", [3]), ("d", "unset", None)]
    assert everything


operation = st.one_of(
    st.tuples(st.just("set"), st.integers(-5, 5)),
    st.tuples(st.just("once"), st.integers(-5, 5)),
    st.tuples(st.just("add"), st.integers(1, 9)),
    st.tuples(st.just("unset"), st.none()),
)


@given(
    st.lists(st.tuples(st.integers(0, 3), operation, st.integers(0, 9)), max_size=14),
    st.booleans(),
    st.integers(1, 4),
)
@settings(max_examples=25)
def test_sql_and_python_agree_on_present_values(
    state: State,
    identity: Identity,
    vault: Vault,
    said: list[tuple[int, tuple[str, object], int]],
    merge: bool,
    size: int,
) -> None:
    brand_id = next(BRANDS)
    vault.prepare(brand_id, ("index", "seal"))
    load(identity, [Event(i, (("phone", f"1391234200{i}"),)) for i in range(4)], brand_id)
    with state.read() as tx:
        found = tx.execute(
            sa.select(identifier.c.identifier_id, person.c.public_id)
            .join(person, person.c.person_id == identifier.c.person_id)
            .where(identifier.c.brand_id == brand_id)
            .order_by(identifier.c.identifier_id)
        ).all()
    if merge:
        identity.merge(caller(brand_id), [found[0][1], found[1][1]], "m")
    changes = [Change(found[place][0], "points", op, value, at, "s") for place, (op, value), at in said]  # type: ignore[arg-type]
    for start in range(0, len(changes), size):
        with state.write() as tx:
            trait_store.change(tx, brand_id, changes[start : start + size], vault)
    with state.read() as tx:
        people = list(
            tx.execute(sa.select(person.c.person_id).where(person.c.brand_id == brand_id, person.c.active)).scalars()
        )
        python = {
            number: own["points"].number for number, own in trait_store.present_values(tx, people, identity).items()
        }
        rows = tx.execute(trait_store.values_of(identity.holders(), brand_id, "points")).all()
    assert len(rows) == len({row.person_id for row in rows})
    assert {row.person_id: row.number for row in rows} == pytest.approx(python)


@given(
    st.lists(st.tuples(st.sampled_from(["set", "unset"]), st.integers(0, 9)), max_size=8, unique_by=lambda p: p[1]),
    st.randoms(use_true_random=False),
)
def test_set_and_unset_commute(said: list[tuple[str, int]], shuffle: random.Random) -> None:
    changes = [(op, f"v{at}" if op == "set" else None, at) for op, at in said]
    shuffled = changes[:]
    shuffle.shuffle(shuffled)
    assert value_of(*changes) == value_of(*shuffled)
