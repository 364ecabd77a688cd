"""A shop ready to write to its customers: the sandbox with them in it, their consent, a journey that is published."""

from __future__ import annotations

from typing import Any

import httpx

from tests.system.harness import CORP_ID, CORP_SECRET, Api, Installation, eventually

MASS = "externalcontact/add_msg_template"


def userid(number: int) -> str:
    return f"wm{number:030d}"


def prepare(place: Installation, count: int) -> tuple[Api, str, str]:
    """Customers who may be written to, and a journey that writes to whoever fills a cart: write key and journey."""
    owner = place.api()
    key = owner.post("/sources", {"source": "load", "name": {"zh": "压测", "en": "Load"}, "kind": "sdk"})["write_key"]
    crm = owner.post("/sources", {"source": "crm", "name": {"zh": "会员", "en": "CRM"}, "kind": "sdk"})["write_key"]
    place.extra = {"sandbox": {"QUANYU_SANDBOX_CORP_ID": CORP_ID, "QUANYU_SANDBOX_CORP_SECRET": CORP_SECRET}}
    place.start("sandbox")
    rows = [{"external_userid": userid(n), "name": f"顾客{n}", "staff": f"guide{n % 5}"} for n in range(count)]
    httpx.post(f"{place.sandbox}/sandbox/customers", json=rows, timeout=60).raise_for_status()
    config = {"corp_id": CORP_ID, "corp_secret": CORP_SECRET, "base_url": place.sandbox}
    owner.post("/connections", {"kind": "wecom", "connection": "wecom", "name": "企业微信", "config": config})
    calls: list[dict[str, Any]] = []
    for n in range(count):
        external = {"externalIds": [{"type": "external_userid", "id": f"{CORP_ID}:{userid(n)}"}]}
        said = {"purpose": "marketing", "channel": "wecom"}
        calls += [
            {
                "type": "identify",
                "userId": f"c{n}",
                "messageId": f"i{n}",
                "context": external,
                "traits": {"name": "甲"},
            },
            {"type": "track", "userId": f"c{n}", "messageId": f"g{n}", "event": "Consent Granted", "properties": said},
        ]
    httpx.post(f"{place.base}/v1/batch", json={"batch": calls}, auth=(crm, ""), timeout=60).raise_for_status()

    def granted() -> bool:
        found = owner.get("/consent/summary")["items"]
        return any(one["channel"] == "wecom" and one["granted"] == count for one in found)

    eventually("everybody agreed", granted, within=120)
    template = owner.post("/templates", {"name": "加购", "kind": "text", "text": "您的购物车在等您"})
    send = {"connection": "wecom", "template_id": template["template_id"], "coupon_id": None}
    nodes = [
        ("in", "trigger", {"on": "event", "event": "product_added_to_cart", "where": []}),
        ("send", "send", send),
        ("out", "exit", {}),
    ]
    graph = {
        "nodes": [{"id": i, "kind": k, "config": c, "position": {"x": 0, "y": 0}} for i, k, c in nodes],
        "edges": [
            {"id": "e1", "from": "in", "port": "next", "to": "send"},
            {"id": "e2", "from": "send", "port": "next", "to": "out"},
        ],
    }
    settings = {"holdout_percent": 0, "reentry": {"rule": "once"}, "daily_cap": None}
    journey = owner.post("/journeys", {"name": "挽回", "graph": graph, "settings": settings})["journey_id"]
    owner.post(f"/journeys/{journey}/publish")
    return owner, key, journey
