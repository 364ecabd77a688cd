"""Whatever is corrected, in whatever order: every number is what it would be had only the last version ever come."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quanyu.audiences.api import Audiences
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.label import same
from tests.unit.imports.conftest import World, make
from tests.unit.imports.test_importing import HEADER, ORDERS, person_of

BOUGHT = {
    "type": "group",
    "id": "g",
    "op": "and",
    "children": [
        {
            "type": "rule",
            "id": "r",
            "predicate": "performed",
            "params": {"event": "order_paid", "times_operator": "gte", "times": 2},
        }
    ],
}


def numbers(world: World, members: int) -> dict[str, Any]:
    """What the product says: events by engine, totals of people, an audience by both evaluators, the overview."""
    events = [
        (event["order_id"], event["amount"], event["occurred_at"], event["day"], event["store_id"], len(event["items"]))
        for event in world.events()
    ]
    people = {}
    for number in range(members):
        try:
            people[f"M{number}"] = person_of(world, f"M{number}")
        except ValueError:
            people[f"M{number}"] = (0, 0, None, None)
    audiences: Audiences = world.product.audiences
    now = world.clock.now()
    checked = audiences.check(BOUGHT, world.scope)
    return {
        "events": sorted(events),
        "people": people,
        "twice": len(audiences.evaluate(checked, now, world.scope)),
    }


def line(order: int, rng: random.Random, members: int) -> list[str]:
    """An order of one to three rows, anything about it drawn anew."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=rng.randrange(24 * 50))
    member, store = f"M{rng.randrange(members)}", f"D{rng.randrange(3)}"
    head = f"A{order},{at:%Y-%m-%d %H:%M:%S},{member},"
    return [
        f"{head},S{sku},{rng.randrange(1, 4)},{rng.randrange(9000) / 100:.2f},{store}\n"
        for sku in rng.sample(range(9), rng.randrange(1, 4))
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_corrections_equal_a_full_recompute(
    state_url: str, tmp_path: Path, clock: ManualClock, seed: int
) -> None:
    rng, members, orders = random.Random(seed), 6, 25
    url = "" if state_url.startswith("sqlite") else state_url
    world = make(tmp_path / "corrected", url, clock)
    latest: dict[int, list[str]] = {}
    mapping = world.product.imports.save_mapping(world.caller, "orders", ORDERS).mapping_id
    for _ in range(6):
        some = rng.sample(range(orders), rng.randrange(5, 15))
        latest |= {order: line(order, rng, members) for order in some}
        again = rng.sample(sorted(latest), len(latest) // 2)  # what is not new comes again, in any order
        rows = [row for order in dict.fromkeys([*some, *again]) for row in latest[order]]
        job = world.bring(HEADER + "".join(rows), mapping)
        assert (job.status, job.bad) == ("done", 0)
        clock.advance(timedelta(minutes=1))
        world.batches.deliver()
    got = numbers(world, members)
    kept = world.product.history.size("events")[0]
    accepted, stored, duplicate, _ = world.books(job.source)
    world.product.close()

    # A full recompute: an installation that only ever saw how every order stands at the end.
    fresh = make(tmp_path / "fresh", "", ManualClock(clock.now()))
    fresh.bring(
        HEADER + "".join(row for order in rng.sample(sorted(latest), len(latest)) for row in latest[order]), ORDERS
    )
    assert numbers(fresh, members) == got
    assert len(got["events"]) == len(latest)
    assert kept == stored > len(latest)  # history forgets nothing
    assert accepted == stored + duplicate
    fresh.product.close()


def test_what_a_correction_replaces_may_come_after_it(world: World) -> None:
    """A row that waited in quarantine and is replayed late is still replaced."""
    events = world.product.events
    with world.product.state.write() as tx:
        events.sources.ensure(tx, source="acme.pos", brand_id=1, name=same("POS"), kind="file")

    def record(event_id: str, amount: int, replaces: str | None) -> None:
        identifiers = [[{"namespace": "member_no", "value": "M1"}]]
        table = pa.table(
            {
                "event_id": [event_id],
                "name": ["order_paid"],
                "occurred_at": [1_770_000_000_000_000 + amount],
                "amount": [amount],
                "raw_identifiers": pa.array(
                    identifiers, pa.list_(pa.struct([("namespace", pa.string()), ("value", pa.string())]))
                ),
                "replaces": pa.array([replaces], pa.string()),
            }
        )
        events.record_table("acme.pos", table)
        world.batches.drain()

    record("a~2", 200, "a")
    assert person_of(world, "M1")[:2] == (1, 200)
    record("a", 100, None)
    assert person_of(world, "M1")[:2] == (1, 200)
    assert [event["event_id"] for event in world.events()] == ["a~2"]
    record("a~3", 300, "a~2")
    assert person_of(world, "M1")[:2] == (1, 300)
    assert [event["event_id"] for event in world.events()] == ["a~3"]
    audiences = world.product.audiences
    once = {
        **BOUGHT,
        "children": [{**BOUGHT["children"][0], "params": {"event": "order_paid", "times_operator": "gte", "times": 1}}],
    }  # type: ignore[dict-item]
    assert len(audiences.evaluate(audiences.check(once, world.scope), world.clock.now(), world.scope)) == 1
    assert len(audiences.evaluate(audiences.check(BOUGHT, world.scope), world.clock.now(), world.scope)) == 0
