"""From a change of evidence to the people that follow: load the clusters it touches, settle them, write the outcome.

Every way in (a micro-batch, a person's decision, a blocked value, a full rebuild) ends here, so all agree. Sets go
in and out; no statement runs once per identifier or per person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.identity import homes, sequences
from quanyu.identity.contracts import PEOPLE_MOVED
from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import (
    ACCEPT,
    BLOCKED,
    CROWDED,
    DEMOTED,
    DENIED,
    DENY,
    I64,
    UNDECIDED,
    Evidence,
    Kinds,
    Settled,
    settle,
)
from quanyu.identity.tables import identifier, link, person
from quanyu.kernel.clock import from_micros
from quanyu.kernel.ids import Ids
from quanyu.storage.bulk import insert_many, rows
from quanyu.storage.outbox import publish

MANUAL_STRENGTH = 1000
_PERSON_COLUMNS = ("person_id", "brand_id", "public_id", "root_identifier_id", "born_at", "active")
_NEWS = 10_000  # people per piece of news
_NOBODY = np.iinfo(np.int64).max


@dataclass(slots=True)
class Nodes:
    """Identifiers as columns. `person` and `cluster` are as stored (0 for new ones); `root` is the person whose
    root it is (0: none); `fresh` ones are not in the database yet.
    """

    identifier_id: list[int] = field(default_factory=list)
    namespace: list[str] = field(default_factory=list)
    issuer: list[str] = field(default_factory=list)
    hash: list[str] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    sharing: list[int] = field(default_factory=list)
    person: list[int] = field(default_factory=list)
    cluster: list[int] = field(default_factory=list)
    anchored: list[bool] = field(default_factory=list)
    born_at: list[int] = field(default_factory=list)
    unbound_at: list[int] = field(default_factory=list)
    root: list[int] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Links:
    """Links as columns; `status` 0 marks one that is not in the database yet, `evidence` what to write of it."""

    link_id: list[int] = field(default_factory=list)
    a: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)
    rule: list[str] = field(default_factory=list)
    first_at: list[int] = field(default_factory=list)
    last_at: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    because: list[str | None] = field(default_factory=list)
    decision: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The people after the change. Arrays are by node, nodes sorted by id."""

    identifier_id: I64
    person_id: I64
    cluster_id: I64
    root_of: I64
    state: I64
    sharing: I64
    link_status: dict[int, tuple[int, str | None]]
    moved_people: BitMap
    new_people: BitMap
    identifiers_moved: int


_NODE_COLUMNS = (
    identifier.c.identifier_id,
    identifier.c.namespace,
    identifier.c.issuer,
    identifier.c.hash,
    identifier.c.state,
    identifier.c.sharing,
    identifier.c.person_id,
    identifier.c.cluster_id,
    identifier.c.anchored,
    sa.type_coerce(identifier.c.born_at, sa.BigInteger),
    sa.func.coalesce(sa.type_coerce(identifier.c.unbound_at, sa.BigInteger), -1),
    sa.func.coalesce(identifier.c.root_of, 0),
    sa.false(),
)
_LINK_COLUMNS = (
    link.c.link_id,
    link.c.a,
    link.c.b,
    link.c.rule,
    sa.type_coerce(link.c.first_at, sa.BigInteger),
    sa.type_coerce(link.c.last_at, sa.BigInteger),
    link.c.status,
    link.c.because,
    link.c.decision,
)


def load(tx: sa.Connection, clusters: Iterable[int]) -> tuple[Nodes, Links]:
    """Every identifier of these clusters and every link that touches one of them."""
    wanted = [(cluster,) for cluster in sorted(set(clusters))]
    nodes, links = Nodes(), Links()
    if not wanted:
        return nodes, links
    given = rows(tx, {"cluster_id": sa.BigInteger}, wanted)
    first = identifier.c.person_id == given.c.cluster_id
    others = (identifier.c.cluster_id == given.c.cluster_id) & (identifier.c.cluster_id != identifier.c.person_id)
    for which in (first, others):
        _fill(nodes, tx.execute(sa.select(*_NODE_COLUMNS).join_from(given, identifier, which)).all())
    held = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in sorted(nodes.identifier_id)])
    outgoing = sa.select(*_LINK_COLUMNS).join_from(held, link, link.c.a == held.c.identifier_id)
    found = tx.execute(outgoing).all()
    # Links that hold have both ends in one cluster; only these may come from elsewhere.
    barred = link.c.status.in_([DEMOTED, DENIED])
    incoming = sa.select(*_LINK_COLUMNS).join_from(held, link, (link.c.b == held.c.identifier_id) & barred)
    known = {row[0] for row in found}
    found = [
        *found,
        *(row for row in tx.execute(incoming) if row[0] not in known),
    ]
    _fill(links, found)
    return nodes, links


def _fill(target: Nodes | Links, found: Sequence[Any]) -> None:
    if found:
        for name, column in zip(target.__slots__, zip(*found, strict=True), strict=True):
            getattr(target, name).extend(column)


class Workbench:
    """Settles one brand's change within one transaction."""

    def __init__(self, tx: sa.Connection, brand_id: int, book: PolicyBook, ids: Ids, now: int) -> None:
        self.tx = tx
        self.brand_id = brand_id
        self.book = book
        self._ids = ids
        self._now = now

    def settle(self, nodes: Nodes, links: Links) -> Outcome:
        """Decide, and write what changed of identifiers, people and links that are in the database already.

        Fresh nodes and links are the caller's to insert, with what the outcome says of them. `moved` news is
        published, people's homes are derived again, and the gate is closed when somebody moved.
        """
        order = np.argsort(np.array(nodes.identifier_id, np.int64), kind="stable")
        ids = np.array(nodes.identifier_id, np.int64)[order]
        kinds, evidence, inside = self._evidence(nodes, links, order, ids)
        settled = settle(evidence, kinds)
        person_id, root_of, new_people = self._people(nodes, order, ids, settled)
        cluster_id = _clusters(ids, person_id, settled)

        old_person = np.array(nodes.person, np.int64)[order]
        fresh = np.array(nodes.fresh, np.bool_)[order]
        changed_person = (person_id != old_person) & ~fresh
        changed = ~fresh & (
            changed_person
            | (root_of != np.array(nodes.root, np.int64)[order])
            | (cluster_id != np.array(nodes.cluster, np.int64)[order])
            | (settled.state != np.array(nodes.state, np.int64)[order])
            | (settled.people != np.array(nodes.sharing, np.int64)[order])
        )
        moved = changed_person & np.array(nodes.anchored, np.bool_)[order]
        self._write_identifiers(ids, person_id, cluster_id, root_of, settled, moved, changed)
        moved_people = BitMap(np.concatenate([old_person[changed_person], person_id[changed_person]]))
        moved_people.discard(0)
        self._write_activity(person_id, moved_people)
        status = self._write_links(links, inside, settled, kinds)
        if moved_people:
            homes.derive(self.tx, moved_people)
            sequences.take(self.tx, "moves", 1)
            self._tell(moved_people)
            sequences.close_gate(self.tx, self.brand_id)
        return Outcome(
            ids,
            person_id,
            cluster_id,
            root_of,
            settled.state.astype(np.int64),
            settled.people,
            status,
            moved_people,
            new_people,
            int(np.count_nonzero(changed_person)),
        )

    def _evidence(self, nodes: Nodes, links: Links, order: I64, ids: I64) -> tuple[Kinds, Evidence, I64]:
        """Arrays for the kernel, and which of `links` have both ends inside (by position)."""
        codes: dict[tuple[str, str], int] = {}
        kind = np.array(
            [codes.setdefault(key, len(codes)) for key in zip(nodes.namespace, nodes.issuer, strict=True)], np.int32
        )[order]
        rank = np.array([int(text[:16], 16) for text in nodes.hash], np.uint64)[order]
        a, b = np.array(links.a, np.int64), np.array(links.b, np.int64)
        at_a, at_b = np.searchsorted(ids, a), np.searchsorted(ids, b)
        has_a, has_b = _present(ids, at_a, a), _present(ids, at_b, b)
        decision = np.array(links.decision, np.int8)
        # What an event cut loose stays apart until a later event shows the two together again.
        unbound = np.append(np.array(nodes.unbound_at, np.int64)[order], -1)
        cut = np.maximum(unbound[np.where(has_a, at_a, -1)], unbound[np.where(has_b, at_b, -1)])
        decision[(decision == UNDECIDED) & (cut >= np.array(links.last_at, np.int64))] = DENY
        both = has_a & has_b
        half = (has_a ^ has_b) & (decision == UNDECIDED)
        half_at = np.where(has_a, at_a, at_b)[half]
        far = np.where(has_a, b, a)[half]
        half_kind = self._far_kinds(far, codes)
        kinds = Kinds.of(self.book, np.array([self.book.code[namespace] for namespace, _ in codes], np.int32))
        manual = np.array([rule == "manual" for rule in links.rule], np.bool_)
        a_in, b_in = at_a[both], at_b[both]
        strength = np.minimum(kinds.strength[kind[a_in]], kinds.strength[kind[b_in]]) if a_in.size else a_in
        strength = np.where(manual[both], MANUAL_STRENGTH, strength).astype(np.int32)
        evidence = Evidence(
            kind,
            rank,
            np.array(nodes.state, np.int64)[order] == BLOCKED,
            a_in.astype(np.int64),
            b_in.astype(np.int64),
            strength,
            np.array(links.first_at, np.int64)[both],
            decision[both],
            half_at.astype(np.int64),
            half_kind,
            far,
        )
        return kinds, evidence, np.flatnonzero(both)

    def _far_kinds(self, far: I64, codes: dict[tuple[str, str], int]) -> Any:
        if far.size == 0:
            return np.zeros(0, np.int32)
        distinct, at = np.unique(far, return_inverse=True)
        given = rows(self.tx, {"identifier_id": sa.BigInteger}, [(int(value),) for value in distinct])
        found = {
            row[0]: (row[1], row[2])
            for row in self.tx.execute(
                sa.select(identifier.c.identifier_id, identifier.c.namespace, identifier.c.issuer).join_from(
                    given, identifier, identifier.c.identifier_id == given.c.identifier_id
                )
            )
        }
        kinds = [codes.setdefault(found[int(value)], len(codes)) for value in distinct]
        return np.array(kinds, np.int32)[at]

    def _people(self, nodes: Nodes, order: I64, ids: I64, settled: Settled) -> tuple[I64, I64, BitMap]:
        """The person of each identifier and whose root each is (0: nobody's), making people that are new.

        A part belongs to the smallest person whose root it holds; a part without one becomes a new person, rooted
        at its smallest identifier. Identifiers that identify nobody belong to person 0.
        """
        root = np.array(nodes.root, np.int64)[order]
        holds = (settled.state != CROWDED) & (settled.state != BLOCKED)
        best = np.full(ids.size, _NOBODY, np.int64)
        rooted = holds & (root > 0)
        np.minimum.at(best, settled.part[rooted], root[rooted])
        heads = np.flatnonzero(holds & (settled.part == np.arange(ids.size)) & (best == _NOBODY))
        first = sequences.take(self.tx, "person", heads.size)
        best[heads] = np.arange(first, first + heads.size)
        if heads.size:
            born = np.full(ids.size, _NOBODY, np.int64)
            np.minimum.at(born, settled.part, np.array(nodes.born_at, np.int64)[order])
            made = [
                (number, self.brand_id, self._ids.ordered("p", self._now), root_id, at, True)
                for number, root_id, at in zip(
                    range(first, first + heads.size), ids[heads].tolist(), born[heads].tolist(), strict=True
                )
            ]
            insert_many(self.tx, person, _PERSON_COLUMNS, made)
        people = np.where(holds, best[settled.part], 0)
        root[heads] = best[heads]
        return people, root, BitMap(np.arange(first, first + heads.size))

    def _write_identifiers(
        self, ids: I64, person_id: I64, cluster_id: I64, root_of: I64, settled: Settled, moved: Any, changed: Any
    ) -> None:
        at = np.flatnonzero(changed)
        if at.size == 0:
            return
        columns = (
            ids[at],
            person_id[at],
            cluster_id[at],
            root_of[at],
            settled.state[at],
            settled.people[at],
            moved[at],
        )
        given = rows(
            self.tx,
            {
                "identifier_id": sa.BigInteger,
                "person_id": sa.BigInteger,
                "cluster_id": sa.BigInteger,
                "root_of": sa.BigInteger,
                "state": sa.SmallInteger,
                "sharing": sa.BigInteger,
                "moved": sa.Boolean,
            },
            list(zip(*(column.tolist() for column in columns), strict=True)),
        )
        self.tx.execute(
            sa.update(identifier)
            .where(identifier.c.identifier_id == given.c.identifier_id)
            .values(
                person_id=given.c.person_id,
                cluster_id=given.c.cluster_id,
                root_of=sa.func.nullif(given.c.root_of, 0),
                state=given.c.state,
                sharing=given.c.sharing,
                moved=sa.or_(identifier.c.moved, given.c.moved),
            )
        )

    def _write_activity(self, new: I64, moved: BitMap) -> None:
        """People who hold no identifier any more are inactive, those who hold one again are active."""
        if not moved:
            return
        holding = BitMap(new)
        facts = [(number, number in holding) for number in moved]
        given = rows(self.tx, {"person_id": sa.BigInteger, "active": sa.Boolean}, facts)
        self.tx.execute(
            sa.update(person)
            .where(person.c.person_id == given.c.person_id, person.c.active != given.c.active)
            .values(active=given.c.active)
        )

    def _write_links(
        self, links: Links, inside: I64, settled: Settled, kinds: Kinds
    ) -> dict[int, tuple[int, str | None]]:
        """Update links whose status changed; return status and reason of the links that are new."""
        names = [self.book.policies[int(code)].namespace for code in kinds.namespace]
        made: dict[int, tuple[int, str | None]] = {}
        changed = []
        for at, status, kind in zip(inside.tolist(), settled.status.tolist(), settled.because.tolist(), strict=True):
            because = names[kind] if kind >= 0 else None
            if links.status[at] == 0:
                made[links.link_id[at]] = (status, because)
            elif status != links.status[at] or because != links.because[at]:
                changed.append((links.link_id[at], status, because))
        if changed:
            given = rows(self.tx, {"link_id": sa.BigInteger, "status": sa.SmallInteger, "because": sa.Text}, changed)
            self.tx.execute(
                sa.update(link)
                .where(link.c.link_id == given.c.link_id)
                .values(status=given.c.status, because=given.c.because)
            )
        return made

    def _tell(self, people: BitMap) -> None:
        numbers = list(people)
        for start in range(0, len(numbers), _NEWS):
            publish(
                self.tx,
                PEOPLE_MOVED,
                {"brand_id": self.brand_id, "person_ids": numbers[start : start + _NEWS]},
                from_micros(self._now),
            )


def _clusters(ids: I64, person_id: I64, settled: Settled) -> I64:
    """The name of each identifier's cluster: its smallest person. One that identifies nobody is a cluster alone."""
    held = person_id > 0
    first = np.full(ids.size, _NOBODY)
    np.minimum.at(first, settled.cluster[held], person_id[held])
    return np.where(held, first[settled.cluster], -ids)


def _present(ids: I64, at: I64, wanted: I64) -> Any:
    """Whether each of `wanted` stands in the sorted `ids` at the place where it would be."""
    if ids.size == 0:
        return np.zeros(wanted.size, np.bool_)
    return cast(Any, ids[np.minimum(at, ids.size - 1)] == wanted)


__all__ = ["ACCEPT", "Links", "Nodes", "Outcome", "Workbench", "load"]
