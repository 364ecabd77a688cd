"""The whole wheel from outside: both real SDKs in, one person, an audience, a journey, the phone, the lift.

Nothing of the product is imported: the command line, HTTP, the brands' own SDKs and the sandbox only. The numbers on
the journey's page are counted again from the raw events.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import segment.analytics.client
import sensorsanalytics

from tests.system.harness import AES_KEY, CALLBACK_TOKEN, CORP_ID, CORP_SECRET, Api, Installation, eventually

PEOPLE = 60
APP_ID = "wx00000000000mini"

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Installation(tmp_path / "data", url)
    made.init()
    made.start("server", "worker")
    try:
        yield made
    finally:
        made.stop()


class Customer:
    """One of the test's customers, as the brand's systems know them."""

    def __init__(self, number: int) -> None:
        self.user_id = f"user-{number}"
        self.anonymous_id = f"device-{number}"
        self.phone = f"139{number:08d}"
        self.unionid = f"oU{number:026d}"
        self.openid = f"oM{number:026d}"
        self.external_userid = f"wm{number:030d}"

    def external_ids(self) -> list[dict[str, str]]:
        return [
            {"type": "external_userid", "id": f"{CORP_ID}:{self.external_userid}"},
            {"type": "unionid", "id": self.unionid},
            {"type": "openid", "id": f"{APP_ID}:{self.openid}"},
        ]


def connect(installation: Installation, owner: Api) -> str:
    """A source, the sandbox with its customers, and the connection to it; the source's write key."""
    named = {"zh": "小程序", "en": "Mini program"}
    key = owner.post("/sources", {"source": "mini", "name": named, "kind": "sdk"})["write_key"]
    till = owner.post(
        "/api-clients",
        {"name": "till", "permissions": ["coupons.redeem", "catalog.read"], "brands": ["main"]},
    )
    installation.extra = {
        "sandbox": {
            "QUANYU_SANDBOX_CORP_ID": CORP_ID,
            "QUANYU_SANDBOX_CORP_SECRET": CORP_SECRET,
            "QUANYU_SANDBOX_APP_ID": APP_ID,
            "QUANYU_SANDBOX_TOKEN": CALLBACK_TOKEN,
            "QUANYU_SANDBOX_AES_KEY": AES_KEY,
            "QUANYU_SANDBOX_CALLBACK_URL": f"{installation.base}/callbacks/wecom",
            "QUANYU_SANDBOX_COLLECTOR_URL": installation.base,
            "QUANYU_SANDBOX_WRITE_KEY": key,
            "QUANYU_SANDBOX_API_URL": installation.base,
            "QUANYU_SANDBOX_API_KEY": till["key"],
            "QUANYU_SANDBOX_SPEED": "200",
        }
    }
    installation.start("sandbox")
    rows = [
        {
            "external_userid": one.external_userid,
            "name": f"顾客{number}",
            "staff": "guide01",
            "unionid": one.unionid,
            "openid": one.openid,
            "phone": one.phone,
        }
        for number, one in enumerate(customers())
    ]
    httpx.post(f"{installation.sandbox}/sandbox/customers", json=rows, timeout=60).raise_for_status()
    config = {
        "corp_id": CORP_ID,
        "corp_secret": CORP_SECRET,
        "app_id": APP_ID,
        "token": CALLBACK_TOKEN,
        "aes_key": AES_KEY,
        "base_url": installation.sandbox,
    }
    owner.post("/connections", {"kind": "wecom", "connection": "wecom", "name": "企业微信", "config": config})
    checked = owner.post("/connections/wecom/check", {})
    assert checked["ok"], checked
    return str(key)


def customers() -> list[Customer]:
    return [Customer(number) for number in range(1, PEOPLE + 1)]


def send_first_events(installation: Installation, key: str) -> None:
    """Each customer first as a device in 神策, then as a user in both SDKs."""
    consumer = sensorsanalytics.BatchConsumer(f"{installation.base}/sa?project=default&token={key}", max_size=20)
    sa = sensorsanalytics.SensorsAnalytics(consumer)
    analytics = segment.analytics.client.Client(key, host=installation.base, gzip=True)
    for one in customers():
        sa.track(one.anonymous_id, "ViewProduct", {"product_id": "sku-1"}, is_login_id=False)
        sa.track_signup(one.user_id, one.anonymous_id)
        sa.profile_set(one.user_id, {"city": "上海"}, is_login_id=True)
    sa.close()
    for number, one in enumerate(customers()):
        analytics.identify(
            one.user_id,
            {"phone": one.phone, "name": f"顾客{number}"},
            context={"externalIds": one.external_ids()},
        )
    analytics.shutdown()


def tree(*rules: dict[str, Any]) -> dict[str, Any]:
    children = [{"type": "rule", "id": f"r{i}", **rule} for i, rule in enumerate(rules)]
    return {"type": "group", "id": "g1", "op": "and", "children": children}


def journey_graph(template_id: str, coupon_id: str) -> dict[str, Any]:
    def node(node_id: str, kind: str, **config: Any) -> dict[str, Any]:
        return {"id": node_id, "kind": kind, "config": config, "position": {"x": 0, "y": 0}}

    known = tree({"predicate": "trait", "params": {"trait": "city", "operator": "eq", "value": "上海"}})
    nodes = [
        node("in", "trigger", on="event", event="product_added_to_cart", where=[]),
        node("wait", "wait", mode="duration", value=1, unit="seconds"),
        node("known", "branch", tree=known, title="上海"),
        node("send", "send", connection="wecom", template_id=template_id, coupon_id=coupon_id),
        node("goal", "goal", event="order_paid", where=[], within_days=1),
        node("out", "exit"),
    ]
    ways = [
        ("in", "next", "wait"),
        ("wait", "next", "known"),
        ("known", "yes", "send"),
        ("known", "no", "out"),
        ("send", "next", "goal"),
    ]
    edges = [{"id": f"{a}-{port}", "from": a, "port": port, "to": b} for a, port, b in ways]
    return {"nodes": nodes, "edges": edges}


def all_events(owner: Api, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = owner.get("/events", name=name, limit=100, cursor=cursor)
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


def test_the_wheel_turns(installation: Installation):
    owner = installation.api()
    key = connect(installation, owner)
    send_first_events(installation, key)

    # One person out of both SDKs, and the evidence for it.
    def found() -> dict[str, Any] | None:
        page = owner.post("/people/search", {"q": customers()[0].phone})
        return page["items"][0] if page["total"] == 1 else None

    person = eventually("the first customer is one person", found)
    detail = owner.get(f"/people/{person['person_id']}")
    assert {item["namespace"] for item in detail["identifiers"]} == {
        "user_id", "anonymous_id", "phone", "unionid", "openid", "external_userid",
    }  # fmt: skip
    assert all(link["status"] == "accepted" and link["event"] for link in detail["links"])
    assert person["phone"] == "139****0001"

    def everybody() -> bool:
        return bool(owner.post("/people/search", {"limit": 1})["total"] == PEOPLE)

    eventually("everybody is resolved", everybody)
    for one in customers():
        owner.post(
            "/consent",
            {
                "identifier": {"namespace": "external_userid", "value": f"{CORP_ID}:{one.external_userid}"},
                "purpose": "marketing", "channel": "wecom", "status": "granted",
                "notice_version": "v1", "evidence": "test",
            },
        )  # fmt: skip

    # An audience of behaviour and consent, counted live.
    viewed = {
        "predicate": "performed",
        "params": {"event": "product_viewed", "times_operator": "gte", "times": 1, "within_days": 7},
    }
    allowed = {"predicate": "has_consent", "params": {"purpose": "marketing", "channel": "wecom"}}
    counted = eventually(
        "the audience counts everybody",
        lambda: (c := owner.post("/audiences/count", {"tree": tree(viewed, allowed)}))["count"] == PEOPLE and c,
    )
    assert {item["channel"]: item["count"] for item in counted["reachable"]}["wecom"] == PEOPLE
    audience = owner.post(
        "/audiences",
        {"name": "看过商品", "description": "", "tree": tree(viewed, allowed), "refresh": "manual"},
    )
    assert audience["size"] == PEOPLE

    # The journey, published.
    template = owner.post(
        "/templates",
        {
            "name": "加购提醒", "kind": "card", "text": "{{name}}，给您一张 {{coupon.name}}",
            "card": {"title": "您的优惠券", "page": "pages/coupon"},
        },
    )  # fmt: skip
    coupon = owner.post(
        "/coupons/definitions",
        {
            "name": "满 20 减 5",
            "kind": "amount_off",
            "value": 500,
            "threshold": 2000,
            "valid_days": 7,
        },
    )
    settings = {
        "holdout_percent": 30,
        "reentry": {"rule": "once"},
        "category": "marketing",
        "purpose": "marketing",
    }
    graph = journey_graph(template["template_id"], coupon["coupon_id"])
    journey = owner.post("/journeys", {"name": "加购挽回", "graph": graph, "settings": settings})["journey_id"]
    checked = owner.post(f"/journeys/{journey}/validation", {})
    assert checked["errors"] == []
    owner.post(f"/journeys/{journey}/publish", {})

    # Everybody puts something into the cart.
    analytics = segment.analytics.client.Client(key, host=installation.base)
    for one in customers():
        analytics.track(one.user_id, "Product Added", {"product_id": "sku-1", "price": 99.0})
    analytics.shutdown()

    def report() -> dict[str, Any]:
        found: dict[str, Any] = owner.get(f"/journeys/{journey}/report")
        return found

    def node(name: str) -> dict[str, Any]:
        return next(item for item in report()["nodes"] if item["node_id"] == name)

    eventually("everybody entered", lambda: report()["entered"] == PEOPLE)
    eventually(
        "every message is decided",
        lambda: node("send")["accepted"] + node("send")["held_out"] == PEOPLE,
        within=120,
    )
    treated = node("send")["accepted"]
    assert 0 < treated < PEOPLE

    # The phones show it, each exactly once, and nobody of the held-out.
    def cards() -> list[dict[str, Any]]:
        messages = httpx.get(f"{installation.sandbox}/sandbox/messages", timeout=60).json()["items"]
        return [item for item in messages if item["kind"] == "miniprogram"]

    eventually("the phones show the message", lambda: len(cards()) == treated, within=120)
    assert len({item["external_userid"] for item in cards()}) == treated
    calls = httpx.get(
        f"{installation.sandbox}/sandbox/calls",
        params={"path": "externalcontact/add_msg_template"},
        timeout=60,
    )
    reached = [subject for call in calls.json()["items"] if call["errcode"] == 0 for subject in call["subjects"]]
    assert len(reached) == len(set(reached)) == treated

    # Half of them open the card and redeem; one person redeems twice and it counts once.
    buyers = cards()[: treated // 2]
    for item in buyers:
        act(installation, "tap", item["message_id"])
        act(installation, "redeem", item["message_id"])
    act(installation, "redeem", buyers[0]["message_id"], check=False)
    # Of the held-out some buy by themselves.
    held_out = [one for one in customers() if one.external_userid not in {item["external_userid"] for item in cards()}]
    for one in held_out[:3]:
        analytics = segment.analytics.client.Client(key, host=installation.base)
        analytics.track(
            one.user_id,
            "Order Completed",
            {"order_id": f"own-{one.user_id}", "revenue": 88.0, "currency": "CNY"},
        )
        analytics.shutdown()
    eventually("orders reach the goal", lambda: node("send")["redeemed"] == len(buyers), within=120)
    eventually(
        "conversions are counted",
        lambda: (r := report())["lift"] and r["lift"]["holdout"]["converted"] == 3 and r,
    )
    eventually("reads are counted", lambda: node("send")["read"] == len(buyers), within=120)

    # The page equals a recount from the raw events.
    def recounted() -> dict[str, Any] | None:
        shown = report()
        entered = {event["person_id"] for event in all_events(owner, "product_added_to_cart")}
        submitted = {event["person_id"] for event in all_events(owner, "message_submitted")}
        paid = {event["person_id"] for event in all_events(owner, "order_paid")}
        redeemed = all_events(owner, "coupon_redeemed")
        lift = shown["lift"]
        same = (
            len(entered) == shown["entered"]
            and len(submitted) == treated == lift["treated"]["people"]
            and len(entered - submitted) == lift["holdout"]["people"]
            and len(paid & submitted) == lift["treated"]["converted"]
            and len((paid & entered) - submitted) == lift["holdout"]["converted"]
            and len(redeemed) == len(buyers)
        )
        return shown if same else None

    shown = eventually("the page equals the recount", recounted, within=90)
    lift = shown["lift"]
    rate = (
        lift["treated"]["converted"] / lift["treated"]["people"]
        - lift["holdout"]["converted"] / lift["holdout"]["people"]
    )
    assert lift["difference"] == pytest.approx(rate, abs=1e-6)
    assert lift["interval"]["low"] <= rate <= lift["interval"]["high"]
    assert shown["entered"] == shown["active"] + shown["exited"]
    sources = {item["source"]: item for item in owner.get("/sources")["items"]}
    for source in sources.values():
        assert source["accepted"] == source["stored"] + source["duplicate"] + source["quarantined"], source
    assert sources["mini"]["quarantined"] == 0


def act(installation: Installation, action: str, message_id: int, *, check: bool = True) -> None:
    answer = httpx.post(
        f"{installation.sandbox}/sandbox/act", json={"action": action, "message_id": message_id}, timeout=60
    )
    if check:
        assert answer.status_code == 200, answer.text
    time.sleep(0.01)
