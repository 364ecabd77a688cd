"""What is started before its database waits for it, and gives up in the end."""

from __future__ import annotations

import pytest

from quanyu.cli.processes import once_reachable
from quanyu.kernel.errors import Invalid, QuanyuError, Unavailable
from quanyu.kernel.label import Label

AWAY = Unavailable("state_unavailable", Label("不可用", "Away"))


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


def after(seconds: float, clock: Clock, error: QuanyuError = AWAY) -> str:
    """What comes of a store that is there after so many seconds."""

    def begin() -> str:
        if clock.seconds < seconds:
            raise error
        return "there"

    return once_reachable(begin, patience=60, now=clock.now, pause=clock.pause)


@pytest.mark.parametrize("seconds", [0, 0.5, 42, 60])
def test_a_store_that_comes_within_a_minute_is_awaited(seconds: float) -> None:
    clock = Clock()
    assert after(seconds, clock) == "there"
    assert clock.seconds == seconds


def test_a_store_that_stays_away_is_an_error_in_the_end() -> None:
    clock = Clock()
    with pytest.raises(Unavailable):
        after(61, clock)
    assert clock.seconds == 60


def test_what_waiting_does_not_mend_is_said_at_once() -> None:
    clock = Clock()
    with pytest.raises(Invalid):
        after(1, clock, Invalid("wrong", Label("不对", "Wrong")))
    assert clock.seconds == 0
