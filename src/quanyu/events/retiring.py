"""Retiring events: what the rules of retention (`retention.py`) say is due leaves history, file by file.

An event is due when its day lies more than its rule's days before the brand's today. One commit of history swaps a
file for its remaining rows (`removals.py` tells the books); the replaced file leaves the disk with the vacuum some
hours later.

The ids of removed events stay known: sent again, they are duplicates. What state has counted of them (orders of a
person, tags) stays counted, as it would in a shop's ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from quanyu.access.api import Brand
from quanyu.events import removals
from quanyu.events.books import per_hour
from quanyu.events.removals import EVENTS, Kind
from quanyu.events.retention import EVERY_NAME, GRACE, last_due
from quanyu.events.tables import retention
from quanyu.kernel.clock import Clock
from quanyu.storage.delta_log import CommitConflict
from quanyu.storage.history import DataFile, History
from quanyu.storage.state import State

_ABANDONED = timedelta(minutes=10)


class _Wanted(NamedTuple):
    brand: str
    name: str
    spared: tuple[str, ...]  # names with a rule of their own, where `name` means every other


class Retiring:
    """The work of following the rules. Safe in several processes."""

    def __init__(self, state: State, history: History, clock: Clock, brand_of: Callable[[int], Brand]) -> None:
        self._state = state
        self._history = history
        self._clock = clock
        self._brand_of = brand_of
        self._clean: dict[str, frozenset[_Wanted]] = {}  # file -> what it was searched for without finding it

    def step(self) -> bool:
        """Remove what is due from one file; whether there may be more. For a worker's lane."""
        removals.settle(self._state, self._history, self._clock.now() - _ABANDONED)
        due = self._due()
        if not due:
            return False
        files = self._history.files(EVENTS)
        there = {file.path for file in files}
        self._clean = {path: searched for path, searched in self._clean.items() if path in there}
        brands = {brand.key: brand for _, _, brand in due}
        for file in files:
            wanted = frozenset(one for one, last, _ in due if file.day <= last)
            if wanted and self._clean.get(file.path) != wanted and self._remove(file, wanted, brands):
                return True
        return False

    def _due(self) -> list[tuple[_Wanted, str, Brand]]:
        """What is wanted, up to and with which day, of which brand."""
        now = self._clock.now()
        with self._state.read() as tx:
            rules = tx.execute(sa.select(retention)).all()
        own: dict[int, set[str]] = defaultdict(set)
        for rule in rules:
            own[rule.brand_id].add(rule.name)
        found = []
        for rule in rules:
            if rule.days is None or rule.set_at + GRACE > now:
                continue
            brand = self._brand_of(rule.brand_id)
            spared = tuple(sorted(own[rule.brand_id])) if rule.name == EVERY_NAME else ()
            found.append((_Wanted(brand.key, rule.name, spared), last_due(rule.days, now, brand.time_zone), brand))
        return found

    def _remove(self, file: DataFile, wanted: frozenset[_Wanted], brands: dict[str, Brand]) -> bool:
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
        gone, now = rows.filter(going), self._clock.now()
        kinds = [
            Kind(brand.brand_id, row["name"], now.astimezone(ZoneInfo(brand.time_zone)).date().isoformat(), row["n"])
            for row in gone.group_by(["brand", "name"])
            .aggregate([([], "count_all")])
            .rename_columns(["brand", "name", "n"])
            .to_pylist()
            for brand in (brands[row["brand"]],)
        ]
        number = removals.begin(self._state, file.day, per_hour(gone.select(["source", "received_at"])), kinds, now)
        try:
            left = rows.filter(pc.invert(going))
            self._history.replace(EVENTS, [file], left, "DELETE", news=True, app=removals.app(number))
        except CommitConflict:
            removals.forget(self._state, number)
        else:
            removals.finish(self._state, number)
        return True


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
