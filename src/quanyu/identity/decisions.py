"""What people decide about links: deny, restore, accept, merge; and values a brand never wants as identifiers.

A decision is one mark on the evidence; the people follow from settling the clusters around it again, exactly as
they follow from events. So a decision taken back leaves no trace but in the audit ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import ACCEPT, ACCEPTED, BLOCKED, CROWDED, UNDECIDED
from quanyu.identity.sequences import take
from quanyu.identity.tables import identifier, link, person
from quanyu.identity.workbench import Outcome, Workbench, load
from quanyu.kernel.clock import from_micros
from quanyu.storage.bulk import rows, upsert

# Beyond this many links an identifier stays demoted whatever single link is decided.
_TOO_MANY = 50_000


def decide(tx: sa.Connection, a: int, b: int, decision: int, by: str, why: str, now: int) -> None:
    """Mark every link between identifiers `a` < `b`. Undecided means: as the policies say.

    A link that people made keeps existing only by decision, so restoring it accepts it again.
    """
    pair = (link.c.a == a) & (link.c.b == b)
    marks = {"decided_by": by, "decided_at": from_micros(now), "decided_why": why}
    if decision == UNDECIDED:
        tx.execute(sa.update(link).where(pair, link.c.rule == "manual").values(decision=ACCEPT, **marks))
        pair &= link.c.rule != "manual"
    tx.execute(sa.update(link).where(pair).values(decision=decision, **marks))


def connect(
    tx: sa.Connection, brand_id: int, pairs: Sequence[tuple[int, int]], by: str, why: str, now: int
) -> list[int]:
    """Links made by hand between these identifiers (a < b), in order; existing ones are accepted again."""
    first = take(tx, "link", len(pairs))
    at = from_micros(now)
    made = [
        {
            "link_id": number,
            "brand_id": brand_id,
            "a": a,
            "b": b,
            "rule": "manual",
            "first_at": at,
            "last_at": at,
            "days": 1,
            "status": ACCEPTED,
            "decision": ACCEPT,
            "decided_by": by,
            "decided_at": at,
            "decided_why": why,
        }
        for number, (a, b) in enumerate(pairs, first)
    ]
    upsert(tx, link, made, ["a", "b", "rule"], ["decision", "decided_by", "decided_at", "decided_why"])
    given = rows(tx, {"a": sa.BigInteger, "b": sa.BigInteger}, pairs)
    found = {
        (row.a, row.b): row.link_id
        for row in tx.execute(
            sa.select(link.c.a, link.c.b, link.c.link_id).join_from(
                given, link, (link.c.a == given.c.a) & (link.c.b == given.c.b) & (link.c.rule == "manual")
            )
        )
    }
    return [int(found[pair]) for pair in pairs]


def settle_around(bench: Workbench, numbers: Sequence[int]) -> Outcome | None:
    """Settle every cluster that these identifiers belong to, or would belong to if they identified somebody.

    None when one of them has so many links that no single change can matter.
    """
    clusters = clusters_around(bench.tx, numbers)
    if clusters is None:
        return None
    nodes, links = load(bench.tx, clusters)
    return bench.settle(nodes, links)


def clusters_around(tx: sa.Connection, numbers: Sequence[int]) -> set[int] | None:
    """The clusters that these identifiers belong to, or would belong to if they identified somebody.

    None when one of them has so many links that no single change can matter.
    """
    given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in numbers])
    own = tx.execute(
        sa.select(identifier.c.identifier_id, identifier.c.cluster_id, identifier.c.state).join_from(
            given, identifier, identifier.c.identifier_id == given.c.identifier_id
        )
    ).all()
    clusters = {row.cluster_id for row in own}
    junk = [row.identifier_id for row in own if row.state in (CROWDED, BLOCKED)]
    if junk:
        given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in junk], "junk")
        for near, far in ((link.c.a, link.c.b), (link.c.b, link.c.a)):
            neighbours = (
                sa.select(identifier.c.cluster_id)
                .join_from(given, link, near == given.c.identifier_id)
                .join(identifier, identifier.c.identifier_id == far)
                .limit(_TOO_MANY)
            )
            found = tx.execute(neighbours).scalars().all()
            if len(found) == _TOO_MANY:
                return None
            clusters.update(found)
    return clusters


def strongest(tx: sa.Connection, book: PolicyBook, people: Sequence[int]) -> dict[int, int]:
    """Of each person the identifier that stands for them: the strongest, then the oldest, that is not shared."""
    given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in people])
    best: dict[int, tuple[int, int]] = {}
    for number, namespace, owner in tx.execute(
        sa.select(identifier.c.identifier_id, identifier.c.namespace, identifier.c.person_id).join_from(
            given, identifier, identifier.c.person_id == given.c.person_id
        )
    ):
        rank = (-book[namespace].strength, number)
        if owner not in best or rank < best[owner]:
            best[owner] = rank
    return {owner: rank[1] for owner, rank in best.items()}


def people_of(outcome: Outcome, before: dict[int, int]) -> set[int]:
    """Who now holds the identifiers that `before` (identifier -> person) held."""
    numbers = np.array(sorted(before), np.int64)
    at = np.searchsorted(outcome.identifier_id, numbers)
    at[at == outcome.identifier_id.size] = 0
    found = outcome.identifier_id[at] == numbers
    return {int(number) for number in outcome.person_id[at[found]]} - {0}


def held_by(tx: sa.Connection, people: Sequence[int]) -> dict[int, int]:
    """The identifiers of these people, each with its person."""
    given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in people])
    return {
        row.identifier_id: row.person_id
        for row in tx.execute(
            sa.select(identifier.c.identifier_id, identifier.c.person_id).join_from(
                given, identifier, identifier.c.person_id == given.c.person_id
            )
        )
    }


def public_ids(tx: sa.Connection, people: Sequence[int]) -> tuple[str, ...]:
    """The public ids of these people, in the order of their numbers."""
    given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in people])
    statement = (
        sa.select(person.c.public_id)
        .join_from(given, person, person.c.person_id == given.c.person_id)
        .order_by(person.c.person_id)
    )
    return tuple(tx.execute(statement).scalars())
