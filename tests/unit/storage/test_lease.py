"""One holder at a time; a dead one is followed by the next."""

from datetime import timedelta

from quanyu.kernel.clock import ManualClock
from quanyu.storage.lease import Lease
from quanyu.storage.state import State

LASTS = timedelta(seconds=10)


def test_one_holds_it_until_it_ends(state: State, clock: ManualClock):
    one, other = (Lease(state, clock, "work", name, LASTS) for name in ("one", "other"))
    assert one.acquire()
    assert not other.acquire()
    clock.advance(timedelta(seconds=6))
    assert one.acquire()  # prolonged
    clock.advance(timedelta(seconds=6))
    assert not other.acquire()
    clock.advance(timedelta(seconds=5))
    assert other.acquire()
    with state.write() as tx:
        assert not one.confirm(tx)
    assert not one.acquire()
    with state.write() as tx:
        assert other.confirm(tx)


def test_a_lease_that_was_given_back_is_free_at_once(state: State, clock: ManualClock):
    one, other = (Lease(state, clock, "work", name, LASTS) for name in ("one", "other"))
    assert one.acquire()
    one.release()
    assert other.acquire()


def test_a_clock_that_is_put_back_by_an_hour_keeps_nobody_waiting(state: State, clock: ManualClock):
    one, other = (Lease(state, clock, "work", name, LASTS) for name in ("one", "other"))
    assert one.acquire()
    clock.advance(-timedelta(hours=1))
    assert one.acquire()  # and writes down an end that the clock will reach
    assert not other.acquire()
    clock.advance(LASTS + timedelta(seconds=1))
    assert other.acquire()
    clock.advance(-timedelta(hours=1))  # its holder dies now
    assert one.acquire()
    with state.write() as tx:
        assert not other.confirm(tx)


def test_clocks_that_differ_by_a_little_do_not_take_a_lease_away(state: State, clock: ManualClock):
    one, other = (Lease(state, clock, "work", name, LASTS) for name in ("one", "other"))
    assert one.acquire()
    clock.advance(-timedelta(seconds=30))
    assert not other.acquire()


def test_the_fence_tells_a_turn_that_goes_on_from_a_new_one(state: State, clock: ManualClock):
    one, other = (Lease(state, clock, "work", name, LASTS) for name in ("one", "other"))
    assert one.acquire()
    first = one.fence
    clock.advance(timedelta(seconds=30))
    assert one.acquire()  # it slept, and nobody came
    assert one.fence == first
    clock.advance(timedelta(seconds=30))
    assert other.acquire()
    clock.advance(timedelta(seconds=30))
    assert one.acquire()
    assert (other.fence, one.fence) == (first + 1, first + 2)
