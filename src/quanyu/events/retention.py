"""Retention: events of a kind leave history after so many days, and the books know of each that left.

A rule is a number of days for one event name of a brand, or for every name without a rule of its own (`*`). An event
is due when its day lies more than so many days before the brand's today. One commit of history swaps a file for its
remaining rows (`removals.py` tells the books); the replaced file leaves the disk with the vacuum some hours later.

The ids of removed events stay known: sent again, they are duplicates. What state has counted of them (orders of a
person, tags) stays counted, as it would in a shop's ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from quanyu.access.api import Brand
from quanyu.events import removals
from quanyu.events.books import per_hour
from quanyu.events.removals import EVENTS
from quanyu.events.tables import retention
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import Invalid
from quanyu.kernel.label import Label
from quanyu.storage.bulk import upsert
from quanyu.storage.delta_log import CommitConflict
from quanyu.storage.history import DataFile, History
from quanyu.storage.state import State

EVERY_NAME = "*"
_LONGEST_DAYS = 36_500
_ABANDONED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Events of `name` (`*`: of every name without a rule) are kept for `days` days."""

    name: str
    days: int
    set_by: str
    set_at: datetime


class _Wanted(NamedTuple):
    brand: str
    name: str
    spared: tuple[str, ...]  # names with a rule of their own, where `name` means every other


class Retention:
    """The rules, and the work of following them. Safe in several processes."""

    def __init__(self, state: State, history: History, clock: Clock, brand_of: Callable[[int], Brand]) -> None:
        self._state = state
        self._history = history
        self._clock = clock
        self._brand_of = brand_of
        self._clean: dict[str, frozenset[_Wanted]] = {}  # file -> what it was searched for without finding it

    # ------------------------------------------------------------------------------------------------- the rules
    def rules(self, brand_id: int) -> list[RetentionRule]:
        """The brand's rules by name."""
        with self._state.read() as tx:
            found = tx.execute(sa.select(retention).where(retention.c.brand_id == brand_id).order_by(retention.c.name))
            return [RetentionRule(row.name, row.days, row.set_by, row.set_at) for row in found]

    def keep(self, tx: sa.Connection, brand_id: int, name: str, days: int | None, by: str) -> None:
        """Keep events of `name` for `days` days; None: for ever. Raises Invalid."""
        if days is None:
            tx.execute(sa.delete(retention).where(retention.c.brand_id == brand_id, retention.c.name == name))
            return
        if not 1 <= days <= _LONGEST_DAYS or not name or len(name) > 128:
            raise Invalid(
                "retention_invalid",
                Label("保留规则不对", "The retention rule is wrong"),
                detail=Label(f"天数应为 1 到 {_LONGEST_DAYS}", f"Days must be between 1 and {_LONGEST_DAYS}"),
            )
        rule = {"brand_id": brand_id, "name": name, "days": days, "set_by": by, "set_at": self._clock.now()}
        upsert(tx, retention, [rule], ["brand_id", "name"], ["days", "set_by", "set_at"])

    # -------------------------------------------------------------------------------------------------- the work
    def step(self) -> bool:
        """Remove what is due from one file; whether there may be more."""
        removals.settle(self._state, self._history, self._clock.now() - _ABANDONED)
        due = self._due()
        if not due:
            return False
        files = self._history.files(EVENTS)
        there = {file.path for file in files}
        self._clean = {path: searched for path, searched in self._clean.items() if path in there}
        for file in files:
            wanted = frozenset(one for one, last in due if file.day <= last)
            if wanted and self._clean.get(file.path) != wanted and self._remove(file, wanted):
                return True
        return False

    def _due(self) -> list[tuple[_Wanted, str]]:
        """What is wanted, up to and with which day."""
        now = self._clock.now()
        with self._state.read() as tx:
            rules = tx.execute(sa.select(retention.c.brand_id, retention.c.name, retention.c.days)).all()
        own: dict[int, set[str]] = defaultdict(set)
        for rule in rules:
            own[rule.brand_id].add(rule.name)
        found = []
        for rule in rules:
            brand = self._brand_of(rule.brand_id)
            spared = tuple(sorted(own[rule.brand_id])) if rule.name == EVERY_NAME else ()
            last = _before(now.astimezone(ZoneInfo(brand.time_zone)).date(), rule.days)
            found.append((_Wanted(brand.key, rule.name, spared), last))
        return found

    def _remove(self, file: DataFile, wanted: frozenset[_Wanted]) -> bool:
        """Take what is wanted out of the file; False when there was nothing, or the file is no longer there."""
        path = self._history.root / EVENTS / file.path
        try:
            opened = pq.ParquetFile(path)
            going = _going(opened.read(["brand", "name"]), wanted)
            if not pc.any(going).as_py():
                self._clean[file.path] = wanted
                return False
            rows = opened.read()
        except FileNotFoundError:
            return False
        rows = rows.append_column("day", pa.repeat(file.day, rows.num_rows))
        gone = per_hour(rows.filter(going).select(["source", "received_at"]))
        number = removals.begin(self._state, file.day, gone, self._clock.now())
        try:
            left = rows.filter(pc.invert(going))
            self._history.replace(EVENTS, [file], left, "DELETE", news=True, app=removals.app(number))
        except CommitConflict:
            removals.forget(self._state, number)
        else:
            removals.finish(self._state, number)
        return True


def _before(today: date, days: int) -> str:
    """The last day that is more than `days` days before today."""
    return (today - timedelta(days=days + 1)).isoformat()


def _going(rows: pa.Table, wanted: frozenset[_Wanted]) -> pa.Array:
    """Which rows are due."""
    going = pa.repeat(False, rows.num_rows)
    names = rows.column("name").combine_chunks()
    brands = rows.column("brand").combine_chunks()
    for one in wanted:
        if one.name == EVERY_NAME:
            mine = pc.invert(pc.is_in(names, pa.array(one.spared, pa.string())))
        else:
            mine = pc.equal(names, one.name)
        going = pc.or_(going, pc.fill_null(pc.and_(pc.equal(brands, one.brand), mine), False))
    return going
