"""The sandbox's time in integer microseconds since 1970: the machine's, or a virtual one that only a tick moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000_000


class Clock(Protocol):
    """Where the world asks what time it is."""

    virtual: bool

    def now(self) -> int:
        """Microseconds since 1970, UTC."""

    def move(self, to: int) -> None:
        """Move on to `to`; never back. Does nothing to a clock that runs by itself."""


class MachineClock:
    """The machine's time."""

    virtual = False

    def __init__(self, wall: Callable[[], int]) -> None:
        self._wall = wall

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return self._wall()

    def move(self, to: int) -> None:
        """Nothing: this time cannot be moved."""


class VirtualClock:
    """A time that stands still until it is moved."""

    virtual = True

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return self._now

    def move(self, to: int) -> None:
        """Move on to `to`; never back."""
        self._now = max(self._now, to)


def iso(at: int) -> str:
    """Microseconds as `2026-03-02T01:00:00.000Z`."""
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def micros(text: str) -> int:
    """Seconds since 1970, or an ISO time, as microseconds. Raises ValueError."""
    try:
        return int(float(text) * SECOND)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(f"{text!r} has no zone: end it with Z or +08:00") from None
        return int(moment.timestamp() * SECOND)
