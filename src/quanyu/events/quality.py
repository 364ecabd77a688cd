"""The quality check (数据治理): looks at every brand's traffic now and then, and keeps a list of what is wrong.

A problem is one row for as long as it lasts: found again it stays open with its first time, not found any more it is
closed, and a mute hides it until a day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from quanyu.access.api import Brand
from quanyu.access.contracts import Scope
from quanyu.events import damage, errors, quarantine
from quanyu.events.observing import Lateness, Observer
from quanyu.events.quality_rules import HOURS, REGULAR_DAYS, RULES, Facts, Finding, Series
from quanyu.events.quality_words import UNKNOWN_SOURCE, advice, sentence
from quanyu.events.quarantine import Chosen
from quanyu.events.reconcile import Reconciliation
from quanyu.events.rows import HOUR_MICROS, hour_of
from quanyu.events.sources import OWN
from quanyu.events.tables import book, check_run, hourly, problem, seen, violation
from quanyu.events.tables import source as source_table
from quanyu.kernel.clock import Clock, from_micros, micros
from quanyu.kernel.ids import stable_id
from quanyu.kernel.label import Label
from quanyu.storage.bulk import upsert
from quanyu.storage.state import State

EVERY = timedelta(minutes=10)
_DAY = timedelta(hours=24)
_ORDER = {"high": 0, "medium": 1, "low": 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, in words, and where its events are: names and days as the list of events takes them."""

    problem_id: str
    kind: str
    severity: str
    source: str
    source_name: Label
    name: str
    property: str
    title: Label
    advice: Label
    facts: Mapping[str, Any]
    first_at: datetime
    last_at: datetime
    muted_until: datetime | None
    begins_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source at a glance: the last 24 hours against the 24 hours a week before, and days of the last two weeks."""

    source: str
    name: Label
    last_event_at: datetime | None
    events: int
    week_before: int
    with_person: int
    accepted: int
    quarantined: int
    broken: int
    days: tuple[int, ...]
    problems: int


class Quality:
    """Checks the data of brands."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        observer: Observer,
        reconciliation: Reconciliation,
        brands: Callable[[], Sequence[Brand]],
    ) -> None:
        self._state = state
        self._clock = clock
        self._observer = observer
        self._reconciliation = reconciliation
        self._brands = brands

    # ------------------------------------------------------------------------------------------------- the job
    def step(self) -> bool:
        """Check the brands whose turn it is. For a worker's lane."""
        with self._state.read() as tx:
            runs = {row.kind: row.at for row in tx.execute(sa.select(check_run.c.kind, check_run.c.at))}
        for brand in self._brands():
            last = runs.get(_kind(brand.brand_id))
            if last is None or self._clock.now() - last >= EVERY:
                self.check(brand)
        return False

    def ask(self, tx: sa.Connection, brand_id: int) -> None:
        """Let the worker check the brand at its next turn."""
        tx.execute(sa.update(check_run).where(check_run.c.kind == _kind(brand_id)).values(at=from_micros(0)))

    def check(self, brand: Brand) -> list[Finding]:
        """Look at a brand's traffic now and bring its problems up to date."""
        began, now = time.monotonic(), self._clock.now()
        lateness = self._observer.observe(brand.brand_id, brand.key)
        with self._state.read() as tx:
            facts = self._facts(tx, brand.brand_id, now, lateness)
        found = [finding for rule in RULES for finding in rule(facts)]
        counted = int(sum(series.events.sum() for series in facts.series.values()))
        with self._state.write() as tx:
            _write(tx, brand.brand_id, found, now)
            _forget(tx, brand.brand_id, now)
            run = {"kind": _kind(brand.brand_id), "at": now, "counted": counted, "found": len(found)}
            run["took_ms"] = round((time.monotonic() - began) * 1000)
            upsert(tx, check_run, [run], ["kind"], ["at", "counted", "found", "took_ms"])
        return found

    # ------------------------------------------------------------------------------------------------- looking
    def checked_at(self, brand_id: int) -> datetime | None:
        """When the brand was last checked."""
        with self._state.read() as tx:
            return tx.execute(sa.select(check_run.c.at).where(check_run.c.kind == _kind(brand_id))).scalar_one_or_none()

    def problems(self, scope: Scope, *, muted: bool = False) -> list[Problem]:
        """The brand's open problems, worst first; with `muted`, only those that are hidden."""
        now = self._clock.now()
        hidden = sa.and_(problem.c.muted_until.is_not(None), problem.c.muted_until > now)
        with self._state.read() as tx:
            names = _names(tx, scope.brand_id)
            rows = tx.execute(
                sa.select(problem).where(
                    problem.c.brand_id == scope.brand_id, problem.c.closed_at.is_(None), hidden if muted else ~hidden
                )
            ).all()
        zone = ZoneInfo(scope.time_zone)
        found = [_problem(row, names, zone) for row in rows]
        return sorted(found, key=lambda one: (_ORDER[one.severity], one.kind, -micros(one.first_at), one.problem_id))

    def mute(self, tx: sa.Connection, scope: Scope, problem_id: str, until: datetime | None) -> None:
        """Hide a problem until then, or show it again. Raises NotFound."""
        changed = tx.execute(
            sa.update(problem)
            .where(problem.c.brand_id == scope.brand_id, problem.c.problem_id == problem_id)
            .values(muted_until=until)
        ).rowcount
        if not changed:
            raise errors.problem_not_found(problem_id)

    def sources(self, scope: Scope) -> list[SourceHealth]:
        """The brand's sources at a glance, in order of their names."""
        now = self._clock.now()
        with self._state.read() as tx:
            facts = self._facts(tx, scope.brand_id, now, [])
            names = _names(tx, scope.brand_id)
            held = _since(tx, scope.brand_id, now - _DAY, "quarantined")
        open_: dict[str, int] = {}
        for one in self.problems(scope):
            open_[one.source] = open_.get(one.source, 0) + 1
        out = []
        for source, name in sorted(names.items()):
            events = facts.of_source(source)
            mine = [series for (one, _), series in facts.series.items() if one == source]
            out.append(
                SourceHealth(
                    source,
                    name,
                    facts.last_at.get(source),
                    int(events[-24:].sum()),
                    int(events[-24 - 168 : -168].sum()),
                    int(sum(series.with_person[-24:].sum() for series in mine)),
                    facts.accepted.get(source, 0),
                    held.get(source, 0),
                    sum(row["count"] for row in facts.broken if row["source"] == source),
                    tuple(int(day) for day in events[-14 * 24 :].reshape(14, 24).sum(axis=1)),
                    open_.get(source, 0),
                )
            )
        return out

    # -------------------------------------------------------------------------------------------------- inside
    def _facts(self, tx: sa.Connection, brand_id: int, now: datetime, lateness: Sequence[Lateness]) -> Facts:
        sources = tx.execute(
            sa.select(source_table.c.source, source_table.c.last_event_at, source_table.c.kind).where(
                source_table.c.brand_id == brand_id
            )
        ).all()
        held = quarantine.grouped(tx, brand_id, Chosen(status="held", since=now - _DAY))
        return Facts(
            now,
            _series(tx, brand_id, now),
            {one.source: -(-one.micros // HOUR_MICROS) for one in lateness},
            {row.source: row.last_event_at for row in sources},
            tx.execute(sa.select(seen).where(seen.c.brand_id == brand_id)).all(),
            _broken(tx, brand_id, now),
            held,
            _since(tx, brand_id, now - _DAY, "accepted"),
            self._reconciliation.wrong(brand_id),
            damage.by_file(tx, brand_id, now),
            frozenset(row.source for row in sources if row.kind in OWN),
            _loaded(tx, brand_id),
            _arrivals(tx, brand_id, now),
        )


def _kind(brand_id: int) -> str:
    return f"quality:{brand_id}"


def _names(tx: sa.Connection, brand_id: int) -> dict[str, Label]:
    columns = (source_table.c.source, source_table.c.name_zh, source_table.c.name_en)
    found = tx.execute(sa.select(*columns).where(source_table.c.brand_id == brand_id))
    return {row.source: Label(row.name_zh, row.name_en) for row in found}


def _series(tx: sa.Connection, brand_id: int, now: datetime) -> dict[tuple[str, str], Series]:
    end = hour_of(micros(now))
    begin = end - (HOURS - 1) * HOUR_MICROS
    rows = tx.execute(
        sa.select(
            hourly.c.source,
            hourly.c.name,
            sa.type_coerce(hourly.c.hour_at, sa.BigInteger).label("hour"),
            hourly.c.events,
            hourly.c.with_person,
        ).where(hourly.c.brand_id == brand_id, hourly.c.hour_at >= begin, hourly.c.hour_at <= end)
    )
    out: dict[tuple[str, str], Series] = {}
    for row in rows:
        series = out.get((row.source, row.name))
        if series is None:
            series = out[row.source, row.name] = Series(np.zeros(HOURS, np.int64), np.zeros(HOURS, np.int64))
        place = (row.hour - begin) // HOUR_MICROS
        series.events[place] = row.events
        series.with_person[place] = row.with_person
    return out


def _broken(tx: sa.Connection, brand_id: int, now: datetime) -> list[dict[str, Any]]:
    places = [violation.c[name] for name in ("source", "name", "property", "reason", "rule")]
    rows = tx.execute(
        sa.select(
            *places, sa.func.sum(violation.c.count).label("count"), sa.func.max(violation.c.example).label("example")
        )
        .where(violation.c.brand_id == brand_id, violation.c.hour_at >= now - _DAY)
        .group_by(*places)
    ).mappings()
    return [{**row, "count": int(row["count"])} for row in rows]


def _since(tx: sa.Connection, brand_id: int, since: datetime, column: str) -> dict[str, int]:
    rows = tx.execute(
        sa.select(book.c.source, sa.func.sum(book.c[column]).label("events"))
        .where(book.c.hour_at >= since, book.c.source.in_(_of_brand(brand_id)))
        .group_by(book.c.source)
    )
    return {row.source: int(row.events) for row in rows}


def _loaded(tx: sa.Connection, brand_id: int) -> frozenset[str]:
    """The sources whose every event came in on a day or two."""
    day = sa.type_coerce(book.c.hour_at, sa.BigInteger) // (24 * HOUR_MICROS)
    found = tx.execute(
        sa.select(book.c.source)
        .where(book.c.source.in_(_of_brand(brand_id)), book.c.accepted > 0)
        .group_by(book.c.source)
        .having(sa.func.count(day.distinct()) < REGULAR_DAYS)
    )
    return frozenset(found.scalars())


def _arrivals(tx: sa.Connection, brand_id: int, now: datetime) -> dict[str, npt.NDArray[np.int64]]:
    """The hours in which something of a source was received, in order."""
    hour = (sa.type_coerce(book.c.hour_at, sa.BigInteger) // HOUR_MICROS).label("hour")
    rows = tx.execute(
        sa.select(book.c.source, hour)
        .where(
            book.c.source.in_(_of_brand(brand_id)), book.c.accepted > 0, book.c.hour_at >= now - timedelta(hours=HOURS)
        )
        .order_by(book.c.source, book.c.hour_at)
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row.source, []).append(row.hour)
    return {source: np.array(hours, np.int64) for source, hours in found.items()}


def _of_brand(brand_id: int) -> sa.Select[Any]:
    return sa.select(source_table.c.source).where(source_table.c.brand_id == brand_id)


def _write(tx: sa.Connection, brand_id: int, found: Sequence[Finding], now: datetime) -> None:
    """Open what is found, keep what was open and still is, close the rest."""
    before = {row.problem_id: row for row in tx.execute(sa.select(problem).where(problem.c.brand_id == brand_id)).all()}
    values = {}
    for one in found:
        problem_id = stable_id(brand_id, one.kind, one.source, one.name, one.property, _variant(one), prefix="pb")
        known = before.get(problem_id)
        begins = known.first_at if known is not None and known.closed_at is None else now
        values[problem_id] = {
            "problem_id": problem_id,
            "brand_id": brand_id,
            "kind": one.kind,
            "severity": one.severity,
            "source": one.source,
            "name": one.name,
            "property": one.property,
            "facts": json.dumps(dict(one.facts), ensure_ascii=False, default=lambda at: at.isoformat()),
            "first_at": begins,
            "last_at": now,
            "closed_at": None,
        }
    tx.execute(
        sa.update(problem).where(problem.c.brand_id == brand_id, problem.c.closed_at.is_(None)).values(closed_at=now)
    )
    upsert(
        tx, problem, list(values.values()), ["problem_id"], ["severity", "facts", "first_at", "last_at", "closed_at"]
    )


def _forget(tx: sa.Connection, brand_id: int, now: datetime) -> None:
    """Drop what no page and no rule asks for any more."""
    for table, column, age in (
        (hourly, hourly.c.hour_at, timedelta(hours=2 * HOURS)),
        (violation, violation.c.hour_at, timedelta(days=90)),
        (problem, problem.c.closed_at, timedelta(days=90)),
        (seen, seen.c.last_at, timedelta(days=180)),
    ):
        tx.execute(sa.delete(table).where(table.c.brand_id == brand_id, column < now - age))


def _variant(one: Finding) -> str:
    return str(one.facts.get("reason") or one.facts.get("file", ""))


def _problem(row: Any, names: Mapping[str, Label], zone: ZoneInfo) -> Problem:
    facts = json.loads(row.facts)
    source = names.get(row.source, Label(row.source, row.source) if row.source else UNKNOWN_SOURCE)
    about = facts.get("at") or facts.get("last_at") or facts.get("first_at")
    day = (datetime.fromisoformat(about) if about else row.last_at - _DAY).astimezone(zone).date()
    last = row.last_at.astimezone(zone).date()
    return Problem(
        row.problem_id,
        row.kind,
        row.severity,
        row.source,
        source,
        row.name,
        row.property,
        sentence(row.kind, source, row.name, row.property, facts, zone),
        advice(row.kind),
        facts,
        row.first_at,
        row.last_at,
        row.muted_until,
        day,
        day if row.kind.startswith(("volume", "gone")) else last,
    )
