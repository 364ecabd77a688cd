from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from quanyu.kernel.ids import SystemIds, stable_id
from quanyu.kernel.label import Label
from quanyu.messaging.api import CardTemplate, Messaging
from quanyu.messaging.contracts import Intent, Timing
from quanyu.promotions.api import Promotions
from quanyu.sdk import (
    Answer,
    Batch,
    Channel,
    Config,
    Delivery,
    NotTaken,
    OutcomeUnknown,
    PersonQuota,
    Problem,
    Secret,
    Step,
)
from quanyu.sdk.channel import ChannelPlugin
from tests.unit.doubles import BRAND, OWNER, Cards, Consents, People, Recorder

OOPS = Problem("500", Label("出错", "Oops"), Label("稍后再试", "Try later"))


class TestConfig(Config):
    __test__ = False
    address: str = "x"
    secret: Secret = ""  # type: ignore[assignment]


class Provider:
    """A provider that keeps what it was sent and does what a test tells it to."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.kept: dict[str, Answer] = {}
        self.behave: Callable[[Batch], Answer | None] | None = None
        self.deliveries: dict[str, list[Delivery]] = {}
        self.lock = threading.Lock()

    @property
    def received(self) -> list[str]:
        return [message.effect_id for batch in self.batches for message in batch.messages]

    def send(self, batch: Batch) -> Answer:
        with self.lock:
            self.batches.append(batch)
        answer = self.behave(batch) if self.behave else None
        answer = answer or Answer(f"ref-{batch.token}")
        self.kept[batch.token] = answer
        return answer


class TestChannel(Channel[TestConfig]):
    __test__ = False
    kind = "test"
    channel = "test"
    max_batch = 1000
    capabilities = frozenset({"find", "results", "reply"})
    provider: Provider

    @property
    def namespace(self) -> str:
        return "external_userid"

    def check(self):
        return [Step(Label("连通", "Reach"), self.config.address != "bad", Label("好", "fine"))]

    def send(self, batch: Batch) -> Answer:
        return self.provider.send(batch)

    def find(self, batch: Batch, since):
        return self.provider.kept.get(batch.token)

    def results(self, reference: str):
        return self.provider.deliveries.get(reference, [])


class World:
    """A messaging door over real state with one brand, two connections and one provider."""

    def __init__(self, state, vault, clock, **more) -> None:
        self.state, self.clock = state, clock
        self.people, self.consents, self.cards = People(state), Consents(state), Cards()
        self.recorder, self.provider = Recorder(), Provider()
        self.promotions = Promotions(state, clock, SystemIds(), self.people, self.recorder)
        self.channel_class = more.pop("channel", None) or type("Ch", (TestChannel,), {})
        self.channel_class.provider = self.provider
        plugin = ChannelPlugin("test", Label("测试", "Test"), Label("", ""), "us", TestConfig, self.channel_class)
        self.messaging = Messaging(
            state,
            vault,
            clock,
            SystemIds(),
            people=self.people,
            consents=self.consents,
            cards=self.cards,
            coupons=self.promotions,
            plugins={"test": plugin},
            http=lambda: None,
            record_events=self.recorder,
            scope_of=lambda brand_id: BRAND,
            timing=Timing(),
            uniform=lambda: 0.5,
            **more,
        )
        self.messaging.connections.create(BRAND, "test", "one", "One", {"address": "a"})
        self.template = self.messaging.templates.create(BRAND, "Hello", "你好", None).template_id
        self.count = 0

    def grow(self, people: int, *, consent: bool = True) -> range:
        ids = range(1, people + 1)
        self.people.add((each, each) for each in ids)
        if consent:
            self.consents.grant(ids)
        return ids

    def intent(self, person: int, **more) -> Intent:
        self.count += 1
        given = {
            "effect_id": stable_id("test", self.count, prefix="ef"),
            "anchor_id": person,
            "connection": "one",
            "template_id": self.template,
            "category": "marketing",
            "purpose": "marketing",
            "expires_at": self.clock.now() + timedelta(days=1),
        } | more
        return Intent(**given)

    def in_flight(self, anchor: int, channel: str = "any") -> list:
        with self.state.read() as tx:
            return self.messaging.in_flight(tx, anchor, "marketing", channel)

    def wish(self, *intents: Intent) -> list[str]:
        with self.state.write() as tx:
            self.messaging.intend(tx, 1, intents)
        return [intent.effect_id for intent in intents]

    def look(self, effect_id: str):
        return self.messaging.send(BRAND, effect_id)[0]

    def status(self, *effect_ids: str) -> list[tuple[str, str | None]]:
        return [(view.status, view.reason) for view in map(self.look, effect_ids)]

    def history(self, effect_id: str) -> list[str]:
        return [row.status for row in self.messaging.send(BRAND, effect_id)[1]]


@pytest.fixture
def world(state, vault, clock):
    made = World(state, vault, clock)
    yield made
    made.messaging.close()


@pytest.fixture
def make_world(state, vault, clock):
    made = []

    def make(**more):
        made.append(World(state, vault, clock, **more))
        return made[-1]

    yield make
    for each in made:
        each.messaging.close()


__all__ = [
    "BRAND",
    "OOPS",
    "OWNER",
    "CardTemplate",
    "NotTaken",
    "OutcomeUnknown",
    "PersonQuota",
    "TestChannel",
    "World",
    "date",
]
