from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quanyu.messaging.timing import Breaker, day_number, local_day, pause, quiet_until

SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"


def at(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ((2026, 3, 2, 21, 59), None),
        ((2026, 3, 2, 22, 0), (2026, 3, 3, 8, 0)),
        ((2026, 3, 3, 0, 30), (2026, 3, 3, 8, 0)),
        ((2026, 3, 3, 7, 59), (2026, 3, 3, 8, 0)),
        ((2026, 3, 3, 8, 0), None),
    ],
)
def test_quiet_hours_cross_midnight(now, over) -> None:
    found = quiet_until(at(SHANGHAI, *now), "22:00", "08:00", SHANGHAI)
    assert found == (at(SHANGHAI, *over) if over else None)


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    assert quiet_until(at(SHANGHAI, 2026, 3, 2, 13, 0), "12:00", "14:00", SHANGHAI) == at(SHANGHAI, 2026, 3, 2, 14, 0)
    assert quiet_until(at(SHANGHAI, 2026, 3, 2, 14, 0), "12:00", "14:00", SHANGHAI) is None
    assert quiet_until(at(SHANGHAI, 2026, 3, 2, 12, 0), "12:00", "12:00", SHANGHAI) is None


def test_an_end_that_daylight_saving_skips_moves_forward() -> None:
    # New York, 2026-03-08: 02:00 to 03:00 does not exist.
    found = quiet_until(at(NEW_YORK, 2026, 3, 8, 1, 0), "22:00", "02:30", NEW_YORK)
    assert found is not None
    assert found.astimezone(ZoneInfo(NEW_YORK)).isoformat() == "2026-03-08T03:30:00-04:00"


def test_an_end_in_the_hour_that_comes_twice_counts_once() -> None:
    # New York, 2026-11-01: 01:00 to 02:00 comes twice.
    start = at(NEW_YORK, 2026, 11, 1, 0, 30)
    over = quiet_until(start, "22:00", "01:30", NEW_YORK)
    assert over == start + timedelta(hours=1)
    assert quiet_until(over, "22:00", "01:30", NEW_YORK) is None
    assert quiet_until(over + timedelta(minutes=45), "22:00", "01:30", NEW_YORK) is None


@given(
    st.integers(0, 3 * 365 * 24 * 60),
    st.times(),
    st.times(),
    st.sampled_from([SHANGHAI, NEW_YORK, "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_quiet_ends_within_a_day_and_is_over_when_it_ends(moment, start, end, zone) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=moment)
    begin, finish = start.strftime("%H:%M"), end.strftime("%H:%M")
    over = quiet_until(now, begin, finish, zone)
    if over is not None:
        assert now < over <= now + timedelta(hours=25)
        assert quiet_until(over, begin, finish, zone) is None


def test_days_are_the_brands() -> None:
    assert local_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC), SHANGHAI) == date(2026, 3, 2)
    assert local_day(datetime(2026, 3, 1, 4, 59, tzinfo=UTC), NEW_YORK) == date(2026, 2, 28)
    assert day_number(date(2026, 3, 2)) == 20260302


def test_pauses_double_are_bounded_and_spread() -> None:
    first, longest = timedelta(seconds=5), timedelta(minutes=15)
    low = [pause(n, first, longest, lambda: 0.0).total_seconds() for n in range(1, 12)]
    high = [pause(n, first, longest, lambda: 0.999999).total_seconds() for n in range(1, 12)]
    assert low[:4] == [2.5, 5, 10, 20]
    assert low[-1] == 450
    assert max(high) <= 900
    assert all(a <= b for a, b in zip(low, high, strict=True))
    assert pause(10_000, first, longest, lambda: 0.0).total_seconds() == 450


def test_a_breaker_opens_after_failures_in_a_row_and_longer_each_time() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    breaker, waits = Breaker(), []
    for _ in range(6):
        breaker = breaker.failed(
            now, threshold=3, first=timedelta(seconds=5), longest=timedelta(minutes=1), uniform=lambda: 0.5
        )
        waits.append((breaker.open_until - now).total_seconds() if breaker.open_until else None)
    assert waits == [None, None, 3.75, 7.5, 15, 30]
    assert not breaker.closed(now + timedelta(seconds=29))
    assert breaker.closed(now + timedelta(seconds=30))
    assert breaker.succeeded() == Breaker()
