"""What Segment's and RudderStack's calls become, as captured from their SDKs; and any bytes at all."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.events.bodies import BadEncoding
from quanyu.events.checks import REASONS
from quanyu.events.contracts import Frame, FrameHeader, Position
from quanyu.events.protocols.segment import open_body
from quanyu.events.protocols.sensors import open_payload
from quanyu.events.protocols.splitting import split_array
from quanyu.storage.schema import metadata
from quanyu.storage.state import State
from tests.unit.events.conftest import KEY, World, make_world

BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
NOW = 1_795_318_408_900_000

# A5: analytics-next 1.84.3 in Chromium, shortened.
BROWSER_PAGE = {
    "timestamp": "2026-11-22T03:33:28.708Z",
    "integrations": {"Segment.io": True},
    "type": "page",
    "properties": {"path": "/pages/segment.html", "title": "Segment page 标题", "category": "Docs", "name": "Home"},
    "category": "Docs",
    "name": "Home",
    "context": {
        "page": {"path": "/pages/segment.html"},
        "userAgent": "Mozilla/5.0",
        "library": {"name": "analytics.js", "version": "next-1.84.3"},
        "campaign": {"source": "baidu", "name": "c1"},
    },
    "messageId": "ajs-next-1795318408708-c7be8a33-12e5-4417-be72-a67134c7569b",
    "anonymousId": "be8a3312-e584-47fe-b2a6-7134c7569b0f",
    "writeKey": KEY,
    "userId": None,
    "sentAt": "2026-11-22T03:33:28.807Z",
    "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
}


def decode(world: World, *calls: Any, sent_at: str | None = None) -> list[dict[str, Any]]:
    body = json.dumps({"batch": list(calls), "sentAt": sent_at}).encode()
    header = FrameHeader(NOW, "segment", "web", len(calls), "batch")
    batch = world.events.decode([Frame("w", Position(1, 8), Position(1, 9), header, body)])
    assert [item.reason for item in batch.rejected] == []
    rows: list[dict[str, Any]] = batch.table.to_pylist()
    return rows


def pairs(row: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["namespace"], one["value"]) for one in row["raw_identifiers"]}


def test_a_page_of_the_browser_sdk(world: World, http: httpx.Client) -> None:
    body = json.dumps(BROWSER_PAGE, ensure_ascii=False).encode()
    assert http.post("/v1/p", content=body, headers={"Content-Type": "text/plain"}).status_code == 200
    (row,) = world.drain().table.to_pylist()
    assert (row["name"], row["channel"]) == ("page_viewed", "web")
    assert row["received_at"] - row["occurred_at"] == 99_000
    properties = json.loads(row["properties"])
    assert properties["$campaign"] == {"source": "baidu", "name": "c1"}
    assert properties["title"] == "Segment page 标题"
    assert properties["$context"] == {
        name: value for name, value in BROWSER_PAGE["context"].items() if name != "campaign"
    }
    members = json.loads(row["properties"], object_pairs_hook=list)
    assert len(members) == len(properties), "the page's name is not added where it is already"


@pytest.mark.parametrize("place", ["traits", "context"])
def test_traits_are_taken_from_the_call_or_from_its_context(world: World, place: str) -> None:
    traits = {"email": "li@example.com", "phone": "13800138000", "name": "李雷", "age": 31, "unionid": "U1"}
    call: dict[str, Any] = {"type": "identify", "userId": "u-1", "messageId": "1"}
    call |= {"traits": traits} if place == "traits" else {"context": {"traits": traits}}
    (row,) = decode(world, call)
    assert pairs(row) == {
        ("user_id", "u-1"),
        ("email", "li@example.com"),
        ("phone", "13800138000"),
        ("unionid", "U1"),
    }
    assert json.loads(row["traits"]) == {"set": {"name": "李雷", "age": 31}}
    assert json.loads(row["properties"]) == {"call": "identify", "traits": ["age", "name"]}


def test_an_alias_names_two_and_its_cookie_is_neither(world: World) -> None:
    call = {"type": "alias", "userId": "u-1", "previousId": "anon-1", "anonymousId": "cookie", "messageId": "1"}
    (row,) = decode(world, call)
    assert pairs(row) == {("user_id", "u-1"), ("anonymous_id", "anon-1")}


def test_external_ids_are_identifiers(world: World) -> None:
    external = [
        {"id": "13800138000", "type": "phone", "collection": "users", "encoding": "none"},
        {"id": "M-1", "type": "member_no"},
        {"id": "g", "type": "group_id", "collection": "accounts"},
    ]
    call = {"type": "track", "event": "E", "anonymousId": "a", "messageId": "1", "context": {"externalIds": external}}
    (row,) = decode(world, call)
    assert pairs(row) == {("anonymous_id", "a"), ("phone", "13800138000"), ("member_no", "M-1")}


@pytest.mark.parametrize(
    ("event", "properties", "wanted"),
    [
        (
            "Order Completed",
            {"order_id": 31198570044, "total": "12.345", "currency": "usd", "store_id": 330},
            {"name": "order_paid", "order_id": "31198570044", "amount": 1235, "currency": "USD", "store_id": "330"},
        ),
        (
            "Order Completed",
            {"products": [{"sku": "a", "price": 1.5, "quantity": 2}, {"product_id": 7, "price": 0.01}]},
            {"amount": 301, "items": [("a", 2.0, 150, 300), ("7", None, 1, 1)], "currency": "CNY"},
        ),
        ("Order Completed", {"revenue": 500, "currency": "JPY"}, {"amount": 500, "currency": "JPY"}),
        ("Order Refunded", {"order_id": "o", "refund": 3, "total": 9}, {"name": "order_refunded", "amount": 300}),
        ("Product Added", {"product_id": "p", "price": 2, "quantity": 3}, {"items": [("p", 3.0, 200, 600)]}),
        ("Lead Won", {"revenue": 1.005}, {"name": "Lead Won", "amount": 101}),
        ("Page Clicked", {"total": "n/a"}, {"name": "Page Clicked", "amount": None}),
        ("order_paid", {"total": 1}, {"name": "order_paid", "amount": 100}),
        ("Opened", {"channel": "store", "staff_id": "g1", "effect_id": "e"}, {"channel": "store", "staff_id": "g1"}),
    ],
)
def test_commerce_in_our_words(world: World, event: str, properties: dict[str, Any], wanted: dict[str, Any]) -> None:
    call = {"type": "track", "event": event, "userId": "u", "messageId": "1", "properties": properties}
    (row,) = decode(world, call)
    if row["items"] is not None:
        row["items"] = [tuple(item.values()) for item in row["items"]]
    assert {name: row[name] for name in wanted} == wanted
    assert json.loads(row["properties"]) == properties


def test_consent_that_an_event_speaks_of(world: World) -> None:
    call = {
        "type": "track",
        "event": "Consent Withdrawn",
        "userId": "u",
        "messageId": "1",
        "properties": {"purpose": "marketing", "channel": "sms", "notice_version": "3"},
    }
    (row,) = decode(world, call)
    assert row["name"] == "consent_withdrawn"
    assert json.loads(row["consent"]) == [
        {"purpose": "marketing", "channel": "sms", "status": "withdrawn", "notice_version": "3", "evidence": None}
    ]


def test_a_call_without_id_that_says_when_is_the_same_call_when_it_comes_again(world: World) -> None:
    call = {"type": "track", "event": "E", "userId": "u", "timestamp": "2026-11-22T03:00:00Z"}
    (first,) = decode(world, {**call, "sentAt": "2026-11-22T03:00:01Z"})
    (again,) = decode(world, {**call, "sentAt": "2026-11-22T03:09:01Z"})
    (other,) = decode(world, {**call, "event": "F"})
    assert first["event_id"] == again["event_id"] != other["event_id"]


def test_both_ways_to_decode_agree(world: World) -> None:
    """A body that is salvaged event by event says the same of its good events as one that is read at once."""
    calls = [{**BROWSER_PAGE, "messageId": str(n), "context": {"n": n}} for n in range(5)]
    whole = decode(world, *calls, sent_at="2026-11-22T03:33:28.807Z")
    body = json.dumps({"batch": [*calls, "X"], "sentAt": "2026-11-22T03:33:28.807Z"}).replace('"X"', "NaN").encode()
    header = FrameHeader(NOW, "segment", "web", 6, "batch")
    salvaged = world.events.decode([Frame("w", Position(1, 8), Position(1, 9), header, body)])
    assert salvaged.table.to_pylist() == whole
    assert [item.raw for item in salvaged.rejected] == [b"NaN"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=6), st.dictionaries(st.text(), json_values, max_size=3))
def test_the_splitter_cuts_like_a_parser(elements: list[Any], rest: dict[str, Any]) -> None:
    rest.pop("batch", None)
    found = split_array(json.dumps({**rest, "batch": elements}).encode(), "batch")
    assert found is not None
    assert json.dumps([json.loads(one) for one in found[0]]) == json.dumps(elements)
    assert json.dumps(json.loads(found[1])) == json.dumps({**rest, "batch": []})


@pytest.fixture(scope="module")
def lasting_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("lasting")
    state = State(f"sqlite:///{folder / 'state.sqlite'}")
    metadata.create_all(state.engine)
    return make_world(state, folder / "events")


SHARED = ["type", "event", "properties", "time"]
SEGMENT_FIELDS = [*SHARED, "userId", "anonymousId", "messageId", "timestamp", "sentAt", "traits", "context", "groupId"]
SENSORS_FIELDS = [*SHARED, "distinct_id", "identities", "login_id", "_flush_time", "_track_id", "item_id"]
WORDS = ["track", "identify", "page", "group", "alias", "profile_set", "item_set", "track_signup", "track_id_unbind"]


def messages(fields: list[str]) -> Any:
    values = json_values | st.sampled_from(WORDS)
    return st.lists(st.dictionaries(st.sampled_from(fields), values, max_size=8) | json_values, min_size=1, max_size=5)


def outcome(world: World, protocol: str, call: str, body: bytes, count: int) -> list[str]:
    """The reasons of what is refused; every element must be a row or one of these."""
    frame = Frame("w", Position(1, 8), Position(1, 9), FrameHeader(NOW, protocol, "web", count, call), body)
    batch = world.events.decode([frame])
    assert batch.table.num_rows + len(batch.rejected) == count
    return [item.reason for item in batch.rejected]


@settings(max_examples=300)
@given(messages(SEGMENT_FIELDS))
def test_whatever_a_batch_holds_each_element_is_a_row_or_refused(lasting_world: World, calls: list[Any]) -> None:
    body = json.dumps({"batch": calls}).encode()
    assert len(open_body("batch", body).calls) == len(calls)
    assert "unforeseen" not in outcome(lasting_world, "segment", "batch", body, len(calls))


@settings(max_examples=300)
@given(messages(SENSORS_FIELDS))
def test_whatever_a_data_list_holds_each_element_is_a_row_or_refused(lasting_world: World, calls: list[Any]) -> None:
    body = json.dumps(calls).encode()
    assert "unforeseen" not in outcome(lasting_world, "sensors", "", body, len(calls))
    assert "unforeseen" not in outcome(lasting_world, "native", "", body, len(calls))


def opened(opener: Callable[[], object]) -> str | None:
    try:
        opener()
    except BadEncoding as error:
        return error.reason
    return None


@settings(max_examples=300)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-16")))
def test_whatever_bytes_come_they_open_or_are_refused_with_a_reason(body: bytes) -> None:
    for opener in (lambda: open_body("batch", body), lambda: open_body("track", body), lambda: open_payload(body)):
        assert opened(opener) in {None, *REASONS}
