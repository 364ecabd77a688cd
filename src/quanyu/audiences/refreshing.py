"""When a stored set is computed anew: on demand, every day, whenever the data changes, and when people move.

The set is computed outside the writing transaction, then stored in a short one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import store
from quanyu.audiences.evaluator import Evaluator, local
from quanyu.audiences.store import StoredAudience, StoredVersion
from quanyu.audiences.tree import Node, parse_tree
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import NotFound, QuanyuError
from quanyu.storage import outbox
from quanyu.storage.state import State

CONSUMER = "audiences"
PEOPLE_MOVED = "people_moved"
_NEWS = 500
_PAUSE = timedelta(minutes=5)


class Refresher:
    """Computes stored sets. `brand_scope` gives the whole-brand scope of a brand."""

    def __init__(
        self,
        state: State,
        evaluator: Evaluator,
        clock: Clock,
        watermark: Callable[[Node], str],
        brand_scope: Callable[[int], Scope],
    ) -> None:
        self._state = state
        self._evaluator = evaluator
        self._clock = clock
        self._watermark = watermark
        self._brand_scope = brand_scope
        self._failed: dict[str, datetime] = {}  # when to try again; a restart tries at once

    def refresh(self, stored: StoredAudience) -> StoredVersion | None:
        """Compute the set over the whole brand and store it; None when it equals the newest version."""
        scope = self._brand_scope(stored.brand_id)
        tree = parse_tree(stored.tree)
        at, started, mark = self._clock.now(), time.perf_counter(), self._watermark(tree)
        found = self._evaluator.evaluate(tree, at, scope)
        took = round((time.perf_counter() - started) * 1000)
        with self._state.write() as tx:
            return store.put_version(tx, stored.audience_id, stored.brand_id, found, at, took, mark)

    def refresh_due(self, limit: int = 20) -> list[tuple[str, QuanyuError | None]]:
        """Refresh what is due, at most `limit` audiences: (audience_id, what went wrong).

        daily: not computed yet on this brand-local day. live: the data has changed since it was computed. One that
        fails does not hold up the others and rests for five minutes.
        """
        now = self._clock.now()
        with self._state.read() as tx:
            daily, live = store.refreshed_by(tx, "daily"), store.refreshed_by(tx, "live")
        due = [a for a in live if self._old(a, now) or a.watermark != self._watermark(parse_tree(a.tree))]
        due += [a for a in daily if self._old(a, now)]
        due = [a for a in due if self._failed.get(a.audience_id, now) <= now]
        done: list[tuple[str, QuanyuError | None]] = []
        for stored in due[:limit]:
            try:
                self.refresh(stored)
                self._failed.pop(stored.audience_id, None)
                done.append((stored.audience_id, None))
            except QuanyuError as error:
                self._failed[stored.audience_id] = now + _PAUSE
                done.append((stored.audience_id, error))
        return done

    def _old(self, stored: StoredAudience, now: datetime) -> bool:
        if stored.computed_at is None:
            return True
        scope = self._brand_scope(stored.brand_id)
        return local(stored.computed_at, scope).date() < local(now, scope).date()

    def follow_people(self) -> int:
        """Bring every stored set up to date for people who were merged or split; how many people.

        Only those people are evaluated. Doing it twice changes nothing, so the news is passed only after the sets
        are stored.
        """
        with self._state.write() as tx:
            news = outbox.take(tx, CONSUMER, (PEOPLE_MOVED,), _NEWS)
            tx.rollback()
        if not news:
            return 0
        moved = BitMap(int(i) for piece in news for i in piece.payload["person_ids"])
        with self._state.read() as tx:
            brands = {int(piece.payload["brand_id"]) for piece in news if "brand_id" in piece.payload}
            kept = [a for brand in sorted(brands) for a in store.of_brand(tx, brand) if a.version is not None]
        at = self._clock.now()
        changed = [(a, self._among(a, moved, at)) for a in kept]
        with self._state.write() as tx:
            outbox.take(tx, CONSUMER, (PEOPLE_MOVED,), len(news))
            for stored, now_in in changed:
                if now_in is not None:
                    self._correct(tx, stored, moved, now_in, at)
        return len(moved)

    def _among(self, stored: StoredAudience, moved: BitMap, at: datetime) -> BitMap | None:
        try:
            scope = self._brand_scope(stored.brand_id)
            return self._evaluator.evaluate(parse_tree(stored.tree), at, scope, within=moved)
        except NotFound:
            return None  # it rests on something that is gone: its own refresh says so

    @staticmethod
    def _correct(tx: sa.Connection, stored: StoredAudience, moved: BitMap, now_in: BitMap, at: datetime) -> None:
        newest = store.get(tx, stored.brand_id, stored.audience_id)
        before = store.members(tx, stored.audience_id, newest.version)
        after = (before - moved) | now_in
        if after != before:
            store.put_version(
                tx, stored.audience_id, stored.brand_id, after, newest.computed_at or at, 0, newest.watermark or ""
            )
