"""Windows of time: "the last 30 days" as an operator means it, as integer microseconds for engines.

A day is the brand's own calendar day. "The last n days" are today and the n - 1 days before it, up to now. Engines
never see a time zone: the edges are computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from quanyu.kernel.clock import micros


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive), microseconds UTC; None is open.

    `first_day` and `last_day` are the brand-local ISO days that the window touches: history is partitioned by them.
    """

    start: int | None = None
    end: int | None = None
    first_day: str | None = None
    last_day: str | None = None


def until(at: datetime) -> Window:
    """Everything that has happened by `at` (in the brand's zone)."""
    return Window(None, micros(at) + 1, None, at.date().isoformat())


def last_days(days: int, at: datetime) -> Window:
    """Today and the `days - 1` days before it, up to `at` (in the brand's zone)."""
    first = at.date() - timedelta(days=days - 1)
    return Window(start_of(first, at), micros(at) + 1, first.isoformat(), at.date().isoformat())


def between(first: date | None, last: date | None, at: datetime) -> Window:
    """The days `first` to `last`, both included, never past `at`; None is open."""
    end = micros(at) + 1
    final = at.date()
    if last is not None and last < final:
        end, final = start_of(last + timedelta(days=1), at), last
    return Window(
        None if first is None else start_of(first, at),
        end,
        None if first is None else first.isoformat(),
        final.isoformat(),
    )


def window(within_days: int | None, first: date | None, last: date | None, at: datetime) -> Window:
    """The window of a rule that has either `within_days`, or `from`/`to` days, or neither."""
    return last_days(within_days, at) if within_days is not None else between(first, last, at)


def start_of(day: date, at: datetime) -> int:
    """Microseconds of the first instant of `day` in the zone of `at`."""
    return micros(datetime.combine(day, time.min, tzinfo=at.tzinfo))
