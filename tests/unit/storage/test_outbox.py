"""News is acted upon once by each consumer, and not at all when its transaction fails."""

import pytest

from quanyu.kernel.clock import ManualClock
from quanyu.storage.outbox import publish, take
from quanyu.storage.state import State


def test_each_consumer_gets_news_once_and_in_order(state: State, clock: ManualClock):
    with state.write() as tx:
        for number in range(3):
            publish(tx, "moved", {"n": number}, clock.now())
        publish(tx, "other", {}, clock.now())
    with state.write() as tx:
        assert [news.payload["n"] for news in take(tx, "one", ("moved",), limit=2)] == [0, 1]
    with state.write() as tx:
        assert [news.payload["n"] for news in take(tx, "one", ("moved",))] == [2]
        assert [news.payload["n"] for news in take(tx, "two", ("moved",))] == [0, 1, 2]


def test_news_of_a_failed_transaction_never_was(state: State, clock: ManualClock):
    with pytest.raises(RuntimeError), state.write() as tx:
        publish(tx, "moved", {}, clock.now())
        raise RuntimeError
    with state.write() as tx:
        assert take(tx, "one", ("moved",)) == []


def test_a_consumer_that_fails_gets_the_news_again(state: State, clock: ManualClock):
    with state.write() as tx:
        publish(tx, "moved", {"n": 1}, clock.now())
    with pytest.raises(RuntimeError), state.write() as tx:
        assert len(take(tx, "one", ("moved",))) == 1
        raise RuntimeError
    with state.write() as tx:
        assert len(take(tx, "one", ("moved",))) == 1
