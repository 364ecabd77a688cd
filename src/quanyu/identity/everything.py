"""OneID over everything at once: the same resolution on all evidence of a brand, as columns.

It says what a change of policies would do before it is applied, and it is the check that resolving batch by batch
has led to the same people. It writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import BLOCKED, CROWDED, DENY, I64, UNDECIDED, Evidence, Kinds, Settled, settle
from quanyu.identity.tables import identifier, link
from quanyu.identity.workbench import MANUAL_STRENGTH

_FETCH = 50_000
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Whole:
    """All identifiers and links of a brand. `namespace` holds the namespace of each kind of identifier."""

    identifier_id: I64
    person_id: I64
    namespace: list[str]
    evidence: Evidence
    manual: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """What would become of a brand's people.

    `merged` people would become part of another, `split` ones fall apart, `demoted` identifiers would newly identify
    nobody. `merged_examples` and `split_examples` are people as they are now.
    """

    people_before: int
    people_after: int
    merged: int
    split: int
    demoted: int
    merged_examples: tuple[int, ...]
    split_examples: tuple[int, ...]


def load(tx: sa.Connection, brand_id: int) -> Whole:
    """Read a brand's evidence: some 60 bytes per identifier and 50 per link."""
    codes: dict[tuple[str, str], int] = {}
    columns = identifier.c
    nodes = _columns(
        tx,
        sa.select(
            columns.identifier_id,
            columns.person_id,
            columns.namespace,
            columns.issuer,
            columns.hash,
            columns.state,
            sa.func.coalesce(sa.type_coerce(columns.unbound_at, sa.BigInteger), -1),
        )
        .where(columns.brand_id == brand_id)
        .order_by(columns.identifier_id),
        lambda row: (row[0], row[1], codes.setdefault((row[2], row[3]), len(codes)), row[5], row[6]),
        5,
        rank=4,
    )
    ids, people, kind, state, unbound, rank = nodes
    table = link.c
    edges = _columns(
        tx,
        sa.select(
            table.a,
            table.b,
            sa.type_coerce(table.first_at, sa.BigInteger),
            sa.type_coerce(table.last_at, sa.BigInteger),
            table.decision,
            sa.case((table.rule == "manual", 1), else_=0),
        ).where(table.brand_id == brand_id),
        tuple,
        6,
    )
    a, b = np.searchsorted(ids, edges[0]), np.searchsorted(ids, edges[1])
    decision = edges[4].astype(np.int8)
    decision[(decision == UNDECIDED) & (np.maximum(unbound[a], unbound[b]) >= edges[3])] = DENY
    nothing = np.zeros(0, np.int64)
    evidence = Evidence(
        kind.astype(np.int32),
        rank.astype(np.uint64),
        state == BLOCKED,
        a.astype(np.int64),
        b.astype(np.int64),
        np.zeros(a.size, np.int32),
        edges[2],
        decision,
        nothing,
        nothing.astype(np.int32),
        nothing,
    )
    return Whole(ids, people, [namespace for namespace, _ in codes], evidence, edges[5] == 1)


def _columns(tx: sa.Connection, statement: Any, pick: Any, width: int, rank: int | None = None) -> list[Any]:
    """The rows of a statement as arrays of integers; with `rank`, that column's first 64 bits of hexadecimal too."""
    parts: list[list[Any]] = [[] for _ in range(width + (rank is not None))]
    for chunk in tx.execute(statement.execution_options(yield_per=_FETCH)).partitions(_FETCH):
        found = np.array([pick(row) for row in chunk], np.int64).reshape(len(chunk), width)
        for i in range(width):
            parts[i].append(found[:, i].copy())
        if rank is not None:
            parts[width].append(np.array([int(row[rank][:16], 16) for row in chunk], np.uint64))
    return [np.concatenate(part) if part else np.zeros(0, np.int64) for part in parts]


def decide(whole: Whole, book: PolicyBook) -> Settled:
    """The people of `whole` under the policies of `book`."""
    codes = np.array([book.code[namespace] for namespace in whole.namespace], np.int32)
    kinds = Kinds.of(book, codes)
    held = whole.evidence
    weaker = np.minimum(kinds.strength[held.kind[held.a]], kinds.strength[held.kind[held.b]])
    strength = np.where(whole.manual, MANUAL_STRENGTH, weaker).astype(np.int32)
    evidence = Evidence(
        held.kind,
        held.rank,
        held.blocked,
        held.a,
        held.b,
        strength,
        held.first_at,
        held.decision,
        held.half,
        held.half_kind,
        held.half_key,
    )
    return settle(evidence, kinds)


def compare(whole: Whole, settled: Settled) -> Comparison:
    """The people as stored against the people as settled."""
    after = settled.part + 1
    after[(settled.state == CROWDED) | (settled.state == BLOCKED)] = 0
    before = whole.person_id
    held = (before > 0) & (after > 0)
    pairs = np.unique(np.stack([before[held], after[held]]), axis=1)
    old, pieces = np.unique(pairs[0], return_counts=True)
    _, place, sources = np.unique(pairs[1], return_inverse=True, return_counts=True)
    # Of the people who flow into one, one stays and the others are merged into it.
    joined = np.unique(pairs[0][sources[place] > 1])
    apart = old[pieces > 1]
    return Comparison(
        int(np.unique(before[before > 0]).size),
        int(np.unique(after[after > 0]).size),
        int((sources - 1).sum()),
        int(apart.size),
        int(np.count_nonzero((before > 0) & (after == 0))),
        tuple(int(number) for number in joined[:EXAMPLES]),
        tuple(int(number) for number in apart[:EXAMPLES]),
    )
