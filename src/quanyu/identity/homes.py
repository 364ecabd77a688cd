"""Where people belong: the home store and the guide who owns them.

Both are said of identifiers and derived for people, so a merge or its undoing moves them along. What somebody
declared beats what an order or an added contact implies; of declarations the latest counts, of implications the
earliest (the store of the first order is the member's home).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.identity.contracts import Home
from quanyu.identity.tables import identifier, identifier_home, person
from quanyu.storage.bulk import rows, upsert


def record(tx: sa.Connection, given: Sequence[Home]) -> set[int]:
    """Keep what is said of identifiers and derive the people concerned; the ids of those people."""
    best: dict[tuple[int, str, bool], Home] = {}
    for home in given:
        key = (home.identifier_id, home.kind, home.declared)
        known = best.get(key)
        if known is None or _beats(home, known):
            best[key] = home
    for place, before in _stored(tx, {key[0] for key in best}).items():
        if place in best and not _beats(best[place], before):
            del best[place]
    values = [
        {
            "identifier_id": home.identifier_id,
            "kind": home.kind,
            "declared": home.declared,
            "value": home.value,
            "at": home.at,
        }
        for home in best.values()
    ]
    upsert(tx, identifier_home, values, ["identifier_id", "kind", "declared"], ["value", "at"])
    people = _people(tx, {key[0] for key in best})
    derive(tx, people)
    return people


def _stored(tx: sa.Connection, numbers: Iterable[int]) -> dict[tuple[int, str, bool], Home]:
    wanted = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in numbers])
    table = identifier_home.c
    found = tx.execute(
        sa.select(
            table.identifier_id, table.kind, table.value, sa.type_coerce(table.at, sa.BigInteger), table.declared
        ).join_from(wanted, identifier_home, table.identifier_id == wanted.c.identifier_id)
    )
    return {(row[0], row[1], bool(row[4])): Home(*row) for row in found}


def _people(tx: sa.Connection, numbers: Iterable[int]) -> set[int]:
    wanted = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in numbers])
    statement = (
        sa.select(identifier.c.person_id)
        .distinct()
        .join_from(wanted, identifier, identifier.c.identifier_id == wanted.c.identifier_id)
        .where(identifier.c.person_id > 0)
    )
    return {int(number) for number in tx.execute(statement).scalars()}


def _beats(one: Home, other: Home) -> bool:
    if one.at != other.at:
        return (one.at > other.at) is one.declared
    return one.value < other.value


def derive(tx: sa.Connection, people: Iterable[int]) -> None:
    """Set `home_store` and `owner_staff` of these people from their identifiers."""
    wanted = [(int(number),) for number in people]
    if not wanted:
        return
    given = rows(tx, {"person_id": sa.BigInteger}, wanted)
    tx.execute(
        sa.update(person)
        .where(person.c.person_id == given.c.person_id)
        .values(home_store=_value("store"), owner_staff=_value("staff"))
    )


def _value(kind: str) -> Any:
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
