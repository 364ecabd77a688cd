"""The product as it is put together, with one recording channel: real identity, consent, coupons and messaging.

Only the provider is ours. People come in as sets, and agree as events would have them agree.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from quanyu.access.contracts import Caller, system_caller
from quanyu.app import Product, compose
from quanyu.consent.contracts import Said
from quanyu.kernel.clock import micros
from quanyu.kernel.ids import stable_id
from quanyu.kernel.label import Label, same
from quanyu.kernel.settings import Settings
from quanyu.messaging.contracts import Intent
from quanyu.sdk import Answer, Batch, Channel, Config, Step
from quanyu.sdk.channel import ChannelPlugin
from quanyu.storage import migrate

_NAMED = pa.list_(pa.struct([("namespace", pa.string()), ("value", pa.string())]))


class Recording:
    """A provider that takes everything and remembers it."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.on_send: Callable[[Batch], None] = lambda _: None
        self._lock = threading.Lock()

    @property
    def received(self) -> list[str]:
        """The effect ids in the order in which they arrived."""
        return [message.effect_id for batch in self.batches for message in batch.messages]

    def send(self, batch: Batch) -> Answer:
        with self._lock:
            self.batches.append(batch)
        self.on_send(batch)
        return Answer(f"ref-{batch.token}")


class RecordingConfig(Config):
    pass


def plugin_of(provider: Recording, max_batch: int) -> ChannelPlugin:
    """A channel that hands everything to `provider`."""
    size = max_batch

    class RecordingChannel(Channel[RecordingConfig]):
        kind = "recording"
        channel = "wecom"
        max_batch = size

        @property
        def namespace(self) -> str:
            return "external_userid"

        def check(self) -> list[Step]:
            return [Step(same("reach"), True, same("fine"))]

        def send(self, batch: Batch) -> Answer:
            return provider.send(batch)

    return ChannelPlugin("recording", same("Recording"), same(""), "tests", RecordingConfig, RecordingChannel)


class Composed:
    """One installation; `worker()` gives it another process' worth of lanes over the same stores."""

    def __init__(self, folder: Path, database_url: str, max_batch: int = 1000) -> None:
        self._settings = Settings.load({}, {"data_dir": str(folder), "database_url": database_url})
        self._max_batch = max_batch
        self.provider = Recording()
        self._open: list[Product] = []
        self.product = self.worker()
        migrate.upgrade(self.product.state)
        brand = self.product.access.brands.create(key="b", name=same("B"), currency="CNY", time_zone="Asia/Shanghai")
        self.scope = brand.scope()
        self.caller: Caller = system_caller(self.scope)
        self.product.vault.prepare(brand.brand_id, ("seal", "index", "log"))
        self.product.messaging.connections.create(self.scope, "recording", "one", "One", {})
        self.template = self.product.messaging.templates.create(self.scope, "Hello", "你好", None).template_id
        self.anchors: list[int] = []
        self.people: list[str] = []
        self._count = 0

    def worker(self) -> Product:
        made = compose(self._settings)
        made.messaging.connections.plugins["recording"] = plugin_of(self.provider, self._max_batch)
        self._open.append(made)
        return made

    def close(self) -> None:
        for each in self._open:
            each.close()

    @staticmethod
    def address(number: int) -> str:
        """The WeCom id of the person `number`."""
        return f"ww1:wm{number:05}"

    def grow(self, count: int) -> None:
        """People who each have one WeCom id and agreed to marketing there."""
        product, now = self.product, self.product.clock.now()
        table = pa.table(
            {
                "brand_id": pa.array([self.scope.brand_id] * count, pa.int64()),
                "occurred_at": pa.array([micros(now)] * count, pa.int64()),
                "source": pa.array(["crm"] * count),
                "event_id": pa.array([f"e{n}" for n in range(count)]),
                "name": pa.array(["identified"] * count),
                "traits": pa.array([None] * count, pa.string()),
                "raw_identifiers": pa.array(
                    [[{"namespace": "external_userid", "value": self.address(n)}] for n in range(count)], _NAMED
                ),
            }
        )
        with product.state.write() as tx:
            found = product.identity.resolve(tx, table)
            self.anchors = found.anchor_id.tolist()
            numbers = found.person_id.tolist()
            refs = product.identity.people_by_id(tx, numbers, self.scope)
            self.people = [ref.public_id for ref in refs]
            said = [Said(anchor, "marketing", "wecom", "granted", now - timedelta(hours=1)) for anchor in self.anchors]
            product.consent.record(tx, self.scope.brand_id, said)
        assert len(set(self.anchors)) == len(set(self.people)) == count

    def intent(self, person: int, **more: object) -> Intent:
        """A wish to write to the person `person` (0 is the first)."""
        self._count += 1
        given = {
            "effect_id": stable_id("test", self._count, prefix="ef"),
            "anchor_id": self.anchors[person],
            "connection": "one",
            "template_id": self.template,
            "category": "marketing",
            "purpose": "marketing",
            "expires_at": self.product.clock.now() + timedelta(days=1),
        } | more
        return Intent(**given)  # type: ignore[arg-type]

    def wish(self, *intents: Intent) -> list[str]:
        with self.product.state.write() as tx:
            self.product.messaging.intend(tx, self.scope.brand_id, intents)
        return [intent.effect_id for intent in intents]

    def withdraw(self, person: int, channel: str = "wecom") -> object:
        """Withdraw as the API does it."""
        words = {"purpose": "marketing", "channel": channel, "status": "withdrawn"}
        return self.product.consent.note_person(self.caller, self.people[person], **words)

    def coupon(self, **more: object) -> str:
        made = self.product.promotions.define(self.caller, name=Label("券", "C"), kind="amount_off", value=1, **more)  # type: ignore[arg-type]
        return made.coupon_id

    def status(self, effect_id: str) -> tuple[str, str | None]:
        view = self.product.messaging.send(self.scope, effect_id)[0]
        return view.status, view.reason
