"""Two brands with data, in one process, made the same way every time: what the matrix test asks questions of.

Data comes in three layers: what a store operator of S1 and the guide g1 may see (`core`), the rest of the first
brand (`other`), and the second brand (`beta`). A layer that is left out changes nothing in the layers before it,
so that two worlds that differ by one layer must answer the same to whoever may not see that layer.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from quanyu.access.contracts import PERMISSIONS, ROLE_PERMISSIONS, permissions_of
from quanyu.app import Product, compose, pipeline, web
from quanyu.commerce.contracts import PRODUCT_SCHEMA, STORE_SCHEMA
from quanyu.events.contracts import NativeEvent, NativeIdentifier, NativeItem
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import same
from quanyu.kernel.settings import Settings
from quanyu.promotions.contracts import Grant
from quanyu.storage import migrate
from quanyu.worker.pipeline import Pipeline

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PASSWORD = "a long enough password"
# In everything of the second brand that has a name: no answer to the first brand may hold it.
MARK = "BETAONLY"
_LAYERS = ("core", "other", "beta")
BOUGHT = {
    "type": "group",
    "id": "g1",
    "op": "and",
    "children": [
        {
            "type": "rule",
            "id": "r1",
            "predicate": "performed",
            "params": {"event": "order_paid", "times_operator": "gte", "times": 1},
        }
    ],
}


class Ids(SeededIds):
    """Seeded ids that can be set back, so that two worlds give the same ids to what comes next."""

    def begin(self, seed: int) -> None:
        self._random.seed(seed)


@dataclass
class Who:
    """Somebody who calls: the headers that say so, what they may do, and how much of the brand they see."""

    name: str
    headers: dict[str, str]
    permissions: frozenset[str]
    whole_brand: bool = True


@dataclass
class World:
    """A running installation and what is in it. `samples` are the ids of one thing of each kind, by brand."""

    product: Product
    http: TestClient
    ids: Ids
    batches: Pipeline
    callers: dict[str, Who] = field(default_factory=dict)
    samples: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, who: Who | None, method: str, path: str, **more: Any) -> Any:
        self.http.cookies.clear()
        headers = {**(who.headers if who else {}), **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def ok(self, who: Who, method: str, path: str, **more: Any) -> Any:
        answer = self.ask(who, method, f"/api/v1{path}", **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@contextmanager
def running(folder: Path, layers: set[str], database_url: str = "") -> Iterator[World]:
    """An installation with `core` and the given layers."""
    settings = Settings.load({}, {"data_dir": str(folder), "database_url": database_url, "session_hours": 999})
    ids = Ids(1)
    clock = ManualClock(NOW - timedelta(days=4))
    product = compose(settings, clock=clock, ids=ids)
    try:
        migrate.upgrade(product.state)
        # The keys too are the same in every world: people are numbered in the order of their keyed hashes.
        with mock.patch.object(secrets, "token_bytes", random.Random(5).randbytes):
            product.vault.prepare(0, ("log",))
            for key in ("alpha", "beta"):
                name = same(f"{MARK} brand" if key == "beta" else "Alpha")
                made = product.access.brands.create(key=key, name=name, currency="CNY", time_zone="Asia/Shanghai")
                product.vault.prepare(made.brand_id)
        world = World(product, TestClient(web(product), raise_server_exceptions=False), ids, pipeline(product))
        _users(world)
        for brand in ["alpha", "beta"] if "beta" in layers else ["alpha"]:
            ids.begin(20 + len(brand))
            _setting(world, brand, MARK if brand == "beta" else "")
        clock.advance(timedelta(days=4))  # a journey takes only what happens after it was published
        ids.begin(1)
        _people(world, "alpha", "core", count=5, store="S1", staff="g1")
        if "other" in layers:
            ids.begin(2)
            _people(world, "alpha", "other", count=7, store="S2", staff="g2")
        if "beta" in layers:
            ids.begin(3)
            _people(world, "beta", "beta", count=11, store=f"{MARK}S", staff=f"{MARK}g")
        _computed(world, "beta" in layers)
        ids.begin(4)
        yield world
    finally:
        product.close()


def _users(world: World) -> None:
    access = world.product.access
    # What a password costs is tested elsewhere; here are dozens of them.
    access.users._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    roles: list[tuple[str, str, str, list[str] | None, str | None]] = [
        (role, role, "alpha", None, "g1" if role == "guide" else None) for role in ROLE_PERMISSIONS
    ]
    roles += [(f"store {role}", role, "alpha", ["S1"], None) for role in ("owner", "operator", "analyst", "compliance")]
    roles += [("spare", "analyst", "alpha", None, None), ("beta owner", "owner", "beta", None, None)]
    for name, role, brand, stores, staff in roles:
        user = access.users.create(
            username=name.replace(" ", "."),
            name=MARK if brand == "beta" else name,
            role=role,
            brands=[brand],
            password=PASSWORD,
            stores=stores,
            staff_id=staff,
        )
        session = access.users.sign_in(user.username, PASSWORD)
        headers = {"Cookie": f"quanyu_session={session.token}", "X-CSRF-Token": session.csrf}
        world.callers[name] = Who(name, headers, permissions_of(role, whole_brand=user.whole_brand), user.whole_brand)
        if name == "spare" or brand == "beta":
            world.samples.setdefault(brand, {})["user_id"] = user.user_id
    with world.product.state.write() as tx:
        for name, permissions, brand in (
            ("powerless client", [], "alpha"),
            ("client", list(PERMISSIONS), "alpha"),
            ("spare", [], "alpha"),
            (MARK, [], "beta"),
        ):
            client, key = access.clients.create(tx, name=name, permissions=permissions, brands=[brand])
            world.samples.setdefault(brand, {})["client_id"] = client.client_id
            if name.endswith("client"):
                world.callers[name] = Who(name, {"Authorization": f"Bearer {key}"}, frozenset(permissions))


def _owner(world: World, brand: str) -> Who:
    return world.callers["owner" if brand == "alpha" else "beta owner"]


def _setting(world: World, brand: str, mark: str) -> None:
    """What a brand has before anybody comes: catalogue, source, tag, template, coupon, connection, journey."""
    owner, product, sample = _owner(world, brand), world.product, world.samples[brand]
    scope = product.access.brands.get(brand).scope()
    stores = [f"{mark}S"] if mark else ["S1", "S2"]
    with product.state.write() as tx:
        product.commerce.upsert_stores(tx, scope, _table(STORE_SCHEMA, [{"store_id": one} for one in stores], mark))
        product.commerce.upsert_products(
            tx,
            scope,
            _table(PRODUCT_SCHEMA, [{"sku": f"{mark}sku{n}", "category_key": f"{mark}c"} for n in (1, 2)], mark),
        )
    key = f"pos_{brand}" if not mark else mark.lower()
    words = {"zh": f"{mark}门店", "en": f"{mark}stores"}
    made = world.ok(owner, "POST", "/sources", json={"source": key, "name": words, "kind": "sdk"})
    sample["write_key"] = made["write_key"]
    sample["source"] = key
    _import(world, brand, mark)
    sample["tag_id"] = world.ok(owner, "POST", "/tags", json={"name": words, "group": words})["tag_id"]
    junk = {"values": [{"namespace": "member_no", "value": f"{mark}junk"}], "reason": f"{mark}reason"}
    world.ok(owner, "POST", "/identity/blocked-values", json=junk)
    sample["value_id"] = world.ok(owner, "GET", "/identity/blocked-values")["items"][0]["value_id"]
    template = {"name": f"{mark}模板", "kind": "text", "text": f"{mark} {{{{name}}}}"}
    sample["template_id"] = world.ok(owner, "POST", "/templates", json=template)["template_id"]
    coupon = {"name": f"{mark}券", "kind": "amount_off", "value": 100, "per_person": 2}
    sample["coupon_id"] = world.ok(owner, "POST", "/coupons/definitions", json=coupon)["coupon_id"]
    sample["connection"] = mark.lower() or "hook"
    config = {"url": "http://127.0.0.1:9/", "secret": f"whsec_{'QUJD' * 10}"}
    connection = {
        "kind": "webhook",
        "connection": sample["connection"],
        "name": f"{mark}hook",
        "config": config,
    }
    world.ok(owner, "POST", "/connections", json=connection)
    audience = {"name": f"{mark}买过", "description": mark, "tree": BOUGHT, "refresh": "manual"}
    sample["audience_id"] = world.ok(owner, "POST", "/audiences", json=audience)["audience_id"]
    send = {
        "connection": sample["connection"],
        "template_id": sample["template_id"],
        "coupon_id": sample["coupon_id"],
    }
    nodes: list[tuple[str, str, dict[str, Any]]] = [
        ("in", "trigger", {"on": "event", "event": "order_paid", "where": []}),
        ("send", "send", send),
        ("goal", "goal", {"event": "coupon_redeemed", "where": [], "within_days": 3}),
    ]
    graph = {
        "nodes": [{"id": i, "kind": kind, "config": c, "position": {"x": 0, "y": 0}} for i, kind, c in nodes],
        "edges": [
            {"id": "e1", "from": "in", "port": "next", "to": "send"},
            {"id": "e2", "from": "send", "port": "next", "to": "goal"},
        ],
    }
    body = {
        "name": f"{mark}旅程",
        "graph": graph,
        "settings": {"holdout_percent": 50, "reentry": {"rule": "once"}},
    }
    sample["journey_id"] = world.ok(owner, "POST", "/journeys", json=body)["journey_id"]
    world.ok(owner, "POST", f"/journeys/{sample['journey_id']}/publish")


def _import(world: World, brand: str, mark: str) -> None:
    """A file, a saved mapping (the first of the ready ones) and an import that waits for its turn."""
    owner, sample = _owner(world, brand), world.samples[brand]
    file = world.ok(owner, "POST", "/imports/files", params={"name": f"{mark}.csv"}, content=f"a,b\n{mark}1,2\n")
    ready = world.ok(owner, "GET", "/imports/ready-mappings")["items"][0]
    mapping = {"name": f"{mark}mapping", "mapping": ready["mapping"], "source": f"file_{brand}"}
    if mark:
        mapping["source"] = f"{mark.lower()}_file"
    sample["file_id"] = file["file_id"]
    sample["mapping_id"] = world.ok(owner, "POST", "/imports/mappings", json=mapping)["mapping_id"]
    asked = {"file_id": sample["file_id"], "mapping_id": sample["mapping_id"]}
    sample["job_id"] = world.ok(owner, "POST", "/imports", json=asked)["job_id"]
    hook = {"kind": "webhook", "name": f"{mark}hook", "mapping_id": sample["mapping_id"], "config": {}}
    sample["connection_id"] = world.ok(owner, "POST", "/import-connections", json=hook)["connection_id"]


def _table(schema: pa.Schema, rows: list[dict[str, Any]], mark: str) -> pa.Table:
    """Rows with a marked text in every column that is not given."""
    return pa.Table.from_pylist([{**{name: f"{mark}{name}" for name in schema.names}, **row} for row in rows], schema)


def _people(world: World, brand: str, layer: str, *, count: int, store: str, staff: str) -> None:
    """People who bought, each with two identifiers, a tag, consent, a coupon and an event a day."""
    product, sample, mark = world.product, world.samples[brand], MARK if brand == "beta" else ""
    owner = _owner(world, brand)
    events = []
    for number in range(count):
        member = NativeIdentifier("member_no", f"{mark}{layer}{number}")
        phone = NativeIdentifier("phone", f"1391846{_LAYERS.index(layer)}{number:02d}5")
        for day in range(2):
            events.append(  # noqa: PERF401 - one event is long enough
                NativeEvent(
                    event_id=f"{mark}{layer}-{number}-{day}",
                    name="order_paid",
                    occurred_at=NOW - timedelta(days=1 + day, hours=number),
                    identifiers=(member, phone),
                    channel="store",
                    store_id=store,
                    staff_id=staff,
                    order_id=f"{mark}order-{layer}-{number}-{day}",
                    items=(NativeItem(f"{mark}sku1", 1.0, 1000, 1000 + number),),
                    amount=1000 + number,
                    currency="CNY",
                    properties={f"{mark}note": f"{mark}note {layer}"},
                    traits={"set": {"name": f"{mark}{layer}客{number}", "home_store": store, "owner_staff": staff}},
                    consent=({"purpose": "marketing", "channel": "webhook", "status": "granted"},),
                )
            )
    events.append(
        NativeEvent(
            event_id=f"{mark}{layer}-stock",
            name="stock_reported",
            occurred_at=NOW - timedelta(days=1),
            store_id=store,
            items=(NativeItem(f"{mark}sku1", 7.0), NativeItem(f"{mark}sku-{layer}", 7.0)),
        )
    )
    if layer != "core":  # something of a kind that nobody else has: it shows in lists of names
        events.append(
            NativeEvent(
                event_id=f"{mark}{layer}-odd",
                name=f"{mark}odd_{layer}",
                occurred_at=NOW - timedelta(days=1),
                identifiers=(NativeIdentifier("member_no", f"{mark}{layer}0"),),
                store_id=store,
                traits={"set": {f"{mark}trait_{layer}": "x"}},
            )
        )
    product.events.record_now(sample["source"], events)
    if layer != "other":
        _refused(world, brand, mark)
    world.batches.drain()
    while product.journeys.advance():
        pass
    with product.state.write() as tx:
        brand_id = product.access.brands.get(brand).brand_id
        found = [product.identity.find_value(tx, brand_id, "member_no", f"{mark}{layer}{n}") for n in range(count)]
        pairs = [pair for pair in found if pair]
        grants = [Grant(anchor, f"ef_{layer}{n}") for n, (anchor, _) in enumerate(sorted(pairs))]
        issued = product.promotions.issue(tx, brand_id, sample["coupon_id"], grants)
        codes = issued.codes
    mine = world.ok(owner, "POST", "/people/search", json={"q": f"{mark}{layer}0"})["items"]
    assert len(mine) == 1
    person = mine[0]["person_id"]
    world.ok(owner, "PUT", f"/people/{person}/tags", json={"add": [sample["tag_id"]], "remove": []})
    if "person_id" not in sample:
        shown = world.ok(owner, "GET", f"/people/{person}")
        twice = [world.ok(owner, "POST", "/people/search", json={"q": f"{mark}{layer}{n}"}) for n in (1, 2)]
        found_two = [one["items"][0] for one in twice]
        sample |= {
            "person_id": person,
            "person_ids": [one["person_id"] for one in found_two],
            "link_id": shown["links"][0]["link_id"],
            "identifier_id": shown["identifiers"][0]["identifier_id"],
            "order_id": f"{mark}order-{layer}-0-0",
            "store_id": store,
            "sku": f"{mark}sku1",
            "code": codes["ef_" + layer + "0"],
            "value": f"{mark}{layer}0",
            "q": f"{mark}{layer}0",
            "quarantine_id": world.ok(owner, "GET", "/quarantine")["items"][0]["quarantine_id"],
            "replay_id": world.ok(owner, "POST", "/quarantine/replays", json={})["replay_id"],
            "effect_id": world.ok(owner, "GET", "/sends", params={"limit": 100})["items"][-1]["effect_id"],
        }
    listed = world.ok(owner, "POST", "/people/search", json={"limit": 100})["items"]
    known = {one for ids in world.people.values() for one in ids}
    world.people[layer] = [one["person_id"] for one in listed if one["person_id"] not in known]
    assert len(world.people[layer]) == count


def _refused(world: World, brand: str, mark: str) -> None:
    """Calls that nobody understands: as many as the quality check finds worth a word."""
    wrong = [{"type": "tarck", "userId": f"{mark}u", "messageId": f"{mark}m{n}"} for n in range(10)]
    world.http.cookies.clear()
    sent = world.http.post("/v1/batch", json={"batch": wrong}, auth=(world.samples[brand]["write_key"], ""))
    assert sent.status_code == 200


def _computed(world: World, both: bool) -> None:
    """Audiences are computed, and the data checked, once everybody is there."""
    for number, brand in enumerate(["alpha", "beta"] if both else ["alpha"]):
        world.ids.begin(10 + number)
        owner, sample = _owner(world, brand), world.samples[brand]
        world.ok(owner, "POST", f"/audiences/{sample['audience_id']}/refresh")
        world.product.quality.check(world.product.access.brands.get(brand))
        sample["problem_id"] = world.ok(owner, "GET", "/quality/problems")["items"][0]["problem_id"]
        kinds = [kind["event"] for kind in world.ok(owner, "GET", "/retention")["items"]]
        sample["event"] = f"{MARK}odd_beta" if brand == "beta" else "order_paid"
        assert sample["event"] in kinds


def hidden_texts(samples: Mapping[str, Any], people: list[str]) -> list[str]:
    """What would give a brand's data away: its public ids, and the mark in every name."""
    kinds = (
        "user_id",
        "client_id",
        "tag_id",
        "template_id",
        "coupon_id",
        "audience_id",
        "journey_id",
        "code",
        "effect_id",
    )
    return [MARK, MARK.lower(), *people, *(str(samples[kind]) for kind in (*kinds, "quarantine_id"))]


def text_of(answer: Any) -> str:
    """An answer as text, with escaped characters written out."""
    try:
        return json.dumps(answer.json(), ensure_ascii=False)
    except ValueError:
        return str(answer.text)
