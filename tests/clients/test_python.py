"""The official Python packages, unchanged, against a running server: what they say is what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.clients.conftest import Source, named, seconds
from tests.clients.test_node import check_order

SAID_AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


class _AnyDatetime(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, datetime)


class Slow(datetime, metaclass=_AnyDatetime):
    """The clock of a device that is two hours slow."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) - timedelta(hours=2)


def segment_client(source: Source, failures: list[object], monkeypatch: pytest.MonkeyPatch, *, gzip: bool) -> Any:
    from segment.analytics import client, request

    for module in (client, request):
        monkeypatch.setattr(module, "datetime", Slow)
    return client.Client(source.key, host=source.base, gzip=gzip, on_error=lambda error, _: failures.append(error))


def rudder_client(source: Source, failures: list[object], monkeypatch: pytest.MonkeyPatch, *, gzip: bool) -> Any:
    from rudderstack.analytics import client, request

    for module in (client, request):
        monkeypatch.setattr(module, "datetime", Slow)
    return client.Client(source.key, host=source.base, gzip=gzip, on_error=lambda error, _: failures.append(error))


@pytest.mark.parametrize("make", [segment_client, rudder_client])
@pytest.mark.parametrize("gzip", [False, True])
def test_every_call_of_the_segment_api_is_stored_with_its_clock_corrected(
    source: Source, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any], gzip: bool
) -> None:
    failures: list[object] = []
    who = source.who
    user, anonymous = f"{who}-user", f"{who}-anon"
    began = time.time()
    with monkeypatch.context() as clock:
        client = make(source, failures, clock, gzip=gzip)
        about = {"email": f"{who}@example.com", "name": "李雷", "age": 31}
        # RudderStack's package has no `traits` in the call itself: they ride in the context.
        client.identify(user, about, anonymous_id=anonymous)
        products = [{"product_id": "p1", "price": 49.75, "quantity": 2}]
        client.track(
            user,
            "Order Completed",
            {"order_id": f"{who}-o1", "revenue": 99.5, "currency": "CNY", "products": products},
            context={"ip": "203.0.113.9", "campaign": {"source": "baidu"}, "locale": "zh-CN"},
            timestamp=SAID_AT,
            anonymous_id=anonymous,
            integrations={"All": True, "Mixpanel": False},
            message_id=f"{who}-order",
        )
        client.track(None, "Product Viewed", {"sku": "p1"}, anonymous_id=anonymous)
        client.page(user, "Docs", "Home", {"url": "https://shop.example/"})
        client.screen(user, "App", "Cart", {"items": 2})
        client.group(user, "g-1", {"plan": "vip"})
        client.alias(f"{who}-before", user)
        client.shutdown()
    ended = time.time()
    assert failures == []
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
    check_order(order, who)
    assert order["event_id"] == f"{who}-order"
    assert abs(seconds(order) - SAID_AT.timestamp() - 7200) < 10, "the clock was two hours slow when it said so"
    assert all(began - 2 <= seconds(row) <= ended + 2 for row in stored if row is not order)
    assert order["properties"]["$context"]["library"]["name"] == "analytics-python"
    assert order["properties"]["$context"]["locale"] == "zh-CN"
    assert order["properties"]["$context"]["ip"].startswith("hash:")
    assert order["properties"]["$campaign"] == {"source": "baidu"}
    assert order["properties"]["$integrations"] == {"All": True, "Mixpanel": False}
    assert {(row["properties"]["name"], row["channel"]) for row in rows["page_viewed"]} == {
        ("Home", None),
        ("Cart", "app"),
    }
    assert {row["properties"]["category"] for row in rows["page_viewed"]} == {"Docs", "App"}
    assert rows["group_joined"][0]["properties"]["group_id"] == "g-1"
    person = source.only_person(*rows)
    assert person["ids"] == ["anonymous_id", "anonymous_id", "email", "user_id"]
    assert person["traits"]["age"] == "31"
    assert person["person"]["name"] == "李*"


def sensors_url(source: Source, path: str = "sa") -> str:
    return f"{source.base}/{path}?project=production&token={source.key}"


@pytest.mark.parametrize("consumer", ["DefaultConsumer", "BatchConsumer", "AsyncBatchConsumer", "ConcurrentLogging"])
def test_every_message_of_sensors_has_its_effect(source: Source, consumer: str, tmp_path: Any) -> None:
    import sensorsanalytics
    from sensorsanalytics.sdk import SensorsAnalyticsIdentity as Identity

    made = {
        "DefaultConsumer": lambda: sensorsanalytics.DefaultConsumer(sensors_url(source)),
        "BatchConsumer": lambda: sensorsanalytics.BatchConsumer(sensors_url(source), max_size=50),
        "AsyncBatchConsumer": lambda: sensorsanalytics.AsyncBatchConsumer(sensors_url(source), flush_max_time=1),
        "ConcurrentLogging": lambda: sensorsanalytics.ConcurrentLoggingConsumer(str(tmp_path / "sa.log")),
    }[consumer]()
    who = source.who
    user, anonymous = f"{who}-user", f"{who}-anon"
    sa = sensorsanalytics.SensorsAnalytics(made, enable_time_free=True)
    sa.register_super_properties({"platform": "api"})
    when = SAID_AT.astimezone().replace(tzinfo=None)
    sa.track(anonymous, "ViewProduct", {"ProductId": "p1", "ProductPrice": 49.75, "$time": when})
    sa.track(user, "PayOrder", {"order_id": f"{who}-o1", "amount": 99.5}, is_login_id=True)
    sa.track_signup(user, anonymous)
    sa.profile_set(user, {"$name": "李雷", "City": "上海", "Level": "gold"}, is_login_id=True)
    sa.profile_set_once(user, {"first": "wx"}, is_login_id=True)
    sa.profile_increment(user, {"points": 10}, is_login_id=True)
    sa.profile_append(user, {"likes": ["shoes"]}, is_login_id=True)
    sa.profile_set(f"{who}-gone", {"City": "北京"}, is_login_id=True)
    time.sleep(0.01)  # messages of one millisecond have no order
    sa.profile_unset(user, ["City"], is_login_id=True)
    sa.profile_delete(f"{who}-gone", is_login_id=True)
    sa.item_set("product", "p1", {"name": "鞋", "price": 199.0})
    sa.item_delete("product", "p2")
    login = Identity(Identity.LOGIN_ID, user)
    card = Identity("$identity_member_no", f"{who}-member")
    sa.bind(login, card)
    sa.track_by_id("BuyTicket", {"n": 1}, login)
    sa.profile_set_by_id({"vip": 1}, login)
    time.sleep(0.01)
    sa.unbind(card)
    sa.flush()
    sa.close()
    if consumer == "ConcurrentLogging":
        send_log(source, tmp_path)
    stored = source.stored(16)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "product_viewed": 1,
        "order_paid": 1,
        "identified": 2,
        "profile_updated": 8,
        "item_updated": 1,
        "item_removed": 1,
        "BuyTicket": 1,
        "identifier_unbound": 1,
    }
    (viewed,) = rows["product_viewed"]
    assert seconds(viewed) == SAID_AT.timestamp()
    assert viewed["properties"]["platform"] == "api"
    assert rows["order_paid"][0]["amount"] == 9950
    assert rows["item_updated"][0]["properties"]["name"] == "鞋"
    person = source.only_person("product_viewed", "order_paid", "BuyTicket")
    assert "member_no" not in person["ids"], "bound, and unbound again"
    expected = {"Level": "gold", "first": "wx", "points": "10", "likes": '["shoes"]', "vip": "1"}
    assert {name: person["traits"].get(name) for name in expected} == expected
    assert "City" not in person["traits"]
    gone = next(row for row in rows["profile_updated"] if row["properties"]["operation"] == "profile_delete")
    assert source.person(gone["person_id"])["traits"] == {}


def send_log(source: Source, folder: Any) -> None:
    """What the SDK's LogAgent does with the file of a ConcurrentLoggingConsumer: a batch of its lines."""
    import base64
    import gzip

    import httpx

    lines = [line for file in folder.glob("sa.log*") for line in file.read_text(encoding="utf-8").splitlines()]
    packed = base64.b64encode(gzip.compress(("[" + ",".join(lines) + "]").encode())).decode()
    httpx.post(sensors_url(source), data={"data_list": packed, "gzip": "1"}).raise_for_status()


def test_the_debug_consumer_is_told_at_once_and_keeps_what_it_is_asked_to(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    import sensorsanalytics

    for write in (False, True):
        sa = sensorsanalytics.SensorsAnalytics(
            sensorsanalytics.DebugConsumer(sensors_url(source), write_data=write), enable_time_free=True
        )
        sa.track("a", "Tried", {"write": write})
        with pytest.raises(sensorsanalytics.sdk.SensorsAnalyticsDebugException):
            sa.track("a", "Tried", {"$time": datetime(1999, 1, 1)})  # noqa: DTZ001 - the SDK's own form
        sa.close()
    said = capsys.readouterr().out
    assert said.count("valid message") >= 2
    assert said.count('"code":"time_too_old"') == 2
    books = source.books(2)
    assert (books["accepted"], books["stored"], books["quarantined"]) == (2, 1, 1)
    assert [item["reason"] for item in source.quarantine()] == ["time_too_old"]
