"""Time as a value that is passed in, so that tests and dry runs own it.

An instant is an aware UTC `datetime` in code and an integer of microseconds since 1970 at rest, because
engines disagree on fractional epochs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Whatever says what time it is."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told to move: for tests and dry runs."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("ManualClock wants an aware datetime")
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        """The instant that was last set."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward by `by` and return the new instant."""
        self._now += by
        return self._now

    def set(self, at: datetime) -> None:
        """Stand at `at` from now on."""
        self._now = at.astimezone(UTC)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware instant.

    Raises ValueError for a naive datetime: a time without a zone is not an instant.
    """
    if at.tzinfo is None:
        raise ValueError(f"naive datetime {at!r} is not an instant; give it a zone")
    return (at - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The instant that lies `value` microseconds after 1970, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=value)
