"""What a batch reads and writes, as sets: its identifiers, the links it shows, what is new and what is newer.

Which person anything belongs to is decided in `resolving` and `workbench`; here are the statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from quanyu.identity import sequences
from quanyu.identity.batch import Seen
from quanyu.identity.hashes import Hashes, ranks_of, with_hash
from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import BLOCKED, CROWDED, DEMOTED, I64, UNDECIDED
from quanyu.identity.tables import blocked_value, identifier, link
from quanyu.identity.values import mask
from quanyu.identity.workbench import Outcome
from quanyu.storage.bulk import insert_many, rows
from quanyu.storage.vault import Vault

# Links are kept to the day: a known person's clicks then write nothing, which is most of what a store does.
DAY = 86_400_000_000
_MANY = 2_000  # identifiers, from which on they are looked up in memory
_IDENTIFIER_COLUMNS = (
    "identifier_id",
    "brand_id",
    "namespace",
    "issuer",
    "hash",
    "sealed",
    "masked",
    "person_id",
    "cluster_id",
    "root_of",
    "state",
    "sharing",
    "born_at",
    "source",
    "unbound_at",
    "anchored",
    "moved",
)
_LINK_COLUMNS = (
    "link_id",
    "brand_id",
    "a",
    "b",
    "rule",
    "first_at",
    "last_at",
    "days",
    "source",
    "event_id",
    "event_name",
    "status",
    "because",
    "decision",
)


@dataclass(slots=True)
class Known:
    """The identifiers of a brand's batch, by position; id 0 until known or made."""

    identifier_id: I64
    person_id: I64
    cluster_id: I64
    state: I64
    anchored: Any
    unbound_at: I64
    strength: I64
    rank: Any
    fresh: Any


@dataclass(slots=True)
class Pairs:
    """Pairs seen together: ends (a < b), when first and last, and the row that showed them first."""

    a: I64
    b: I64
    first_at: I64
    last_at: I64
    row: I64


@dataclass(frozen=True, slots=True)
class NewLinks:
    """Pairs that become links: their places among `pairs`, the ids of all pairs' links, and what was settled."""

    pairs: Pairs
    at: I64
    link_id: I64
    settled: dict[int, tuple[int, str | None]]


def look_up(tx: sa.Connection, brand_id: int, seen: Sequence[Seen], book: PolicyBook, hashes: Hashes) -> Known:
    """What is stored of the identifiers of a batch; ids are given to those that are new."""
    count = len(seen)
    known = Known(
        identifier_id=np.zeros(count, np.int64),
        person_id=np.zeros(count, np.int64),
        cluster_id=np.zeros(count, np.int64),
        state=np.zeros(count, np.int64),
        anchored=np.zeros(count, np.bool_),
        unbound_at=np.full(count, -1, np.int64),
        strength=np.array([book[one.namespace].strength for one in seen], np.int64),
        rank=ranks_of([one.hash for one in seen]),
        fresh=np.zeros(count, np.bool_),
    )
    if count >= _MANY and hashes.catch_up(count):
        number = hashes.find(tx, known.rank)
        there = np.flatnonzero(number)
        given = rows(tx, {"identifier_id": sa.BigInteger}, [(key,) for key in number[there].tolist()])
        _read(tx, brand_id, seen, known, identifier.c.identifier_id.in_(sa.select(given.c.identifier_id)))
        # Two hashes may begin with the same 64 bits, once in a billion years: then the shelves are asked.
        rest = there[known.identifier_id[there] == 0]
    else:
        rest = np.arange(count)
    if rest.size:
        _read(tx, brand_id, seen, known, with_hash(tx, [seen[i].hash for i in rest.tolist()]))
    known.fresh = known.identifier_id == 0
    fresh = np.flatnonzero(known.fresh)
    first = sequences.take(tx, "identifier", fresh.size)
    known.identifier_id[fresh] = np.arange(first, first + fresh.size)
    blocked = set(tx.execute(sa.select(blocked_value.c.hash).where(blocked_value.c.brand_id == brand_id)).scalars())
    if blocked:
        known.state[[seen[i].hash in blocked for i in range(count)]] = BLOCKED
    return known


def _read(tx: sa.Connection, brand_id: int, seen: Sequence[Seen], known: Known, where: sa.ColumnElement[bool]) -> None:
    """Fill in what is stored of the identifiers `where`, as far as they are among `seen`."""
    place_of = {one.hash: i for i, one in enumerate(seen)}
    columns = identifier.c
    found = tx.execute(
        sa.select(
            columns.hash,
            columns.identifier_id,
            columns.person_id,
            columns.cluster_id,
            columns.state,
            columns.anchored,
            sa.func.coalesce(sa.type_coerce(columns.unbound_at, sa.BigInteger), -1),
        ).where(where, columns.brand_id == brand_id)
    ).all()
    found = [row for row in found if row[0] in place_of]
    if not found:
        return
    hashes, *data = zip(*found, strict=True)
    place = [place_of[text] for text in hashes]
    targets = (
        known.identifier_id,
        known.person_id,
        known.cluster_id,
        known.state,
        known.anchored,
        known.unbound_at,
    )
    for target, column in zip(targets, data, strict=True):
        target[place] = column


def stored_links(tx: sa.Connection, known: Known, pairs: Pairs) -> list[Any]:
    """(place, link_id, first_at, last_at, decision) of the pairs that are links already."""
    numbers = known.identifier_id[known.fresh]
    old = np.flatnonzero(~np.isin(pairs.a, numbers) & ~np.isin(pairs.b, numbers))
    if old.size == 0:
        return []
    given = rows(
        tx,
        {"place": sa.BigInteger, "a": sa.BigInteger, "b": sa.BigInteger},
        list(zip(old.tolist(), pairs.a[old].tolist(), pairs.b[old].tolist(), strict=True)),
    )
    return list(
        tx.execute(
            sa.select(
                given.c.place,
                link.c.link_id,
                sa.type_coerce(link.c.first_at, sa.BigInteger),
                sa.type_coerce(link.c.last_at, sa.BigInteger),
                link.c.decision,
            ).join_from(given, link, (link.c.a == given.c.a) & (link.c.b == given.c.b) & (link.c.rule == "together"))
        ).all()
    )


def strengthen(tx: sa.Connection, values: list[tuple[int, int, int, int]]) -> None:
    """Bring links up to date: (link_id, days to add, first_at, last_at)."""
    if not values:
        return
    given = rows(
        tx,
        {"link_id": sa.BigInteger, "days": sa.BigInteger, "first_at": sa.BigInteger, "last_at": sa.BigInteger},
        values,
    )
    tx.execute(
        sa.update(link)
        .where(link.c.link_id == given.c.link_id)
        .values(days=link.c.days + given.c.days, first_at=given.c.first_at, last_at=given.c.last_at)
    )


def insert_identifiers(
    tx: sa.Connection,
    brand_id: int,
    known: Known,
    seen: Sequence[Seen],
    outcome: Outcome,
    vault: Vault,
    first_seen: I64,
    sources: Sequence[str],
) -> None:
    """Write the new identifiers, sealed, with the people that were settled; `sources` in the order of `seen`."""
    fresh = np.flatnonzero(known.fresh)
    if fresh.size == 0:
        return
    fresh = fresh[np.argsort(known.rank[fresh])]
    at = np.searchsorted(outcome.identifier_id, known.identifier_id[fresh])
    sealed = vault.seal_many(brand_id, [seen[i].value for i in fresh.tolist()])
    given = [seen[i] for i in fresh.tolist()]
    count = len(given)
    values = list(
        zip(
            known.identifier_id[fresh].tolist(),
            [brand_id] * count,
            [one.namespace for one in given],
            [one.issuer for one in given],
            [one.hash for one in given],
            sealed,
            [mask(one.namespace, one.value) for one in given],
            outcome.person_id[at].tolist(),
            outcome.cluster_id[at].tolist(),
            [number or None for number in outcome.root_of[at].tolist()],
            outcome.state[at].tolist(),
            outcome.sharing[at].tolist(),
            first_seen[fresh].tolist(),
            [sources[i] for i in fresh.tolist()],
            [at if at >= 0 else None for at in known.unbound_at[fresh].tolist()],
            known.anchored[fresh].tolist(),
            [False] * count,
            strict=True,
        )
    )
    insert_many(tx, identifier, _IDENTIFIER_COLUMNS, values)


def insert_links(
    tx: sa.Connection, brand_id: int, new: NewLinks, table: pa.Table, known: Known, seen: Sequence[Seen]
) -> None:
    """Write new links with what was settled of them, and the event that showed each first."""
    if new.at.size == 0:
        return
    pairs = new.pairs
    shown = pa.array(pairs.row[new.at])
    event = table.select(["source", "event_id", "name"]).take(shown).to_pydict()
    place_of = {number: i for i, number in enumerate(known.identifier_id.tolist())}
    values = []
    for i, place in enumerate(new.at.tolist()):
        a, b, number = int(pairs.a[place]), int(pairs.b[place]), int(new.link_id[place])
        status, because = new.settled.get(number) or (DEMOTED, _junk(known, seen, place_of, a, b))
        values.append(
            (
                number,
                brand_id,
                a,
                b,
                "together",
                int(pairs.first_at[place]),
                int(pairs.last_at[place]),
                1,
                event["source"][i],
                event["event_id"][i],
                event["name"][i],
                status,
                because,
                UNDECIDED,
            )
        )
    insert_many(tx, link, _LINK_COLUMNS, values)


def _junk(known: Known, seen: Sequence[Seen], place_of: dict[int, int], a: int, b: int) -> str:
    """The namespace of that end of a link which identified nobody before this batch."""
    ends = [place_of[a], place_of[b]]
    barred = [end for end in ends if known.state[end] in (CROWDED, BLOCKED)]
    return seen[(barred or ends)[0]].namespace
