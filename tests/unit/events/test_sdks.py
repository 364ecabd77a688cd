"""The brands' own SDKs, unchanged, against the collector on a real port."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.unit.events.conftest import KEY, Server, World


def rows_by_name(world: World) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for row in world.drain().table.to_pylist():
        found.setdefault(row["name"], []).append(row)
    return found


def pairs(row: dict[str, object]) -> set[tuple[str, str]]:
    return {(one["namespace"], one["value"]) for one in row["raw_identifiers"]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("gzip", [False, True])
def test_segment_analytics_python(world: World, serve: Callable[[World], Server], gzip: bool) -> None:
    from segment.analytics.client import Client

    failures: list[object] = []
    with serve(world) as server:
        client = Client(KEY, host=server.url, gzip=gzip, on_error=lambda error, _: failures.append(error))
        client.identify("u-1", {"email": "li@example.com", "name": "李雷", "phone": "+8613800138000", "age": 31})
        client.track(
            "u-1",
            "Order Completed",
            {
                "order_id": "o1",
                "revenue": 99.5,
                "currency": "CNY",
                "products": [{"product_id": "p1", "price": 49.75, "quantity": 2}],
            },
            anonymous_id="anon-1",
            timestamp=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
            message_id="msg-fixed-1",
        )
        client.track(None, "Product Viewed", {"sku": "p1"}, anonymous_id="anon-1")
        client.group("u-1", "g-1", {"plan": "vip"})
        client.alias("anon-1", "u-1")
        client.page("u-1", "Docs", "Home", {"url": "https://shop.example/"})
        client.screen("u-1", "App", "Cart", {"items": 2})
        client.shutdown()
    assert failures == []
    rows = rows_by_name(world)
    assert world.reasons() == []
    assert {name: len(found) for name, found in rows.items()} == {
        "identified": 2,
        "order_paid": 1,
        "product_viewed": 1,
        "group_joined": 1,
        "page_viewed": 2,
    }
    (order,) = rows["order_paid"]
    assert order["event_id"] == "msg-fixed-1"
    assert (order["order_id"], order["amount"], order["currency"]) == ("o1", 9950, "CNY")
    assert order["items"] == [{"sku": "p1", "quantity": 2.0, "unit_price": 4975, "amount": 9950}]
    assert pairs(order) == {("user_id", "u-1"), ("anonymous_id", "anon-1")}
    at = order["occurred_at"]
    assert isinstance(at, int)
    assert abs(at - 1767323045_678000) < 2_000_000, "corrected by the time on the way only"
    identify = next(row for row in rows["identified"] if row["traits"])
    assert pairs(identify) == {("user_id", "u-1"), ("phone", "+8613800138000"), ("email", "li@example.com")}
    assert "13800138000" not in str(identify["traits"]) + str(identify["properties"])
    alias = next(row for row in rows["identified"] if not row["traits"])
    assert pairs(alias) == {("user_id", "u-1"), ("anonymous_id", "anon-1")}
    (viewed,) = rows["product_viewed"]
    assert pairs(viewed) == {("anonymous_id", "anon-1")}
    assert {row["channel"] for row in rows["page_viewed"]} == {None, "app"}
    assert '"name":"Home"' in str(rows["page_viewed"][0]["properties"]).replace('": "', '":"')


def test_segment_analytics_python_is_told_what_is_wrong(world: World, serve: Callable[[World], Server]) -> None:
    from segment.analytics.client import Client

    failures: list[object] = []
    with serve(world) as server:
        client = Client("wrong", host=server.url, max_retries=1, on_error=lambda error, _: failures.append(error))
        client.track("u-1", "E")
        client.shutdown()
    assert "unknown_write_key" in str(failures)
    assert world.drain().empty


def test_sensors_analytics_sdk(world: World, serve: Callable[[World], Server]) -> None:
    from sensorsanalytics import BatchConsumer, DefaultConsumer, SensorsAnalytics
    from sensorsanalytics.sdk import SensorsAnalyticsIdentity

    with serve(world) as server:
        url = f"{server.url}/sa?project=production&token={KEY}"
        single = SensorsAnalytics(DefaultConsumer(url))
        single.track("anon-1", "ViewProduct", {"ProductId": "p1", "ProductPrice": 49.75})
        sa = SensorsAnalytics(BatchConsumer(url, max_size=50))
        sa.track("u-1", "PayOrder", {"order_id": "o1", "amount": 99.5}, is_login_id=True)
        sa.track_signup("u-1", "anon-1")
        sa.profile_set("u-1", {"$name": "李雷", "Age": 31, "mobile": "13800138000"}, is_login_id=True)
        sa.profile_increment("u-1", {"points": 10}, is_login_id=True)
        sa.profile_append("u-1", {"likes": ["shoes"]}, is_login_id=True)
        sa.profile_unset("u-1", ["City"], is_login_id=True)
        sa.profile_delete("u-2", is_login_id=True)
        sa.item_set("product", "p1", {"name": "鞋", "price": 199.0})
        login = SensorsAnalyticsIdentity("$identity_login_id", "u-1")
        mobile = SensorsAnalyticsIdentity("$identity_mobile", "13800138000")
        sa.bind(login, mobile)
        sa.unbind(mobile)
        sa.flush()
        sa.close()
    rows = rows_by_name(world)
    assert world.reasons() == []
    assert {name: len(found) for name, found in rows.items()} == {
        "product_viewed": 1,
        "order_paid": 1,
        "identified": 2,
        "profile_updated": 5,
        "item_updated": 1,
        "identifier_unbound": 1,
    }
    assert rows["product_viewed"][0]["items"] == [{"sku": "p1", "quantity": None, "unit_price": 4975, "amount": 4975}]
    assert pairs(rows["product_viewed"][0]) == {("anonymous_id", "anon-1")}
    (order,) = rows["order_paid"]
    assert (order["order_id"], order["amount"], order["currency"]) == ("o1", 9950, "CNY")
    assert pairs(order) == {("user_id", "u-1")}
    assert {frozenset(pairs(row)) for row in rows["identified"]} == {
        # The login is known under its bare id too: this SDK does not say again that it is one.
        frozenset({("user_id", "u-1"), ("anonymous_id", "anon-1"), ("anonymous_id", "u-1")}),
        frozenset({("user_id", "u-1"), ("phone", "13800138000")}),
    }
    (unbound,) = rows["identifier_unbound"]
    assert pairs(unbound) == {("phone", "13800138000")}
    assert unbound["traits"] == '{"unbind":[{"namespace":"phone","value":"13800138000"}]}'
    operations = sorted(str(row["traits"]) for row in rows["profile_updated"])
    assert operations == [
        '{"append":{"likes":["shoes"]}}',
        '{"delete":true}',
        '{"increment":{"points":10}}',
        '{"set":{"name":"李雷","Age":31}}',
        '{"unset":["City"]}',
    ]
    history = "".join(str(row["properties"]) for found in rows.values() for row in found)
    assert "13800138000" not in history
    assert "李雷" not in history


def test_the_asynchronous_sensors_consumer_survives_bad_events(world: World, serve: Callable[[World], Server]) -> None:
    from sensorsanalytics import AsyncBatchConsumer, SensorsAnalytics

    with serve(world) as server:
        consumer = AsyncBatchConsumer(f"{server.url}/sa?token={KEY}", flush_max_time=1)
        sa = SensorsAnalytics(consumer, enable_time_free=True)
        sa.track("a", "Old", {"$time": datetime(1999, 1, 1)})  # noqa: DTZ001 - the SDK's own form
        sa.track("a", "New")
        sa.flush()
        deadline = time.monotonic() + 10
        while world.events.backlog().events < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        sa.close()
    assert world.drain().table.column("name").to_pylist() == ["New"]
    assert world.reasons() == ["time_too_old"]


def test_the_debug_consumer(world: World, serve: Callable[[World], Server], capsys: pytest.CaptureFixture[str]) -> None:
    from sensorsanalytics import DebugConsumer, SensorsAnalytics

    with serve(world) as server:
        sa = SensorsAnalytics(DebugConsumer(f"{server.url}/sa?token={KEY}", write_data=False))
        sa.track("a", "E1")
        sa.close()
    assert "valid message" in capsys.readouterr().out
    assert world.drain().empty
    assert "sensorsanalytics" in sys.modules
