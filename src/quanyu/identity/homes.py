"""Where people belong: the home store and the guide who owns them.

Both are said of identifiers and derived for people, so a merge or its undoing moves them along. What somebody
declared beats what an order or an added contact implies; of declarations the latest counts, of implications the
earliest (the store of the first order is the member's home).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.identity.contracts import Home, HomeKind
from quanyu.identity.tables import identifier, identifier_home, person
from quanyu.storage.bulk import merge_many, rows

KINDS: tuple[HomeKind, ...] = ("store", "staff")
_COLUMN = {"store": person.c.home_store, "staff": person.c.owner_staff}


def record(tx: sa.Connection, given: Sequence[Home], person_of: Mapping[int, int]) -> None:
    """Keep what is said of identifiers and derive the people concerned; `person_of` is whose each identifier is."""
    best: dict[tuple[int, str, bool], Home] = {}
    for home in given:
        key = (home.identifier_id, home.kind, home.declared)
        known = best.get(key)
        if known is None or _beats(home, known):
            best[key] = home
    for place, before in _stored(tx, {key[0] for key in best}).items():
        if place in best and not _beats(best[place], before):
            del best[place]
    values = [(home.identifier_id, home.kind, home.declared, home.value, home.at) for home in best.values()]
    merge_many(
        tx,
        identifier_home,
        ["identifier_id", "kind", "declared", "value", "at"],
        values,
        ["identifier_id", "kind", "declared"],
        lambda new: {"value": new.value, "at": new.at},
    )
    for kind in KINDS:
        people = {person_of[key[0]] for key in best if key[1] == kind}
        derive(tx, people - {0}, [kind])


def _stored(tx: sa.Connection, numbers: Iterable[int]) -> dict[tuple[int, str, bool], Home]:
    wanted = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in sorted(numbers)])
    table = identifier_home.c
    found = tx.execute(
        sa.select(
            table.identifier_id, table.kind, table.value, sa.type_coerce(table.at, sa.BigInteger), table.declared
        ).join_from(wanted, identifier_home, table.identifier_id == wanted.c.identifier_id)
    )
    return {(row[0], row[1], bool(row[4])): Home(*row) for row in found}


def _beats(one: Home, other: Home) -> bool:
    if one.at != other.at:
        return (one.at > other.at) is one.declared
    return one.value < other.value


def derive(tx: sa.Connection, people: Iterable[int], kinds: Sequence[HomeKind] = KINDS) -> None:
    """Set the homes (of `kinds`) of these people from their identifiers."""
    wanted = [(int(number),) for number in sorted(people)]
    if not wanted:
        return
    given = rows(tx, {"person_id": sa.BigInteger}, wanted)
    values = {_COLUMN[kind]: _value(kind) for kind in kinds}
    # SQLite writes a row and its place in an index anew even where nothing is different.
    different = (column.is_distinct_from(value) for column, value in values.items())
    tx.execute(sa.update(person).where(person.c.person_id == given.c.person_id, sa.or_(*different)).values(values))


def _value(kind: HomeKind) -> Any:
    """The value that counts for the person of the enclosing statement."""
    said = identifier_home.alias()
    own = identifier.alias()
    instant = sa.type_coerce(said.c.at, sa.BigInteger)
    return (
        sa.select(said.c.value)
        .join_from(own, said, said.c.identifier_id == own.c.identifier_id)
        .where(own.c.person_id == person.c.person_id, said.c.kind == kind)
        .order_by(said.c.declared.desc(), sa.case((said.c.declared, -instant), else_=instant), said.c.value)
        .limit(1)
        .correlate(person)
        .scalar_subquery()
    )
