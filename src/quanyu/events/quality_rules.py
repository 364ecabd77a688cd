"""What is wrong with a brand's data: rules over hourly counts, shapes, breaks of the plan, quarantine and books.

Each rule is a function from `Facts` to findings. Usual means the median of the same hour of the week in the last
eight weeks, and unusual is measured in robust deviations (1.4826 × MAD), so that one odd week moves neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from quanyu.events.rows import HOUR_MICROS
from quanyu.kernel.clock import from_micros, micros

Severity = Literal["high", "medium", "low"]
WEEKS = 8
HOURS = WEEKS * 7 * 24
_DAY = 24
_LATEST = timedelta(hours=48)
_NEW = timedelta(days=7)
_GONE = timedelta(hours=48)
_DELIVERIES = 7  # so many of them show that a source comes in deliveries,
_APART = 6.0  # hours on average from one to the next
REGULAR_DAYS = 3  # a source that sent on fewer days than these sends nothing regularly
_WITHOUT_PEOPLE = frozenset({"item_updated", "item_removed", "stock_reported"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `facts` are numbers, instants and short masked texts for its sentence."""

    kind: str
    severity: Severity
    source: str
    name: str = ""
    property: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """Events and events with a person by hour, the last of `HOURS` being the hour that runs now."""

    events: npt.NDArray[np.int64]
    with_person: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the rules look at, of one brand. `late` is how late a source's events usually come, in hours."""

    now: datetime
    series: Mapping[tuple[str, str], Series]
    late: Mapping[str, int]
    last_at: Mapping[str, datetime | None]
    seen: Sequence[Any]
    broken: Sequence[Mapping[str, Any]]
    held: Sequence[Mapping[str, Any]]
    accepted: Mapping[str, int]
    wrong_books: Sequence[Any]
    damaged: Sequence[Mapping[str, Any]] = ()
    own: frozenset[str] = frozenset()  # where the product itself records: as bursty as its campaigns, never judged
    loaded: frozenset[str] = frozenset()  # all came on a day or two: its history was loaded, nothing more is awaited
    # The hours (since 1970) in which something of a source was received, in order: the others are when it happened.
    arrivals: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def of_source(self, source: str) -> npt.NDArray[np.int64]:
        """All events of a source by hour."""
        total = np.zeros(HOURS, np.int64)
        for (one, _), series in self.series.items():
            if one == source:
                total += series.events
        return total

    def in_deliveries(self, source: str) -> bool:
        """Whether a source comes as a file a day or the like: until the next one nothing more can be there."""
        arrivals = self.arrivals.get(source, ())
        return len(arrivals) >= _DELIVERIES and float(np.diff(arrivals).mean()) >= _APART

    def reach(self, source: str) -> int:
        """The place behind the last hour of a source that has events."""
        active = np.flatnonzero(self.of_source(source))
        return int(active[-1]) + 1 if len(active) else 0

    def hour(self, place: int) -> datetime:
        """When the hour at a place of a series begins."""
        at = micros(self.now)
        return from_micros(at - at % HOUR_MICROS - (HOURS - 1 - place) * HOUR_MICROS)


def stale_sources(facts: Facts) -> Iterator[Finding]:
    """A source that sends regularly has been silent for longer than it ever is."""
    for source, last in facts.last_at.items():
        active = np.flatnonzero(facts.of_source(source)[: HOURS - 1])
        if source in facts.own | facts.loaded or last is None or len(active) < 3 * _DAY:
            continue
        usual = max(1, _longest(active), _longest(facts.arrivals.get(source, ())))
        silent = (facts.now - last).total_seconds() / 3600
        if silent > max(2.0, 2.0 * usual) and silent < HOURS:
            severity: Severity = "high" if silent > 4 * usual else "medium"
            yield Finding(
                "stale_source", severity, source, facts={"hours": round(silent, 1), "usual": usual, "last_at": last}
            )


def _longest(hours: npt.NDArray[np.int64] | tuple[()]) -> int:
    """The longest usual gap between hours, 0 for fewer than two."""
    return int(np.quantile(np.diff(hours), 0.995)) if len(hours) > 1 else 0


def unusual_volume(facts: Facts) -> Iterator[Finding]:
    """Far more or far fewer events than at this hour of the week usually, in the last complete day."""
    for (source, name), series in facts.series.items():
        if source in facts.own | facts.loaded:
            continue
        end = HOURS - 1 - min(facts.late.get(source, 0), int(_LATEST.total_seconds() // 3600))
        if facts.in_deliveries(source):
            end = min(end, facts.reach(source))
        found = _unusual(series.events, end)
        if found is not None:
            place, count, usual, hours = found
            kind = "volume_drop" if count < usual else "volume_spike"
            gone = kind == "volume_drop" and (count == 0 or count < usual / 5)
            yield Finding(
                kind,
                "high" if gone or hours >= 6 else "medium",
                source,
                name,
                facts={"at": facts.hour(place), "count": count, "usual": usual, "hours": hours},
            )


def _unusual(counts: npt.NDArray[np.int64], end: int) -> tuple[int, int, int, int] | None:
    """The worst hour of the day before `end`: place, count, what is usual, and how many hours were like it."""
    places = np.arange(end - _DAY, end)
    weeks = min(WEEKS - 1, int(places[0]) // 168)
    if weeks < 4:
        return None
    first = np.flatnonzero(counts)
    # Weeks before the event existed say nothing of what is usual.
    weeks = min(weeks, (int(places[0]) - int(first[0])) // 168) if len(first) else 0
    if weeks < 4:
        return None
    before = np.stack([counts[places - 168 * (week + 1)] for week in range(weeks)])
    usual = np.median(before, axis=0)
    spread = 1.4826 * np.median(np.abs(before - usual), axis=0)
    off = (counts[places] - usual) / np.maximum(np.maximum(spread, np.sqrt(usual)), 1.0)
    far = (np.abs(off) > 4) & (np.abs(counts[places] - usual) >= np.maximum(10, 0.3 * usual))
    worst = int(np.argmax(np.abs(off) * far))
    alike = int((far & (np.sign(off) == np.sign(off[worst]))).sum())
    if alike < 2 and not (far[worst] and abs(off[worst]) > 8):
        return None
    return int(places[worst]), int(counts[places[worst]]), round(float(usual[worst])), alike


def without_person(facts: Facts) -> Iterator[Finding]:
    """Many events of the last day belong to nobody."""
    for (source, name), series in facts.series.items():
        total = int(series.events[-_DAY:].sum())
        known = int(series.with_person[-_DAY:].sum())
        if source not in facts.own and name not in _WITHOUT_PEOPLE and total >= 50 and known < 0.8 * total:
            share = 1 - known / total
            severity: Severity = "high" if share > 0.5 else "medium"
            yield Finding("without_person", severity, source, name, facts={"count": total - known, "total": total})


def broken_plan(facts: Facts) -> Iterator[Finding]:
    """Events of the last day that break the tracking plan."""
    for row in facts.broken:
        series = facts.series.get((row["source"], row["name"]))
        stored = int(series.events[-_DAY:].sum()) if series else 0
        total = max(stored, row["count"])
        heavy = row["count"] >= 0.05 * total
        severity: Severity = "low" if not heavy else "high" if row["rule"] == "quarantine" else "medium"
        kind = "missing_required" if row["reason"] == "missing_property" else "broken_plan"
        if row["reason"] == "undeclared_event":
            kind = "undeclared_event"
        facts_ = {name: row[name] for name in ("reason", "rule", "count", "example")}
        yield Finding(kind, severity, row["source"], row["name"], row["property"], {**facts_, "total": total})


def growing_quarantine(facts: Facts) -> Iterator[Finding]:
    """A noticeable part of a source's events of the last day went to quarantine."""
    for row in facts.held:
        accepted = max(facts.accepted.get(row["source"], 0), row["events"])
        if row["events"] >= 10 and row["events"] >= 0.01 * accepted:
            severity: Severity = "high" if row["events"] >= 0.1 * accepted else "medium"
            yield Finding(
                "quarantine",
                severity,
                row["source"],
                property=row["reason"],
                facts={"count": row["events"], "total": accepted, "reason": row["reason"]},
            )


def drift(facts: Facts) -> Iterator[Finding]:
    """Events and properties that are new, are gone, or changed their type."""
    events = {(row.source, row.name): row for row in facts.seen if not row.property and row.source not in facts.own}
    began: dict[str, datetime] = {}
    for row in events.values():
        began[row.source] = min(began.get(row.source, row.first_at), row.first_at)
    for (source, name), row in events.items():
        settled = facts.now - began[source] > 2 * _NEW
        if settled and facts.now - row.first_at < _NEW:
            yield Finding("new_event", "low", source, name, facts={"first_at": row.first_at})
        if _is_gone(facts, source, name, row):
            yield Finding("gone_event", "medium", source, name, facts={"last_at": row.last_at})
    shapes: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for row in facts.seen:
        if row.property and not row.property.startswith("$"):
            shapes[row.source, row.name, row.property].append(row)
    for (source, name, key), rows in shapes.items():
        yield from _property_drift(facts, events.get((source, name)), source, name, key, rows)


def _is_gone(facts: Facts, source: str, name: str, row: Any) -> bool:
    series = facts.series.get((source, name))
    if series is None or source in facts.loaded:
        return False
    now = facts.hour(facts.reach(source)) if facts.in_deliveries(source) else facts.now
    if now - row.last_at < _GONE + timedelta(hours=facts.late.get(source, 0)):
        return False
    days = series.events[: HOURS // _DAY * _DAY].reshape(-1, _DAY).sum(axis=1)
    return int((days[-16:-2] > 0).sum()) >= 10


def _property_drift(
    facts: Facts, event: Any, source: str, name: str, key: str, rows: Sequence[Any]
) -> Iterator[Finding]:
    if event is None:
        return
    first, last = min(row.first_at for row in rows), max(row.last_at for row in rows)
    old = facts.now - event.first_at > 2 * _NEW
    if old and facts.now - first < _NEW and first - event.first_at > _NEW:
        yield Finding("new_property", "low", source, name, key, {"first_at": first, "type": rows[0].type})
    common = sum(row._mapping["count"] for row in rows) >= 0.5 * event._mapping["count"]  # noqa: SLF001
    if common and event.last_at - last > _GONE and event._mapping["count"] >= 50:  # noqa: SLF001
        yield Finding("gone_property", "medium", source, name, key, {"last_at": last})
    newest = max(rows, key=lambda row: row.first_at)
    others = [row for row in rows if row is not newest and not _alike(row.type, newest.type)]
    if old and others and facts.now - newest.first_at < _NEW and newest.first_at - first > timedelta(days=1):
        was = max(others, key=lambda row: row.last_at)
        yield Finding(
            "type_changed",
            "medium",
            source,
            name,
            key,
            {"before": was.type, "after": newest.type, "first_at": newest.first_at, "example": newest.example},
        )


def _alike(one: str, other: str) -> bool:
    return {one, other} <= {"integer", "number"}


def wrong_books(facts: Facts) -> Iterator[Finding]:
    """Hours whose books do not fit what the stores hold."""
    by_source: dict[str, list[Any]] = defaultdict(list)
    for row in facts.wrong_books:
        by_source[row.source].append(row)
    for source, rows in by_source.items():
        missing = sum(row.stored - row.removed - row.found_stored for row in rows)
        yield Finding(
            "wrong_books",
            "high",
            source,
            facts={"hours": len(rows), "missing": missing, "at": min(row.hour_at for row in rows)},
        )


def damaged_log(facts: Facts) -> Iterator[Finding]:
    """Files of the event log with frames that cannot be read."""
    for found in facts.damaged:
        yield Finding("damaged_log", "high", found["source"], facts={k: v for k, v in found.items() if k != "source"})


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    wrong_books,
    damaged_log,
    stale_sources,
    unusual_volume,
    without_person,
    broken_plan,
    growing_quarantine,
    drift,
)
