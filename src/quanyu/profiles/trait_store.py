"""Traits in the database: changes in, present values of people out, as sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from quanyu.identity.api import Identity
from quanyu.profiles.contracts import NAME_TRAITS, PERSONAL_TRAITS
from quanyu.profiles.tables import trait
from quanyu.profiles.traits import Change, Row, apply, present
from quanyu.storage.bulk import rows, upsert
from quanyu.storage.vault import Vault

_COLUMNS = (
    trait.c.op,
    trait.c.value,
    trait.c.number,
    sa.type_coerce(trait.c.at, sa.BigInteger).label("at"),
    trait.c.source,
    trait.c.identifier_id,
    trait.c.name,
    trait.c.sealed,
    trait.c.masked,
    trait.c.hash,
)


def change(tx: sa.Connection, brand_id: int, changes: Sequence[Change], vault: Vault) -> int:
    """Apply operations in order of time; how many rows changed. Personal values are sealed on the way in."""
    keys = sorted({(one.identifier_id, one.name) for one in changes})
    if not keys:
        return 0
    given = rows(tx, {"identifier_id": sa.BigInteger, "name": sa.Text}, keys)
    stored = {
        (row.identifier_id, row.name): Row(*row)
        for row in tx.execute(
            sa.select(*_COLUMNS).join_from(
                given, trait, (trait.c.identifier_id == given.c.identifier_id) & (trait.c.name == given.c.name)
            )
        )
    }
    fresh: dict[tuple[int, str], Row] = {}
    for one in sorted(changes, key=lambda item: item.at):
        if one.name in PERSONAL_TRAITS and (one.op in ("add", "list") or isinstance(one.value, list | dict)):
            continue
        key = (one.identifier_id, one.name)
        row = apply(stored.get(key), one)
        if row is not None:
            stored[key] = fresh[key] = replace(row, identifier_id=one.identifier_id, name=one.name)
    values = [_stored(brand_id, row, vault) for row in fresh.values()]
    columns = ["op", "value", "number", "sealed", "masked", "hash", "at", "source"]
    upsert(tx, trait, values, ["identifier_id", "name"], columns)
    return len(values)


def _stored(brand_id: int, row: Row, vault: Vault) -> dict[str, Any]:
    if row.name in PERSONAL_TRAITS and row.value:
        row = replace(
            row,
            value=None,
            number=None,
            sealed=vault.seal(brand_id, row.value),
            masked=_mask(row.value),
            hash=name_hash(brand_id, row.value, vault) if row.name in NAME_TRAITS else None,
        )
    return {
        "identifier_id": row.identifier_id,
        "name": row.name,
        "brand_id": brand_id,
        "op": row.op,
        "value": row.value,
        "number": row.number,
        "sealed": row.sealed,
        "masked": row.masked,
        "hash": row.hash,
        "at": row.at,
        "source": row.source,
    }


def _mask(value: str) -> str:
    """The first character and as many stars as there are more, at most four: 李雷 -> 李*."""
    text = value.strip()
    return text[:1] + "*" * min(max(len(text) - 1, 1), 4) if text else ""


def name_hash(brand_id: int, name: str, vault: Vault) -> str:
    """The keyed hash by which people of exactly this name are found; case and outer spaces do not count."""
    return vault.index(brand_id, "trait.name", " ".join(name.casefold().split()))


def names_of(tx: sa.Connection, people: Iterable[int], identity: Identity) -> dict[int, list[str]]:
    """The names of all traits that these people have: what `delete` takes away."""
    holders = identity.holders()
    given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in sorted(set(people))])
    found: dict[int, list[str]] = {}
    for number, name in tx.execute(
        sa.select(given.c.person_id, trait.c.name)
        .distinct()
        .join_from(given, holders, holders.c.person_id == given.c.person_id)
        .join(trait, trait.c.identifier_id == holders.c.identifier_id)
    ):
        found.setdefault(number, []).append(name)
    return found


def present_values(
    tx: sa.Connection, people: Sequence[int], identity: Identity, names: Sequence[str] | None = None
) -> dict[int, dict[str, Row]]:
    """The present traits of people, by person and name; only `names` when given."""
    if not people:
        return {}
    holders = identity.holders()
    given = rows(tx, {"person_id": sa.BigInteger}, [(int(number),) for number in people])
    statement = (
        sa.select(given.c.person_id, *_COLUMNS)
        .join_from(given, holders, holders.c.person_id == given.c.person_id)
        .join(trait, trait.c.identifier_id == holders.c.identifier_id)
    )
    if names is not None:
        statement = statement.where(trait.c.name.in_(list(names)))
    said: dict[tuple[int, str], list[Row]] = {}
    for row in tx.execute(statement):
        said.setdefault((row.person_id, row.name), []).append(Row(*row[1:]))
    found: dict[int, dict[str, Row]] = {}
    for (number, name), own in said.items():
        value = present(own)
        if value is not None:
            found.setdefault(number, {})[name] = value
    return found


def values_of(holders: sa.Subquery, brand_id: int, name: str) -> sa.Select[Any]:
    """`person_id, value, number`: each person's present value of a trait, one row per person who has it.

    The same rule as `traits.present`, over sets. Of several lists the latest stands for all; a counted or sealed
    trait has no text.
    """
    at = sa.type_coerce(trait.c.at, sa.BigInteger)
    basic = trait.c.op.in_(["set", "unset"])
    person = holders.c.person_id
    said = (
        sa.select(
            person.label("person_id"),
            trait.c.op,
            trait.c.value,
            trait.c.number,
            trait.c.identifier_id,
            at.label("at"),
            sa.func.max(sa.case((basic, at))).over(partition_by=person).label("base_at"),
        )
        .join_from(trait, holders, holders.c.identifier_id == trait.c.identifier_id)
        .where(trait.c.brand_id == brand_id, trait.c.name == name, person > 0)
        .subquery("said")
    )
    since = sa.or_(said.c.base_at.is_(None), said.c.at > said.c.base_at)
    rank = sa.case(
        (sa.and_(said.c.op == "list", since), 3),
        (said.c.op.in_(["set", "unset"]), 2),
        (said.c.op == "once", 1),
        else_=0,
    )
    order = sa.case((said.c.op == "once", -said.c.at), else_=said.c.at)
    tie = sa.case((said.c.op == "once", -said.c.identifier_id), else_=said.c.identifier_id)
    ranked = sa.select(
        said,
        sa.func.row_number()
        .over(partition_by=said.c.person_id, order_by=[rank.desc(), order.desc(), tie.desc()])
        .label("place"),
        sa.func.sum(sa.case((sa.and_(said.c.op == "add", since), said.c.number)))
        .over(partition_by=said.c.person_id)
        .label("added"),
    ).subquery("ranked")
    counted = ranked.c.added.is_not(None)
    # What was said once is nothing beside what was counted.
    start = sa.case((ranked.c.op == "set", sa.func.coalesce(ranked.c.number, 0)), else_=0)
    return sa.select(
        ranked.c.person_id,
        sa.case((counted, None), else_=ranked.c.value).label("value"),
        sa.case((counted, start + ranked.c.added), else_=ranked.c.number).label("number"),
    ).where(ranked.c.place == 1, sa.or_(counted, ranked.c.op.not_in(["unset", "add"])))


def named(tx: sa.Connection, brand_id: int, name: str, holders: sa.Subquery, vault: Vault) -> list[int]:
    """People one of whose identifiers was ever said to belong to somebody of exactly this name."""
    statement = (
        sa.select(holders.c.person_id)
        .distinct()
        .join_from(trait, holders, holders.c.identifier_id == trait.c.identifier_id)
        .where(trait.c.hash == name_hash(brand_id, name, vault), trait.c.brand_id == brand_id, holders.c.person_id > 0)
    )
    return [int(number) for number in tx.execute(statement).scalars()]


def popular(tx: sa.Connection, brand_id: int, limit: int = 500) -> list[tuple[str, int]]:
    """Names of the brand's traits and how many identifiers have each, the most frequent first."""
    count = sa.func.count()
    statement = (
        sa.select(trait.c.name, count)
        .where(trait.c.brand_id == brand_id, trait.c.op != "unset")
        .group_by(trait.c.name)
        .order_by(count.desc(), trait.c.name)
        .limit(limit)
    )
    return [(row[0], int(row[1])) for row in tx.execute(statement)]


def popular_values(tx: sa.Connection, brand_id: int, name: str, containing: str, limit: int) -> list[tuple[str, int]]:
    """Values of a trait that contain a text, and how many identifiers have each, the most frequent first."""
    count = sa.func.count()
    statement = (
        sa.select(trait.c.value, count)
        .where(trait.c.brand_id == brand_id, trait.c.name == name, trait.c.value.is_not(None))
        .group_by(trait.c.value)
        .order_by(count.desc(), trait.c.value)
        .limit(limit)
    )
    if containing:
        statement = statement.where(sa.func.lower(trait.c.value).contains(containing.lower(), autoescape=True))
    return [(row[0], int(row[1])) for row in tx.execute(statement)]


def reveal(rows_of: Mapping[str, Row], name: str, brand_id: int, vault: Vault) -> str | None:
    """The clear value of a person's trait, or None when they have none."""
    row = rows_of.get(name)
    if row is None:
        return None
    return vault.open_text(brand_id, row.sealed) if row.sealed is not None else row.value
