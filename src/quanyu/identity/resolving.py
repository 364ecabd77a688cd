"""Resolving a micro-batch: every event gets its person, every pair seen together becomes or strengthens a link.

A batch is a set: identifiers are looked up at once, links are added up before they are written, and only the
clusters that new evidence touches are settled again. A batch of known people writes hardly anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.identity import records, sequences
from quanyu.identity.batch import Mentions, Seen
from quanyu.identity.contracts import Carried, Resolved
from quanyu.identity.hashes import Hashes
from quanyu.identity.policies import PolicyBook
from quanyu.identity.records import DAY, NewLinks, Pairs
from quanyu.identity.resolution import BLOCKED, CROWDED, DENY, I64, UNDECIDED
from quanyu.identity.tables import identifier
from quanyu.identity.workbench import Links, Nodes, Outcome, Workbench, load
from quanyu.kernel.ids import Ids
from quanyu.storage.bulk import rows
from quanyu.storage.vault import Vault

_PAIR = 1 << 32  # ids are below 2**32, so a pair of them is one integer


def resolve(
    tx: sa.Connection,
    table: pa.Table,
    mentions: Mentions,
    *,
    book: PolicyBook,
    vault: Vault,
    ids: Ids,
    now: int,
    hashes: Hashes,
    unbound: Mapping[tuple[int, str], int] | None = None,
) -> Resolved:
    """The person of every row of `table` (columns as `BATCH_SCHEMA`), writing what is new on the way.

    `mentions` is what `batch.read` found in `table`.
    `hashes` is for large batches. `unbound` says when identifiers, by (brand, hash), were cut loose: for those that
    begin in this batch.
    """
    occurred = table.column("occurred_at").to_numpy()
    count = table.num_rows
    person, anchor = np.zeros(count, np.int64), np.zeros(count, np.int64)
    numbers = np.zeros(len(mentions.seen), np.int64)
    moved, new = BitMap(), BitMap()
    brand = np.array([one.brand_id for one in mentions.seen], np.int64)
    for brand_id in sorted(set(brand.tolist())):
        own = np.flatnonzero(brand == brand_id)
        local = np.full(len(mentions.seen), -1, np.int64)
        local[own] = np.arange(own.size)
        here = local[mentions.which] >= 0
        batch = _Batch(
            tx,
            int(brand_id),
            [mentions.seen[i] for i in own.tolist()],
            mentions.row[here],
            local[mentions.which[here]],
            occurred,
            table,
            book,
            vault,
            ids,
            now,
            hashes,
            unbound or {},
        )
        batch.run(person, anchor)
        numbers[own] = batch.known.identifier_id
        moved |= batch.moved
        new |= batch.new
    people = BitMap(np.unique(person[person > 0]))
    return Resolved(
        person,
        anchor,
        _kept(mentions, count),
        Carried(mentions.row, numbers[mentions.which] if numbers.size else mentions.which),
        moved,
        new,
        people | moved,
        mentions.refused,
    )


def _kept(mentions: Mentions, count: int) -> pa.Array:
    """What history keeps of each row's identifiers: `namespace=hash`, in no particular order."""
    distinct = pa.array([f"{one.namespace}={one.hash}" for one in mentions.seen], pa.string())
    offsets = np.searchsorted(mentions.row, np.arange(count + 1))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), distinct.take(pa.array(mentions.which)))


class _Batch:
    """One brand's part of a batch."""

    def __init__(
        self,
        tx: sa.Connection,
        brand_id: int,
        seen: list[Seen],
        row: I64,
        which: I64,
        occurred: I64,
        table: pa.Table,
        book: PolicyBook,
        vault: Vault,
        ids: Ids,
        now: int,
        hashes: Hashes,
        unbound: Mapping[tuple[int, str], int],
    ) -> None:
        self._hashes = hashes
        self._unbound = unbound
        self._tx = tx
        self._brand_id = brand_id
        self._seen = seen
        self._row = row
        self._which = which
        self._at = occurred[row]
        self._table = table
        self._book = book
        self._vault = vault
        self._ids = ids
        self._now = now
        self.moved = BitMap()
        self.new = BitMap()

    def run(self, person: I64, anchor: I64) -> None:
        """Resolve, and fill in `person` and `anchor` of this brand's rows."""
        sequences.lock_people(self._tx, self._brand_id)
        known = self.known = records.look_up(self._tx, self._brand_id, self._seen, self._book, self._hashes)
        if self._unbound:
            for i in np.flatnonzero(known.fresh).tolist():
                known.unbound_at[i] = self._unbound.get((self._brand_id, self._seen[i].hash), -1)
        first_seen = np.full(len(self._seen), np.iinfo(np.int64).max)
        np.minimum.at(first_seen, self._which, self._at)
        # `strongest first` within each event: the head of each run of rows is the centre of its star.
        order = np.lexsort((known.rank[self._which], -known.strength[self._which], self._row))
        row, which = self._row[order], self._which[order]
        head = np.ones(row.size, np.bool_)
        head[1:] = row[1:] != row[:-1]
        centre = which[np.flatnonzero(head)[np.cumsum(head) - 1]]
        pairs = self._pairs(row[~head], which[~head], centre[~head], self._at[order][~head])
        outcome, new_links = self._settle(pairs, first_seen)
        self._anchor(row, which, person, anchor)
        if outcome is not None:
            records.insert_identifiers(
                self._tx,
                self._brand_id,
                known,
                self._seen,
                outcome,
                self._vault,
                first_seen,
                self._sources(),
            )
        records.insert_links(self._tx, self._brand_id, new_links, self._table, known, self._seen)

    def _sources(self) -> list[str]:
        """The source of the first event that carried each identifier."""
        first = np.full(len(self._seen), np.iinfo(np.int64).max)
        np.minimum.at(first, self._which, self._row)
        found: list[str] = self._table.column("source").take(pa.array(first)).to_pylist()
        return found

    def _pairs(self, row: I64, which: I64, centre: I64, at: I64) -> Pairs:
        one, other = self.known.identifier_id[which], self.known.identifier_id[centre]
        a, b = np.minimum(one, other), np.maximum(one, other)
        key, place = np.unique(a * _PAIR + b, return_inverse=True)
        first, last = np.full(key.size, np.iinfo(np.int64).max), np.zeros(key.size, np.int64)
        np.maximum.at(last, place, at)
        # Rows in order of time (then of position), so that the first write per pair is its first evidence.
        oldest = np.lexsort((row, at))[::-1]
        shown = np.zeros(key.size, np.int64)
        shown[place[oldest]] = row[oldest]
        first[place[oldest]] = at[oldest]
        return Pairs(key // _PAIR, key % _PAIR, first, last, shown)

    def _settle(self, pairs: Pairs, born: I64) -> tuple[Outcome | None, NewLinks]:
        """Settle the clusters that new evidence touches; the new links as rows to insert."""
        known = self.known
        position = np.argsort(known.identifier_id)
        sorted_ids = known.identifier_id[position]
        end_a, end_b = (position[np.searchsorted(sorted_ids, end)] for end in (pairs.a, pairs.b))
        unbound = np.maximum(known.unbound_at[end_a], known.unbound_at[end_b])
        link_id, touched, revised = self._compare(pairs, unbound)
        new = link_id == 0
        first_id = sequences.take(self._tx, "link", int(new.sum()))
        link_id[new] = np.arange(first_id, first_id + int(new.sum()))

        ends = np.unique(np.concatenate([end_a[touched], end_b[touched]]))
        barred = (known.state == CROWDED) | (known.state == BLOCKED)
        again = ends[~known.fresh[ends] & ~barred[ends]]
        nodes, links = load(self._tx, known.cluster_id[again].tolist())
        fresh = np.flatnonzero(known.fresh)
        if not nodes.identifier_id and fresh.size == 0:
            # Only links to identifiers that identify nobody: nothing to decide.
            return None, NewLinks(pairs, np.flatnonzero(new), link_id, {})
        self._add_fresh(nodes, fresh, born)
        if revised:
            for i, number in enumerate(links.link_id):
                if number in revised:
                    links.first_at[i], links.last_at[i] = revised[number]
        self._add_new(links, pairs, link_id, new)
        bench = Workbench(self._tx, self._brand_id, self._book, self._ids, self._now)
        outcome = bench.settle(nodes, links)
        self.moved |= outcome.moved_people
        self.new |= outcome.new_people
        at = np.searchsorted(outcome.identifier_id, known.identifier_id)
        at[at == outcome.identifier_id.size] = 0
        settled = outcome.identifier_id[at] == known.identifier_id
        known.person_id[settled] = outcome.person_id[at[settled]]
        known.state[settled] = outcome.state[at[settled]]
        return outcome, NewLinks(pairs, np.flatnonzero(new), link_id, outcome.link_status)

    def _compare(self, pairs: Pairs, unbound: I64) -> tuple[I64, Any, dict[int, tuple[int, int]]]:
        """Of each pair the link it already is (0: none) and whether it asks for a new decision.

        Links that are older or younger than was known are brought up to date; those among them that ask for a new
        decision are returned with their first and last time.
        """
        link_id = np.zeros(pairs.a.size, np.int64)
        touched = np.ones(pairs.a.size, np.bool_)
        stored = records.stored_links(self._tx, self.known, pairs)
        if not stored:
            return link_id, touched, {}
        place, number, old_first, old_last, decision = (
            np.array(column, np.int64) for column in zip(*stored, strict=True)
        )
        link_id[place] = number
        first, last = np.minimum(old_first, pairs.first_at[place]), np.maximum(old_last, pairs.last_at[place])
        cut = unbound[place]
        revived = (old_last <= cut) & (cut < last) & (decision == UNDECIDED)
        earlier = first < old_first
        touched[place] = matters = (earlier & (decision != DENY)) | revived
        days = (last // DAY > old_last // DAY).astype(np.int64) + (first // DAY < old_first // DAY)
        changed = (days > 0) | earlier | revived
        columns = (number[changed], days[changed], first[changed], last[changed])
        records.strengthen(self._tx, list(zip(*(column.tolist() for column in columns), strict=True)))
        spans = zip(number[matters].tolist(), first[matters].tolist(), last[matters].tolist(), strict=True)
        return link_id, touched, {one: (begin, end) for one, begin, end in spans}

    def _add_fresh(self, nodes: Nodes, fresh: I64, born: I64) -> None:
        known = self.known
        for i in fresh.tolist():
            one = self._seen[i]
            nodes.namespace.append(one.namespace)
            nodes.issuer.append(one.issuer)
            nodes.hash.append(one.hash)
        nodes.identifier_id.extend(known.identifier_id[fresh].tolist())
        nodes.state.extend(known.state[fresh].tolist())
        nodes.born_at.extend(born[fresh].tolist())
        nodes.fresh.extend([True] * fresh.size)
        nodes.anchored.extend([False] * fresh.size)
        nodes.unbound_at.extend(known.unbound_at[fresh].tolist())
        for column in (nodes.sharing, nodes.person, nodes.cluster, nodes.root):
            column.extend([0] * fresh.size)

    def _add_new(self, links: Links, pairs: Pairs, link_id: I64, new: Any) -> None:
        count = int(new.sum())
        links.link_id.extend(link_id[new].tolist())
        links.a.extend(pairs.a[new].tolist())
        links.b.extend(pairs.b[new].tolist())
        links.first_at.extend(pairs.first_at[new].tolist())
        links.last_at.extend(pairs.last_at[new].tolist())
        links.rule.extend(["together"] * count)
        links.status.extend([0] * count)
        links.because.extend([None] * count)
        links.decision.extend([UNDECIDED] * count)

    def _anchor(self, row: I64, which: I64, person: I64, anchor: I64) -> None:
        """The strongest identifier of each event that still identifies somebody decides whose event it is."""
        known = self.known
        holds = (known.state[which] != CROWDED) & (known.state[which] != BLOCKED)
        row, which = row[holds], which[holds]
        head = np.ones(row.size, np.bool_)
        head[1:] = row[1:] != row[:-1]
        anchor[row[head]] = known.identifier_id[which[head]]
        person[row[head]] = known.person_id[which[head]]
        deciding = np.unique(which[head])
        first_time = deciding[~known.anchored[deciding]]
        known.anchored[first_time] = True
        old = first_time[~known.fresh[first_time]]
        if old.size:
            given = rows(
                self._tx, {"identifier_id": sa.BigInteger}, [(number,) for number in known.identifier_id[old].tolist()]
            )
            self._tx.execute(
                sa.update(identifier)
                .where(identifier.c.identifier_id == given.c.identifier_id)
                .values(anchored=sa.true())
            )
