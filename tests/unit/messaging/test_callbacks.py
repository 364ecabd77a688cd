"""What a provider tells of a new contact, and when we learn who that is."""

from __future__ import annotations

import threading

import pytest

from quanyu.kernel.clock import ManualClock
from quanyu.messaging import callbacks
from quanyu.sdk import Contact, HttpAnswer, HttpRequest, InboundEvent, NotTaken
from quanyu.sdk.inbound import Identifier, Received
from tests.unit.messaging.conftest import OOPS, TestChannel

REQUEST = HttpRequest("POST", {}, {}, b"")


class Telling(TestChannel):
    """Tells of one new contact; `answer` decides what looking the contact up gives."""

    capabilities = frozenset({"receive", "details"})
    clock: ManualClock
    answer = staticmethod(lambda: None)

    def receive(self, request):
        return Received(HttpAnswer(body=b"success"), (self._event("added", "contact_added"),), (Contact("wm1"),))

    def details(self, contact):
        self.answer()
        return (self._event("details", "identified", Identifier("unionid", "un1")),)

    def _event(self, event_id, name, *more):
        return InboundEvent(event_id, name, self.clock.now(), (Identifier("external_userid", "c:wm1"), *more))


@pytest.fixture
def telling(make_world, clock):
    Telling.clock = clock
    Telling.answer = staticmethod(lambda: None)
    return make_world(channel=Telling)


def test_who_a_new_contact_is_is_told_in_one_breath_with_the_contact(telling) -> None:
    assert telling.messaging.callbacks.receive("one", REQUEST).body == b"success"
    assert [event.name for event in telling.recorder.events.values()] == ["identified", "contact_added"]
    assert telling.recorder.calls == 1


def test_a_contact_that_cannot_be_looked_up_is_told_of_and_looked_up_later(telling) -> None:
    def refuse() -> None:
        raise NotTaken(OOPS, transient=True)

    Telling.answer = staticmethod(refuse)
    telling.messaging.callbacks.receive("one", REQUEST)
    assert list(telling.recorder.events) == ["added"]
    Telling.answer = staticmethod(lambda: None)
    telling.messaging.dispatch()
    assert list(telling.recorder.events) == ["added", "details"]


def test_a_slow_look_up_does_not_keep_the_provider_waiting(telling, monkeypatch) -> None:
    monkeypatch.setattr(callbacks, "_LOOK_UP_SECONDS", 0.05)
    going_on = threading.Event()
    Telling.answer = staticmethod(lambda: going_on.wait(30))
    telling.messaging.callbacks.receive("one", REQUEST)
    assert list(telling.recorder.events) == ["added"]
    going_on.set()
    telling.messaging.dispatch()
    assert list(telling.recorder.events) == ["added", "details"]
