"""When: quiet hours, the person's day, growing pauses, and the breaker of a failing connection. Pure functions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Uniform = Callable[[], float]
"""A number in [0, 1); given in, so that tests and replays decide it."""


def uniform_of(seed: int | None = None) -> Uniform:
    """Randomness for pauses: seeded for tests, from the system otherwise."""
    return random.Random(seed).random if seed is not None else random.SystemRandom().random  # noqa: S311


def local_day(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date()


def day_number(day: date) -> int:
    """A day as 20261231."""
    return day.year * 10_000 + day.month * 100 + day.day


def quiet_until(at: datetime, start: str, end: str, zone: str) -> datetime | None:
    """When the quiet hours that hold at `at` are over (UTC), None when it is not quiet.

    Both are wall-clock times of the zone; `22:00`-`08:00` crosses midnight, equal times mean no quiet hours. The
    end is inclusive of sending. An end that daylight saving skips moves forward with the clock; of an hour that
    comes twice the first counts.
    """
    tz = ZoneInfo(zone)
    begin, finish = time.fromisoformat(start), time.fromisoformat(end)
    local = at.astimezone(tz)
    clock = local.time().replace(tzinfo=None)
    if begin == finish:
        return None
    crosses = begin > finish
    quiet = (clock >= begin or clock < finish) if crosses else (begin <= clock < finish)
    if not quiet:
        return None
    day = local.date() + timedelta(days=1) if crosses and clock >= begin else local.date()
    over = datetime.combine(day, finish, tz).astimezone(UTC)
    # In the repeated hour of autumn the wall clock reads "before the end" again after the end has passed once.
    return over if over > at else None


def pause(attempt: int, first: timedelta, longest: timedelta, uniform: Uniform) -> timedelta:
    """How long to wait before attempt `attempt` (from 1): doubling, bounded, and spread over its upper half.

    Spread, because those who failed together would otherwise come back together.
    """
    doublings = min(max(attempt - 1, 0), 30)
    full: timedelta = min(first * (1 << doublings), longest)
    return full * (0.5 + uniform() / 2)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is remembered of a connection's failures: how many in a row, and until when nothing is tried."""

    failures: int = 0
    open_until: datetime | None = None

    def closed(self, now: datetime) -> bool:
        """Whether the connection may be tried."""
        return self.open_until is None or self.open_until <= now

    def succeeded(self) -> Breaker:
        """After a call that the provider answered."""
        return Breaker()

    def failed(
        self, now: datetime, *, threshold: int, first: timedelta, longest: timedelta, uniform: Uniform
    ) -> Breaker:
        """After a call that the provider certainly did not take. From `threshold` failures in a row it opens;
        the first call after that is the trial, and another failure opens it for longer.
        """
        failures = self.failures + 1
        if failures < threshold:
            return Breaker(failures, None)
        return Breaker(failures, now + pause(failures - threshold + 1, first, longest, uniform))
