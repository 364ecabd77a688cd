"""The turn goes from one worker to another and back: neither goes by what it read before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from quanyu.app import compose
from quanyu.app.product import Product
from quanyu.app.working import pipeline
from quanyu.events.contracts import NativeEvent, NativeIdentifier
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import same
from quanyu.kernel.settings import Settings
from quanyu.profiles.tables import identifier_stat


@pytest.fixture
def products(installed_url: str, tmp_path: Path, clock: ManualClock) -> Iterator[tuple[Product, Product]]:
    """One installation as two processes have it, with one brand."""
    settings = Settings.load({}, {"data_dir": str(tmp_path), "database_url": installed_url})
    one, other = (compose(settings, clock=clock, ids=SeededIds(seed)) for seed in (1, 2))
    one.vault.prepare(0, ("log",))
    brand = one.access.brands.create(key="acme", name=same("Acme"), currency="CNY", time_zone="UTC")
    one.vault.prepare(brand.brand_id)
    yield one, other
    one.close()
    other.close()


def test_a_sighting_that_another_worker_corrected_is_read_again(
    products: tuple[Product, Product], clock: ManualClock
) -> None:
    one, other = products
    now = clock.now()
    turns = {id(product): pipeline(product) for product in products}

    def click(product: Product, event_id: str, minute: int, replaces: str | None = None) -> None:
        """In the worker's turn, which it gives back."""
        event = NativeEvent(
            event_id=event_id,
            name="page_viewed",
            occurred_at=now + timedelta(minutes=minute),
            identifiers=(NativeIdentifier("user_id", "u1"),),
            replaces=replaces,
        )
        with product.state.write() as tx:
            product.events.record(tx, 1, [event])
        turns[id(product)].drain()
        turns[id(product)].release()

    def seen() -> int:
        """In minutes."""
        with one.state.read() as tx:
            (at,) = tx.execute(sa.select(identifier_stat.c.seen_at)).scalars()
        return int((at - now) / timedelta(minutes=1))

    click(one, "a", -100)
    click(one, "b", -40)
    click(one, "c", -39)  # for which it reads that the customer was seen at -40
    assert seen() == -40
    click(other, "d", -90, replaces="b")
    click(other, "e", -95, replaces="c")
    assert seen() == -90
    click(one, "f", -35)
    assert seen() == -35


def test_a_worker_that_slept_through_anothers_turn_stores_nothing_twice(
    products: tuple[Product, Product], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = products

    def send(*event_ids: str) -> None:
        with one.state.write() as tx:
            one.events.record(tx, 1, [_viewed(event_id, clock) for event_id in event_ids])

    sleeper, dying = pipeline(one), pipeline(other)
    send("a")
    assert sleeper.step()
    clock.advance(timedelta(minutes=1))  # it sleeps past its lease
    send("b")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(other.events, "keep_keys", die)
    with pytest.raises(KeyboardInterrupt):  # after its commit
        dying.step()
    clock.advance(timedelta(minutes=1))
    send("b", "c")
    sleeper.drain()
    view = one.events.list_sources(one.access.brands.list()[0].scope())[0]
    assert (view.stored, view.duplicate) == (3, 1)
    assert one.history.size("events")[0] == 3


def test_a_worker_whose_turn_is_over_hands_nothing_to_history(
    products: tuple[Product, Product], clock: ManualClock
) -> None:
    one, other = products
    former, present = pipeline(one), pipeline(other)
    assert not former.step()  # its turn, and nothing to do
    clock.advance(timedelta(minutes=1))
    with one.state.write() as tx:
        one.events.record(tx, 1, [_viewed("a", clock)])
    assert present.step()
    assert not former.step()
    assert not former.deliver()
    assert present.deliver()
    assert one.history.size("events")[0] == 1


def _viewed(event_id: str, clock: ManualClock) -> NativeEvent:
    return NativeEvent(
        event_id=event_id,
        name="page_viewed",
        occurred_at=clock.now(),
        identifiers=(NativeIdentifier("user_id", "u1"),),
    )
