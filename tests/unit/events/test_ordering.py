"""Bulk is taken in in another order than it comes, and in nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from quanyu.events.ordering import by_first_seen
from quanyu.sdk.connector import IDENTIFIERS

SLOTS = 1 << 20


def table(people: list[str | None], begin: int = 0) -> pa.Table:
    """Events of these people, numbered in their order; None for an event of nobody."""
    identifiers = [None if who is None else [{"namespace": "member_no", "value": who}] for who in people]
    return pa.table(
        {
            "event_id": [f"e{begin + number}" for number in range(len(people))],
            "raw_identifiers": pa.array(identifiers, IDENTIFIERS),
        }
    )


def ids(tables: Iterator[pa.Table]) -> list[str]:
    return [one for part in tables for one in part.column("event_id").to_pylist()]


def expected(people: list[str], window: int) -> list[int]:
    """The same rows by hand: window by window, the earliest people first, otherwise as they came."""
    first: dict[str, int] = {}
    for number, who in enumerate(people):
        first.setdefault(who, number // window)
    return sorted(range(len(people)), key=lambda number: (number // window, first[people[number]], number))


@given(people=st.lists(st.sampled_from("abcdefgh"), max_size=60), window=st.integers(1, 20))
def test_people_of_the_same_age_are_side_by_side_and_nothing_else_changes(people: list[str], window: int) -> None:
    tables = [table([who], number) for number, who in enumerate(people)]
    assert ids(by_first_seen(tables, window=window, slots=SLOTS)) == [f"e{at}" for at in expected(people, window)]


@given(people=st.lists(st.none() | st.sampled_from("abcdefgh"), max_size=60), slots=st.integers(1, 4))
def test_people_taken_for_one_another_cost_order_and_no_row(people: list[str | None], slots: int) -> None:
    tables = [table([who], number) for number, who in enumerate(people)]
    for at in range(0, len(people), 7):
        tables[at] = tables[at].append_column("amount", pa.array([at]))  # a table with other columns ends a window
    given_on = list(by_first_seen(tables, window=10, slots=slots))
    assert sorted(ids(iter(given_on))) == sorted(f"e{number}" for number in range(len(people)))
    with_amount = [part.column("amount") for part in given_on if "amount" in part.column_names]
    assert sorted(one.as_py() for column in with_amount for one in column) == list(range(0, len(people), 7))


def test_a_table_that_names_nobody_or_wrongly_is_given_on_as_it_is() -> None:
    nameless = [pa.table({"event_id": ["a", "b"]}), pa.table({"event_id": ["c"]})]
    assert ids(by_first_seen(nameless, window=2, slots=SLOTS)) == ["a", "b", "c"]
    wrong = [pa.table({"event_id": [one], "raw_identifiers": [number]}) for number, one in enumerate("xyz")]
    assert ids(by_first_seen(wrong, window=1, slots=SLOTS)) == ["x", "y", "z"]


def test_parts_are_of_bounded_size_and_nothing_is_read_before_it_is_needed() -> None:
    read: list[int] = []

    def tables() -> Iterator[pa.Table]:
        for number in range(6):
            read.append(number)
            yield table([str(who) for who in range(80_000)], number * 80_000)

    parts = by_first_seen(tables(), window=150_000, slots=SLOTS)
    assert (next(parts).num_rows, read) == (100_000, [0, 1])
    assert [part.num_rows for part in parts] == [60_000, 100_000, 60_000, 100_000, 60_000]
