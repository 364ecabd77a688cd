"""Keeping audiences and their versions: rows and bitmaps, nothing of how a set comes about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.audiences.contracts import AUDIENCE_CHANGED, Refresh
from quanyu.audiences.errors import audience_name_taken, audience_not_found, audience_stale, version_not_found
from quanyu.audiences.kept_sets import newest
from quanyu.audiences.tables import audience, audience_version
from quanyu.storage import outbox

KEPT_VERSIONS = 60
# Events change sets too; those show in the watermark of history.
_MATTERS = ("people_moved", "consent_changed", "profiles_changed")


@dataclass(frozen=True, slots=True)
class StoredAudience:
    """An audience as it is stored."""

    audience_id: str
    brand_id: int
    name: str
    description: str
    tree: dict[str, Any]
    refresh: Refresh
    revision: int
    version: int | None
    computed_at: datetime | None
    watermark: str | None
    created_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version as it is stored: its counts are of the whole brand."""

    version: int
    at: datetime
    size: int
    entered: int
    left: int
    took_ms: int
    kept: bool


def add(tx: sa.Connection, values: dict[str, Any], tree: dict[str, Any]) -> None:
    """Store a new audience. Raises Conflict when the brand has one of that name."""
    _check_name(tx, values["brand_id"], values["name"], values["audience_id"])
    tx.execute(sa.insert(audience).values(**values, tree=json.dumps(tree, ensure_ascii=False), revision=1))


def change(
    tx: sa.Connection,
    brand_id: int,
    audience_id: str,
    values: dict[str, Any],
    tree: dict[str, Any],
    revision: int | None,
) -> None:
    """Overwrite an audience. Raises Stale unless `revision` (if given) is the stored one, NotFound, Conflict."""
    stored = get(tx, brand_id, audience_id, lock=True)
    if revision is not None and stored.revision != revision:
        raise audience_stale()
    _check_name(tx, brand_id, values["name"], audience_id)
    tx.execute(
        sa.update(audience)
        .where(audience.c.audience_id == audience_id)
        .values(**values, tree=json.dumps(tree, ensure_ascii=False), revision=stored.revision + 1)
    )


def remove(tx: sa.Connection, audience_id: str) -> None:
    """Delete an audience with its versions."""
    tx.execute(sa.delete(audience_version).where(audience_version.c.audience_id == audience_id))
    tx.execute(sa.delete(audience).where(audience.c.audience_id == audience_id))


def get(tx: sa.Connection, brand_id: int, audience_id: str, *, lock: bool = False) -> StoredAudience:
    """One audience of the brand. Raises NotFound."""
    statement = sa.select(audience).where(audience.c.audience_id == audience_id, audience.c.brand_id == brand_id)
    row = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise audience_not_found(audience_id)
    return _stored(row)


def of_brand(tx: sa.Connection, brand_id: int) -> list[StoredAudience]:
    """The brand's audiences, the last edited first."""
    statement = sa.select(audience).where(audience.c.brand_id == brand_id)
    ordered = statement.order_by(audience.c.updated_at.desc(), audience.c.audience_id)
    return [_stored(row) for row in tx.execute(ordered)]


def refreshed_by(tx: sa.Connection, policy: Refresh) -> list[StoredAudience]:
    """Every brand's audiences with a refresh policy, those longest ago computed first."""
    statement = sa.select(audience).where(audience.c.refresh == policy)
    return [_stored(row) for row in tx.execute(statement.order_by(sa.func.coalesce(audience.c.computed_at, 0)))]


def members(tx: sa.Connection, audience_id: str, version: int | None) -> BitMap:
    """The set of a version, as it was stored. Raises NotFound when it is not kept."""
    if version is None:
        raise version_not_found(audience_id, version)
    found = tx.execute(
        sa.select(audience_version.c.members).where(
            audience_version.c.audience_id == audience_id, audience_version.c.version == version
        )
    ).scalar_one_or_none()
    if found is None:
        raise version_not_found(audience_id, version)
    return BitMap.deserialize(bytes(found))


def versions(tx: sa.Connection, audience_id: str, limit: int = KEPT_VERSIONS) -> list[StoredVersion]:
    """The newest versions, newest first."""
    v = audience_version.c
    statement = sa.select(
        v.version, v.at, v.size, v.entered, v.left.label("gone"), v.took_ms, v.members.is_not(None).label("kept")
    ).where(v.audience_id == audience_id)
    return [
        StoredVersion(r.version, r.at, r.size, r.entered, r.gone, r.took_ms, bool(r.kept))
        for r in tx.execute(statement.order_by(v.version.desc()).limit(limit))
    ]


def put_version(
    tx: sa.Connection, audience_id: str, brand_id: int, found: BitMap, at: datetime, took_ms: int, watermark: str
) -> StoredVersion | None:
    """Store `found` as the next version and tell it through the outbox; None when it equals the newest one.

    The audience's row is locked first, so two refreshes make two versions in order.
    """
    stored = get(tx, brand_id, audience_id, lock=True)
    before = BitMap() if stored.version is None else members(tx, audience_id, stored.version)
    marks: dict[str, Any] = {"computed_at": at, "watermark": watermark}
    if stored.version is not None and before == found:
        tx.execute(sa.update(audience).where(audience.c.audience_id == audience_id).values(**marks))
        return None
    version = (stored.version or 0) + 1
    entered, left = found.difference_cardinality(before), before.difference_cardinality(found)
    tx.execute(
        sa.insert(audience_version).values(
            audience_id=audience_id,
            version=version,
            at=at,
            size=len(found),
            entered=entered,
            left=left,
            took_ms=took_ms,
            members=found.serialize(),
        )
    )
    tx.execute(sa.update(audience).where(audience.c.audience_id == audience_id).values(version=version, **marks))
    tx.execute(
        sa.update(audience_version)
        .where(audience_version.c.audience_id == audience_id, audience_version.c.version <= version - KEPT_VERSIONS)
        .values(members=None)
    )
    news = {"brand_id": brand_id, "audience_id": audience_id, "version": version, "entered": entered, "left": left}
    outbox.publish(tx, AUDIENCE_CHANGED, news, at)
    return StoredVersion(version, at, len(found), entered, left, took_ms, True)


def newest_news(tx: sa.Connection, *, of_audiences: bool = False) -> str:
    """How far the news is that can change who is in a set: a token of state.

    `of_audiences`: for a set that rests on other audiences.
    """
    return str(newest(tx, (*_MATTERS, AUDIENCE_CHANGED) if of_audiences else _MATTERS))


def _check_name(tx: sa.Connection, brand_id: int, name: str, audience_id: str) -> None:
    other = tx.execute(
        sa.select(audience.c.audience_id).where(
            audience.c.brand_id == brand_id, audience.c.name == name, audience.c.audience_id != audience_id
        )
    ).scalar_one_or_none()
    if other is not None:
        raise audience_name_taken(name)


def _stored(row: Any) -> StoredAudience:
    return StoredAudience(
        row.audience_id,
        row.brand_id,
        row.name,
        row.description,
        json.loads(row.tree),
        cast("Refresh", row.refresh),
        row.revision,
        row.version,
        row.computed_at,
        row.watermark,
        row.created_by,
        row.updated_at,
    )
