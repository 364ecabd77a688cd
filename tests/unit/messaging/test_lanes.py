"""A dead channel never stalls another, and is left alone for a while after it has failed."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from quanyu.kernel.errors import Conflict, Invalid, NotFound
from quanyu.messaging.api import CardTemplate
from quanyu.sdk import NotTaken
from quanyu.sdk.config import MASK
from tests.unit.doubles import BRAND
from tests.unit.messaging.conftest import OOPS


def test_a_hanging_channel_does_not_stall_another(world) -> None:
    world.grow(2)
    world.messaging.connections.create(BRAND, "test", "two", "Two", {"address": "b"})
    hanging, release = threading.Event(), threading.Event()

    def behave(batch):
        if batch.messages[0].effect_id in slow:
            hanging.set()
            release.wait(20)

    world.provider.behave = behave
    slow = set(world.wish(world.intent(1)))
    world.messaging.dispatch(patience=0.2)
    assert hanging.wait(5)
    (quick,) = world.wish(world.intent(2, connection="two"))
    try:
        world.messaging.dispatch(patience=5)
        assert world.status(quick) == [("accepted", None)]
        assert world.status(*slow) == [("submitted", None)]
        # The hanging lane is not started a second time.
        world.wish(world.intent(2))
        world.messaging.dispatch(patience=0.2)
        assert len(world.provider.batches) == 2
    finally:
        release.set()
    world.messaging.dispatch()
    assert world.status(*slow) == [("accepted", None)]


def test_a_failing_connection_is_left_alone_then_tried_with_a_few(world) -> None:
    world.grow(40)
    failing = world.messaging.templates.create(BRAND, "N", "{{name}}", None).template_id
    from quanyu.messaging.contracts import PersonCard

    world.cards.known = {i: PersonCard(f"p{i}", f"n{i}") for i in range(1, 41)}
    world.provider.behave = _raise
    world.wish(*(world.intent(i, template_id=failing) for i in range(1, 41)))
    world.messaging.dispatch()
    assert len(world.provider.batches) == 16  # one group; what is left stands back
    assert {status for status, _ in _count(world)} == {"deferred"}
    calls = len(world.provider.batches)
    assert world.messaging.dispatch() == 0
    assert len(world.provider.batches) == calls  # the breaker is open
    world.clock.advance(timedelta(minutes=30))
    world.messaging.dispatch()
    assert len(world.provider.batches) - calls <= 20  # a trial, not everything
    world.provider.behave = None
    world.clock.advance(timedelta(hours=1))
    while world.messaging.dispatch():
        pass
    world.clock.advance(timedelta(hours=1))
    while world.messaging.dispatch():
        pass
    assert {status for status, _ in _count(world)} == {"accepted"}


def test_a_switched_off_connection_sends_nothing_and_lets_messages_expire(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.messaging.connections.update(BRAND, "one", enabled=False)
    assert world.messaging.dispatch() == 0
    world.clock.advance(timedelta(days=1))
    assert world.messaging.recover() == 1
    assert world.status(effect) == [("suppressed", "expired")]
    assert world.provider.batches == []


def test_a_connections_secret_is_sealed_masked_and_kept(world, state) -> None:
    made = world.messaging.connections.create(BRAND, "test", "three", "Three", {"address": "c", "secret": "hunter2"})
    assert made.config == {"address": "c", "secret": MASK}
    world.messaging.connections.update(BRAND, "three", given={"address": "d", "secret": MASK})
    channel = world.messaging.connections.channel("three")
    assert (channel.config.address, channel.config.secret.get_secret_value()) == ("d", "hunter2")
    with state.read() as tx:
        rows = tx.exec_driver_sql("SELECT config FROM connection").all()
    assert not any(b"hunter2" in bytes(row[0]) for row in rows)


def test_bad_connections_are_refused_with_their_fields(world) -> None:
    connections = world.messaging.connections
    with pytest.raises(Invalid) as caught:
        connections.create(BRAND, "test", "x", "X", {"adress": "c"})
    assert [field.field for field in caught.value.fields] == ["config.adress"]
    with pytest.raises(Invalid, match="channel_unknown"):
        connections.create(BRAND, "pigeon", "x", "X", {})
    with pytest.raises(Invalid, match="connection_key_invalid"):
        connections.create(BRAND, "test", "../x", "X", {})
    with pytest.raises(Conflict, match="connection_exists"):
        connections.create(BRAND, "test", "one", "X", {})
    with pytest.raises(NotFound):
        connections.view(BRAND, "none")


def test_a_check_is_remembered(world) -> None:
    connections = world.messaging.connections
    assert all(step.ok for step in connections.check(BRAND, "one"))
    assert connections.view(BRAND, "one").ok is True
    connections.update(BRAND, "one", given={"address": "bad", "secret": ""})
    assert connections.view(BRAND, "one").ok is None
    connections.check(BRAND, "one")
    assert connections.view(BRAND, "one").ok is False


def test_a_changed_template_goes_out_as_it_is_when_claimed(world) -> None:
    world.grow(1)
    world.wish(world.intent(1))
    templates = world.messaging.templates
    changed = templates.update(BRAND, world.template, "Hello", "新的", CardTemplate("t", "pages/x"), 1)
    assert changed.revision == 2
    world.messaging.dispatch()
    assert world.provider.batches[0].text == "新的"


def _raise(_batch):
    raise NotTaken(OOPS, transient=True)


def _count(world) -> list[tuple[str, int]]:
    by_status, _, _ = world.messaging.summary(BRAND)
    return [(each.key, each.count) for each in by_status if each.count]
