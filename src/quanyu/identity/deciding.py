"""Decisions with everything around them: whether the caller may see it, the preview, the audit, the people it leaves.

What a decision does to links is in `decisions`, what follows from it in `workbench`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.identity import decisions, people, sequences
from quanyu.identity.contracts import LINK_STATUS, Decided
from quanyu.identity.errors import link_not_found, link_state_wrong, nothing_to_merge
from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import ACCEPT, DENY, UNDECIDED
from quanyu.identity.tables import identifier, link
from quanyu.identity.workbench import Outcome, Workbench
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.storage.state import State


class Deciding:
    """Takes the decisions of people."""

    def __init__(self, state: State, clock: Clock, ids: Ids, audit: Audit, book: PolicyBook) -> None:
        self.state = state
        self.book = book
        self._clock = clock
        self._ids = ids
        self._audit = audit

    def decide(self, caller: Caller, link_id: int, decision: int, reason: str, preview: bool) -> Decided:
        """Mark a link and settle what it touches. Raises NotFound, Conflict."""
        scope, now = caller.scope, micros(self._clock.now())
        with self.state.write() as tx:
            sequences.lock_people(tx, scope.brand_id)
            row, owners = self._visible_link(tx, link_id, scope)
            self._check(link_id, LINK_STATUS[row.status], row.decision, decision)
            before = decisions.held_by(tx, owners)
            decisions.decide(tx, row.a, row.b, decision, caller.name, reason, now)
            outcome = decisions.settle_around(self._bench(tx, scope.brand_id, now), [row.a, row.b])
            decided = self._decided(tx, link_id, before, outcome, preview)
            if preview:
                tx.rollback()
            else:
                action = {DENY: "link_denied", ACCEPT: "link_accepted", UNDECIDED: "link_restored"}[decision]
                detail = {"a": row.a, "b": row.b, "reason": reason, "people": list(decided.people)}
                self._audit.record(caller, action, str(link_id), detail, count=decided.people_after, tx=tx)
        return decided

    def merge(self, caller: Caller, public_ids: Sequence[str], reason: str, *, preview: bool = False) -> Decided:
        """Say that these people are one. The link that is made can be denied, which undoes exactly this.

        Raises NotFound for a person outside the scope, Invalid for fewer than two.
        """
        scope, now = caller.scope, micros(self._clock.now())
        with self.state.write() as tx:
            sequences.lock_people(tx, scope.brand_id)
            refs = [people.person_of(tx, public_id, scope) for public_id in dict.fromkeys(public_ids)]
            numbers = sorted({ref.person_id for ref in refs})
            anchors = decisions.strongest(tx, self.book, numbers)
            if len(numbers) < 2 or len(anchors) < len(numbers):
                raise nothing_to_merge()
            centre, *others = (anchors[number] for number in numbers)
            pairs = [(min(centre, other), max(centre, other)) for other in others]
            before = decisions.held_by(tx, numbers)
            made = decisions.connect(tx, scope.brand_id, pairs, caller.name, reason, now)
            outcome = decisions.settle_around(self._bench(tx, scope.brand_id, now), [centre, *others])
            decided = self._decided(tx, made[0], before, outcome, preview)
            if preview:
                tx.rollback()
            else:
                detail = {"people": [ref.public_id for ref in refs], "links": made, "reason": reason}
                self._audit.record(caller, "people_merged", decided.people[0], detail, count=len(numbers), tx=tx)
        return decided

    @staticmethod
    def _visible_link(tx: sa.Connection, link_id: int, scope: Scope) -> tuple[Any, list[int]]:
        """The link and the people at its ends, all of whom the scope must see."""
        row = tx.execute(
            sa.select(link.c.a, link.c.b, link.c.status, link.c.decision).where(
                link.c.link_id == link_id, link.c.brand_id == scope.brand_id
            )
        ).first()
        if row is None:
            raise link_not_found(link_id)
        holders = sa.select(identifier.c.person_id).where(identifier.c.identifier_id.in_([row.a, row.b]))
        owners = sorted({int(number) for number in tx.execute(holders).scalars()} - {0})
        if not owners or len(people.people_by_id(tx, owners, scope)) < len(owners):
            raise link_not_found(link_id)
        return row, owners

    @staticmethod
    def _check(link_id: int, status: str, decided: int, decision: int) -> None:
        if decision == DENY and status == "denied":
            raise link_state_wrong(link_id, status, Label("它已经被拆分", "it is denied already"))
        if decision == UNDECIDED and decided == UNDECIDED:
            raise link_state_wrong(link_id, status, Label("没有人工决定可以撤回", "nobody decided about it"))
        if decision == ACCEPT and status != "refused":
            raise link_state_wrong(
                link_id,
                status,
                Label("只有被拒绝的关联可以人工确认", "only a refused link can be accepted by hand"),
            )

    @staticmethod
    def _decided(
        tx: sa.Connection, link_id: int, before: dict[int, int], outcome: Outcome | None, preview: bool
    ) -> Decided:
        after = decisions.people_of(outcome, before) if outcome else set(before.values())
        return Decided(
            link_id,
            decisions.public_ids(tx, sorted(after)),
            len(set(before.values())),
            len(after),
            outcome.identifiers_moved if outcome else 0,
            preview,
        )

    def _bench(self, tx: sa.Connection, brand_id: int, now: int) -> Workbench:
        return Workbench(tx, brand_id, self.book, self._ids, now)
