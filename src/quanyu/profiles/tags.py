"""Tags: names that a brand puts on people. An assignment is a row of the identifier that stands for the person."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.identity.api import Identity
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label, same
from quanyu.profiles.contracts import Tag
from quanyu.profiles.errors import tag_exists, tag_not_found
from quanyu.profiles.tables import tag, tag_assignment
from quanyu.storage.bulk import insert_ignore, rows


def _tag(row: Any, people: int | None = None) -> Tag:
    return Tag(row.tag_id, Label(row.name_zh, row.name_en), Label(row.group_zh, row.group_en), people)


def create(tx: sa.Connection, brand_id: int, name: Label, group: Label, ids: Ids, at: datetime) -> Tag:
    """A new tag. Raises Conflict when the group has one of this name."""
    made = Tag(ids.new("t"), name, group, 0)
    taken = insert_ignore(
        tx,
        tag,
        [
            {
                "tag_id": made.tag_id,
                "brand_id": brand_id,
                "group_zh": group.zh,
                "group_en": group.en,
                "name_zh": name.zh,
                "name_en": name.en,
                "made_at": at,
            }
        ],
    )
    if not taken:
        raise tag_exists(name.zh)
    return made


def ensure(tx: sa.Connection, brand_id: int, name: Label, group: Label, ids: Ids, at: datetime) -> str:
    """The id of the tag of this name and group, made if it is missing: for connectors and made data."""
    statement = sa.select(tag.c.tag_id).where(
        tag.c.brand_id == brand_id, tag.c.group_zh == group.zh, tag.c.name_zh == name.zh
    )
    found = tx.execute(statement).scalar_one_or_none()
    return found or create(tx, brand_id, name, group, ids, at).tag_id


def all_tags(tx: sa.Connection, scope: Scope, identity: Identity) -> list[Tag]:
    """The brand's tags by group, each with how many visible people carry it."""
    holders = identity.holders()
    carried = (
        sa.select(tag_assignment.c.tag_id, sa.func.count(holders.c.person_id.distinct()).label("people"))
        .join_from(tag, tag_assignment, tag_assignment.c.tag_id == tag.c.tag_id)
        .join(holders, holders.c.identifier_id == tag_assignment.c.identifier_id)
        .where(tag.c.brand_id == scope.brand_id, identity.sees(scope, holders.c.person_id))
        .group_by(tag_assignment.c.tag_id)
        .subquery()
    )
    statement = (
        sa.select(tag, carried.c.people)
        .join_from(tag, carried, carried.c.tag_id == tag.c.tag_id, isouter=True)
        .where(tag.c.brand_id == scope.brand_id)
        .order_by(tag.c.group_zh, tag.c.name_zh)
    )
    return [_tag(row, row.people or 0) for row in tx.execute(statement)]


def by_id(tx: sa.Connection, brand_id: int, tag_ids: Collection[str]) -> dict[str, Tag]:
    """Those of the brand's tags that exist among `tag_ids`."""
    if not tag_ids:
        return {}
    given = rows(tx, {"tag_id": sa.Text}, [(one,) for one in tag_ids])
    statement = sa.select(tag).join_from(given, tag, tag.c.tag_id == given.c.tag_id).where(tag.c.brand_id == brand_id)
    return {row.tag_id: _tag(row) for row in tx.execute(statement)}


def require(tx: sa.Connection, brand_id: int, tag_ids: Collection[str]) -> None:
    """Raise Invalid unless all of these are tags of the brand."""
    missing = set(tag_ids) - set(by_id(tx, brand_id, tag_ids))
    if missing:
        raise tag_not_found(missing)


def assign(tx: sa.Connection, pairs: Sequence[tuple[str, int]], by: str, at: datetime) -> int:
    """Put tags on identifiers: (tag_id, identifier_id); how many were new."""
    values = [{"tag_id": tag_id, "identifier_id": number, "at": at, "assigned_by": by} for tag_id, number in set(pairs)]
    return insert_ignore(tx, tag_assignment, values)


def take(tx: sa.Connection, said: pa.Table, anchors: npt.NDArray[np.int64], ids: Ids, at: datetime) -> int:
    """Put on the tags that a batch's `traits` name (`{"tags": [{"group": …, "name": …}]}`); how many were new.

    `said` has `brand_id`, `source`, `traits`; `anchors` whom each row speaks of. A tag that is missing is made.
    """
    rows_with = np.flatnonzero(pc.match_substring(said.column("traits"), '"tags":').to_numpy(zero_copy_only=False))
    pairs: dict[str, list[tuple[str, int]]] = {}
    made: dict[tuple[int, str, str], str] = {}
    for row, place in zip(said.take(pa.array(rows_with)).to_pylist(), rows_with.tolist(), strict=True):
        named = json.loads(row["traits"]).get("tags")
        for one in named if isinstance(named, list) else ():
            key = (row["brand_id"], str(one["group"])[:50], str(one["name"])[:50])
            if key not in made:
                made[key] = ensure(tx, key[0], same(key[2]), same(key[1]), ids, at)
            pairs.setdefault(row["source"], []).append((made[key], int(anchors[place])))
    return sum(assign(tx, own, source, at) for source, own in pairs.items())


def remove(tx: sa.Connection, tag_ids: Sequence[str], person_id: int, identity: Identity) -> None:
    """Take tags off every identifier of a person."""
    holders = identity.holders()
    own = sa.select(holders.c.identifier_id).where(holders.c.person_id == person_id)
    tx.execute(
        sa.delete(tag_assignment).where(
            tag_assignment.c.tag_id.in_(list(tag_ids)), tag_assignment.c.identifier_id.in_(own)
        )
    )


def of_people(tx: sa.Connection, people: Sequence[int], identity: Identity) -> dict[int, tuple[Tag, ...]]:
    """The tags of each of these people, by name."""
    if not people:
        return {}
    holders = identity.holders()
    given = rows(tx, {"person_id": sa.BigInteger}, [(int(number),) for number in people])
    statement = (
        sa.select(given.c.person_id, tag)
        .distinct()
        .join_from(given, holders, holders.c.person_id == given.c.person_id)
        .join(tag_assignment, tag_assignment.c.identifier_id == holders.c.identifier_id)
        .join(tag, tag.c.tag_id == tag_assignment.c.tag_id)
        .order_by(given.c.person_id, tag.c.group_zh, tag.c.name_zh)
    )
    found: dict[int, list[Tag]] = {}
    for row in tx.execute(statement):
        found.setdefault(row.person_id, []).append(_tag(row))
    return {number: tuple(own) for number, own in found.items()}


def tagged(holders: sa.Subquery, brand_id: int, tag_ids: Sequence[str]) -> sa.Select[Any]:
    """`person_id` of people of a brand with any of the tags."""
    return (
        sa.select(holders.c.person_id)
        .distinct()
        .join_from(tag_assignment, holders, holders.c.identifier_id == tag_assignment.c.identifier_id)
        .join(tag, tag.c.tag_id == tag_assignment.c.tag_id)
        .where(tag.c.brand_id == brand_id, tag.c.tag_id.in_(list(tag_ids)), holders.c.person_id > 0)
    )
