"""The official packages for Node.js, unchanged, against a running server: what they say is what is stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.clients.conftest import Source, drive, named, seconds

SAID_AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).timestamp()
SLOW = 2 * 3600


@pytest.mark.parametrize(
    ("script", "package", "library"),
    [
        ("segment-node.mjs", "@segment/analytics-node", "@segment/analytics-node"),
        ("rudder-node.mjs", "@rudderstack/rudder-sdk-node", "analytics-node"),
    ],
)
def test_every_call_of_the_segment_api_is_stored_with_its_clock_corrected(
    source: Source, script: str, package: str, library: str
) -> None:
    began = time.time()
    drive(script, source.base, source.key, source.who, "slow", needs=package)
    ended = time.time()
    stored = source.stored(7)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "identified": 2,
        "order_paid": 1,
        "product_viewed": 1,
        "page_viewed": 2,
        "group_joined": 1,
    }
    (order,) = rows["order_paid"]
    check_order(order, source.who)
    assert abs(seconds(order) - SAID_AT - SLOW) < 10, "the device's clock was two hours slow when it said so"
    for row in stored:
        if row is not order:
            assert began - 2 <= seconds(row) <= ended + 2, row
        assert row["properties"]["$context"]["library"]["name"] == library
    context = order["properties"]["$context"]
    assert (context["locale"], context["app"]) == ("zh-CN", {"version": "2.1"})
    assert context["ip"].startswith("hash:")
    assert order["properties"]["$campaign"] == {"source": "baidu", "name": "c1"}
    assert order["properties"]["$integrations"] == {"All": True, "Mixpanel": False}
    assert [item["sku"] for item in rows["product_viewed"][0]["items"]] == ["p1"]
    (page,) = [row for row in rows["page_viewed"] if row["channel"] is None]
    assert (page["properties"]["name"], page["properties"]["category"]) == ("Home", "Docs")
    assert page["properties"]["url"] == "https://shop.example/"
    (screen,) = [row for row in rows["page_viewed"] if row["channel"] == "app"]
    assert (screen["properties"]["name"], screen["properties"]["items"]) == ("Cart", 2)
    assert rows["group_joined"][0]["properties"]["group_id"] == "g-1"
    assert rows["group_joined"][0]["properties"]["traits"] == {"plan": "vip"}
    assert sorted(row["properties"]["call"] for row in rows["identified"]) == ["alias", "identify"]
    person = source.only_person(*rows)
    # The user, both anonymous ids (the device's, and the one that alias named) and the email of the traits.
    assert person["ids"] == ["anonymous_id", "anonymous_id", "email", "user_id"]
    assert person["traits"]["age"] == "31"
    assert person["person"]["name"] == "李*"
    assert person["person"]["orders"] == 1


def check_order(order: dict[str, Any], who: str) -> None:
    """The order of the drivers, as every client must have delivered it."""
    assert (order["order_id"], order["amount"], order["currency"]) == (f"{who}-o1", 9950, "CNY")
    (item,) = order["items"]
    assert (item["sku"], item["quantity"], item["unit_price"], item["amount"]) == ("p1", 2.0, 4975, 9950)
    assert order["properties"]["revenue"] == 99.5


def test_sensors_for_nodejs(source: Source) -> None:
    drive("sensors-node.mjs", source.base, source.key, source.who, needs="sa-sdk-node")
    stored = source.stored(10)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "product_viewed": 1,
        "identified": 1,
        "order_paid": 1,
        "profile_updated": 5,
        "item_updated": 1,
        "item_removed": 1,
    }
    (order,) = rows["order_paid"]
    assert (order["order_id"], order["amount"], order["currency"]) == (f"{source.who}-o1", 9950, "CNY")
    assert seconds(order) == SAID_AT
    assert rows["product_viewed"][0]["properties"]["platform"] == "api"
    assert rows["item_updated"][0]["properties"] == {
        "item_type": "product",
        "item_id": "p1",
        "name": "鞋",
        "price": 199,
    }
    assert rows["item_removed"][0]["properties"]["item_id"] == "p2"
    # What came under the bare id before and after the sign-up is one person's.
    person = source.only_person("product_viewed", "identified", "order_paid", "profile_updated")
    expected = {"Level": "gold", "first": "wx", "points": "10", "likes": '["shoes"]', "platform": "api"}
    assert {name: person["traits"].get(name) for name in expected} == expected
    assert "City" not in person["traits"]
    assert person["person"]["name"] == "李*"


@pytest.mark.parametrize("mode", ["batch", "single"])
def test_the_mini_program(source: Source, mode: str) -> None:
    """`batch` posts a form that calls itself JSON, `single` is one GET per message."""
    began = time.time()
    drive("sensors-mini-program.cjs", source.base, source.key, source.who, mode, needs="sa-sdk-miniprogram")
    stored = source.stored(10)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "profile_updated": 5,
        "product_viewed": 1,
        "identified": 2,
        "order_paid": 1,
        "identifier_unbound": 1,
    }
    assert all(began - 2 <= seconds(row) <= time.time() for row in stored)
    assert {row["channel"] for row in (*rows["product_viewed"], *rows["order_paid"])} == {"mini_program"}
    assert rows["product_viewed"][0]["items"][0]["unit_price"] == 4975
    assert rows["product_viewed"][0]["properties"]["platformType"] == "mp"
    assert (rows["order_paid"][0]["order_id"], rows["order_paid"][0]["amount"]) == (f"{source.who}-o1", 9950)
    person = source.only_person("profile_updated", "product_viewed", "order_paid")
    # The device under its own two ids and under the openid as one, the openid, the unionid and the login; the member
    # number was bound and unbound again.
    assert person["ids"] == ["anonymous_id", "anonymous_id", "anonymous_id", "openid", "unionid", "user_id"]
    expected = {"City": "上海", "first": "wx", "points": "10", "likes": '["shoes"]'}
    assert {name: person["traits"].get(name) for name in expected} == expected
