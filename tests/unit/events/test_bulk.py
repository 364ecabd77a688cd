"""Events in bulk: lines of JSON and Arrow streams of any length, durable before answered, bad rows by their number."""

import gzip
import json
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pyarrow as pa
import pytest

from quanyu.access.contracts import system_caller
from quanyu.events.plan import load
from quanyu.events.streams import Arrow
from quanyu.kernel.errors import QuanyuError
from tests.unit.events.conftest import KEY, Server, World

LINES = {"Content-Type": "application/x-ndjson"}
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
AT = "2026-03-02T09:00:00.123456+08:00"
MICROS = 1772413200_123456


def event(event_id: str = "e-1", **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "name": "order_paid",
        "occurred_at": AT,
        "identifiers": [{"namespace": "member_no", "value": "M1"}],
        **more,
    }


def lines(*events: Any) -> bytes:
    return b"".join(
        (one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode()) + b"\n" for one in events
    )


def post(http: httpx.Client, content: Any, **headers: str) -> httpx.Response:
    return http.post("/v1/events", content=content, headers=headers, auth=(KEY, ""))


def table(**columns: Any) -> pa.Table:
    given = {
        "event_id": ["a1", "a2"],
        "name": ["order_paid", "page_viewed"],
        "occurred_at": pa.array([MICROS, MICROS + 1], pa.timestamp("us", "UTC")),
        **columns,
    }
    return pa.table(given)


def stream(*tables: pa.Table, options: pa.ipc.IpcWriteOptions | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema, options=options) as writer:
        for one in tables:
            writer.write_table(one)
    return bytes(sink.getvalue())


def held(world: World) -> list[tuple[str, str, str]]:
    """(reason, place, detail up to its colon) of what is in quarantine."""
    items, _ = world.events.quarantine.list(world.brand.scope(), limit=200)
    return sorted((item.reason, item.where, item.detail.partition(":")[0]) for item in items)


# ----------------------------------------------------------------------------------------------------- lines of JSON
def test_a_line_says_everything_that_an_event_can_say(world: World, http: httpx.Client) -> None:
    said = event(
        channel="store",
        store_id="S1",
        staff_id="G1",
        order_id="o1",
        amount=9950,
        currency="CNY",
        items=[{"sku": "p1", "quantity": 2, "unit_price": 4975, "amount": 9950}],
        properties={"note": "到店", "phone": "13800138000"},
        traits={"set": {"level": "gold"}, "increment": {"points": 10}},
        consent=[{"purpose": "marketing", "channel": "sms", "status": "granted"}],
    )
    answer = post(http, lines(said), **LINES)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "accepted": 1})
    (row,) = world.drain().table.to_pylist()
    assert (row["event_id"], row["name"], row["occurred_at"], row["source"]) == ("e-1", "order_paid", MICROS, "web")
    assert (row["channel"], row["store_id"], row["staff_id"], row["order_id"]) == ("store", "S1", "G1", "o1")
    assert (row["amount"], row["currency"], row["day"]) == (9950, "CNY", "2026-03-02")
    assert row["items"] == [{"sku": "p1", "quantity": 2.0, "unit_price": 4975, "amount": 9950}]
    assert row["raw_identifiers"] == [{"namespace": "member_no", "value": "M1"}]
    assert json.loads(row["traits"]) == said["traits"]
    assert json.loads(row["consent"]) == said["consent"]
    assert "13800138000" not in row["properties"]


@pytest.mark.parametrize("key", [{"auth": (KEY, "")}, {"headers": {"Authorization": f"Bearer {KEY}"}}])
def test_the_write_key_is_a_user_name_or_a_bearer_token(http: httpx.Client, key: dict[str, Any]) -> None:
    assert http.post("/v1/events", content=lines(event()), **key).status_code == 200


def test_without_a_write_key_nothing_is_taken(world: World, http: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer nope"}):
        answer = http.post("/v1/events", content=lines(event()), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_write_key")
    assert world.drain().empty


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n\n  \n"])
def test_gzip_and_every_ending_of_the_last_line_are_taken(world: World, http: httpx.Client, ending: bytes) -> None:
    plain = lines(event("a"), event("b")).rstrip(b"\n") + ending
    zipped = gzip.compress(plain[:40]) + gzip.compress(plain[40:])
    assert post(http, zipped, **{"Content-Encoding": "gzip"}).json()["accepted"] == 2
    assert post(http, b"\xef\xbb\xbf" + plain, **LINES).json()["accepted"] == 2
    assert world.drain().table.column("event_id").to_pylist() == ["a", "b"]
    assert world.books() == {"accepted": 4, "stored": 2, "duplicate": 2, "quarantined": 0, "pending": 0}


@pytest.mark.parametrize(
    ("bad", "reason", "where"),
    [
        (b"{nope", "malformed_json", ""),
        (b'{"event_id": "\xff"}', "not_utf8", ""),
        (b"[1]", "bad_field", ""),
        (b'{"name":"x","occurred_at":1}', "bad_field", ""),
        (event(occured_at=1), "bad_field", ""),
        (event(items=[{"sku": "p", "quantity": "2"}]), "bad_field", "items[0].quantity"),
        (event(traits={"unbind": [1]}), "bad_field", "unbind[0]"),
        (event(traits={"put": {}}), "bad_field", ""),
        (event(traits={"increment": {"points": "many"}}), "bad_field", "increment[...]"),
        (event(consent=[{"purpose": 1}]), "bad_field", "[0].purpose"),
        (event(occurred_at="2026-03-02T09:00:00"), "bad_time", "occurred_at"),
        (event(occurred_at=1 << 63), "bad_time", "occurred_at"),
        (event(occurred_at="1999-01-01T00:00:00Z"), "time_too_old", "occurred_at"),
        (event(amount=1 << 60), "bad_amount", "amount"),
        (event(items=[{"sku": "p", "amount": 1 << 70}]), "bad_amount", "items[0]"),
        (event(currency="yuan"), "bad_currency", "currency"),
        (event(store_id="s" * 600), "bad_field", "store_id"),
        (event(identifiers=[{"namespace": "zodiac", "value": "leo"}]), "unknown_namespace", "identifiers"),
        (event(properties={"a": "\0"}), "control_character", ""),
        (event(properties={"a": "y" * 1_100_000}), "too_large", ""),
    ],
)
def test_a_bad_line_goes_to_quarantine_with_its_number(
    world: World, http: httpx.Client, bad: Any, reason: str, where: str
) -> None:
    body = lines(event("a"), b"  ", bad, event("b"))
    assert post(http, body, **LINES).json() == {"success": True, "accepted": 3}
    assert world.drain().table.column("event_id").to_pylist() == ["a", "b"]
    assert held(world) == [(reason, where, "row 3")]
    (item,), _ = world.events.quarantine.list(world.brand.scope())
    raw = world.events.quarantine.read(world.brand.scope(), item.quarantine_id)[1]
    assert raw == lines(bad).rstrip(b"\n")


def test_a_long_stream_is_cut_into_frames_and_numbered_through(world: World, http: httpx.Client) -> None:
    many = [event(f"m{n}", properties={"pad": "x" * 400}) for n in range(25_000)]
    many[24_000]["amount"] = "much"

    def pieces() -> Iterator[bytes]:
        body = lines(*many)
        for begin in range(0, len(body), 100_003):
            yield body[begin : begin + 100_003]

    assert sum(map(len, pieces())) > 10_000_000, "more than may be held"
    assert post(http, pieces(), **LINES).json()["accepted"] == 25_000
    frames = world.events.read(1_000_000)
    assert max(len(frame.payload) for frame in frames) < 5_000_000
    assert world.drain().table.num_rows == 24_999
    assert held(world) == [("bad_field", "amount", "row 24001")]


def test_a_line_without_an_end_is_not_held_beyond_the_limit(world: World, http: httpx.Client) -> None:
    answer = post(http, lines(event("a")) + b'{"name":"' + b"x" * 10_500_000, **LINES)
    assert (answer.status_code, answer.json()["code"]) == (413, "line_too_long")
    assert (answer.json()["accepted"], answer.json()["row"]) == (1, 2)
    assert world.drain().table.column("event_id").to_pylist() == ["a"]


def test_a_zip_bomb_costs_its_own_size_only(http: httpx.Client) -> None:
    answer = post(http, gzip.compress(b"x" * 200_000_000), **LINES)
    assert (answer.status_code, answer.json()["code"]) == (413, "line_too_long")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (gzip.compress(lines(event()), mtime=0)[:-12], "stream_broken"),
        (gzip.compress(b"", mtime=0)[:10] + b"not deflate", "stream_broken"),
        (json.dumps([event()]).encode(), "stream_of_another_kind"),
        (b"PAR1\x15\x04", "stream_of_another_kind"),
        (b"ARROW1\0\0", "stream_of_another_kind"),
    ],
)
def test_what_is_no_stream_of_lines_is_refused_in_words(
    world: World, http: httpx.Client, body: bytes, code: str
) -> None:
    answer = post(http, body, **LINES)
    assert (answer.status_code, answer.json()["code"], answer.json()["accepted"]) == (400, code, 0)
    assert " / " in answer.json()["message"]
    assert world.drain().empty


def test_an_empty_body_is_no_event(world: World, http: httpx.Client) -> None:
    for body in (b"", b"\n\n", gzip.compress(b"")):
        assert post(http, body, **LINES).json() == {"success": True, "accepted": 0}
    assert world.drain().empty


def test_other_methods_are_refused_and_pages_may_send(http: httpx.Client) -> None:
    assert http.get("/v1/events").status_code == 405
    assert http.options("/v1/events").headers["access-control-allow-origin"] == "*"


# ------------------------------------------------------------------------------------------------------------- Arrow
def identifiers(kind: pa.DataType | None = None) -> pa.Array:
    kind = kind or pa.string()
    pair = pa.struct([pa.field("namespace", kind), pa.field("value", kind)])
    return pa.array([[{"namespace": "member_no", "value": "M1"}], []], pa.list_(pair))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_a_table_becomes_events(world: World, http: httpx.Client, kind: pa.DataType) -> None:
    given = table(
        name=pa.array(["order_paid", "page_viewed"], kind),
        channel=pa.array(["store", "web"]).dictionary_encode(),
        identifiers=identifiers(kind),
        amount=[9950, None],
        properties=['{"a":1}', None],
        traits=[None, '{"set":{"level":"gold"}}'],
        items=[[{"sku": "p1", "quantity": 2.0, "unit_price": 4975, "amount": 9950}], None],
    )
    answer = post(http, stream(given), **ARROW)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "accepted": 2})
    first, second = world.drain().table.to_pylist()
    assert (first["event_id"], first["occurred_at"], first["amount"], first["currency"]) == ("a1", MICROS, 9950, "CNY")
    assert (first["name"], first["channel"], second["channel"]) == ("order_paid", "store", "web")
    assert first["raw_identifiers"] == [{"namespace": "member_no", "value": "M1"}]
    assert first["items"] == [{"sku": "p1", "quantity": 2.0, "unit_price": 4975, "amount": 9950}]
    assert (first["properties"], second["properties"]) == ('{"a":1}', "{}")
    assert second["traits"] == '{"set":{"level":"gold"}}'


def test_a_stream_of_many_batches_is_taken_in_gzip_and_without_its_end(world: World, http: httpx.Client) -> None:
    parts = [table(event_id=[f"a{n}", f"b{n}"]) for n in range(5)]
    whole = stream(*parts)
    assert post(http, gzip.compress(whole), **ARROW).json()["accepted"] == 10
    assert post(http, whole[:-8], **ARROW).json()["accepted"] == 10
    assert post(http, (whole[n : n + 7] for n in range(0, len(whole), 7)), **ARROW).json()["accepted"] == 10
    assert world.drain().table.num_rows == 10
    assert world.books()["duplicate"] == 20


@pytest.mark.parametrize(
    ("columns", "reason", "where"),
    [
        ({"event_id": ["a1", None]}, "bad_event_id", "event_id"),
        ({"name": ["x", ""]}, "name_missing", "name"),
        ({"amount": [1, -(1 << 63)]}, "bad_amount", "amount"),
        ({"properties": ["{}", "{nope}"]}, "bad_properties", "properties"),
        ({"traits": [None, '{"unbind":[1]}']}, "bad_traits", "traits"),
        ({"consent": [None, "{}"]}, "bad_consent", "consent"),
        ({"store_id": ["s", "s" * 600]}, "bad_field", ""),
        ({"currency": ["CNY", "yuan"]}, "bad_currency", "currency"),
    ],
)
def test_a_bad_row_goes_to_quarantine_with_its_number(
    world: World, http: httpx.Client, columns: dict[str, Any], reason: str, where: str
) -> None:
    assert post(http, stream(table(event_id=["z1", "z2"]), table(event_id=["z1", "z2"])), **ARROW).status_code == 200
    assert post(http, stream(table(**columns)), **ARROW).json()["accepted"] == 2
    assert world.drain().table.num_rows == 3
    assert held(world) == [(reason, where, "row 2")]


def test_rows_are_numbered_through_all_batches(world: World, http: httpx.Client) -> None:
    given = [table(event_id=[f"a{n}", f"b{n}"], name=["x", "" if n == 3 else "y"]) for n in range(5)]
    assert post(http, stream(*given), **ARROW).json()["accepted"] == 10
    assert world.drain().table.num_rows == 9
    assert held(world) == [("name_missing", "name", "row 8")]


def test_rows_that_the_plan_refuses_have_their_numbers_too(world: World, http: httpx.Client) -> None:
    plan = "{enforce: true, events: {order_paid: {rule: quarantine, properties: {total: {required: true}}}}}"
    with world.state.write() as tx:
        world.events.plans.publish(tx, system_caller(world.brand.scope()), load(plan), "", after=None)
    whole, bare = '{"total":1}', "{}"
    given = [
        table(event_id=["a1", "a2"], properties=[whole, bare]),  # a2 is a view
        table(event_id=["b1", "b2"], name=["", "order_paid"], properties=[whole, bare]),
        table(event_id=["c1", "c2"], properties=[bare, whole]),
    ]
    assert post(http, stream(*given), **ARROW).json()["accepted"] == 6
    assert world.drain().table.column("event_id").to_pylist() == ["a1", "a2", "c2"]
    missing = ("missing_property", "properties.total")
    assert held(world) == [(*missing, "row 4"), (*missing, "row 5"), ("name_missing", "name", "row 3")]
    items, _ = world.events.quarantine.list(world.brand.scope())
    raws = {item.detail.partition(":")[0]: world.events.quarantine.read(world.brand.scope(), item.quarantine_id)[1]
            for item in items}  # fmt: skip
    assert {row: json.loads(raw)["event_id"] for row, raw in raws.items()} == {
        "row 3": "b1",
        "row 4": "b2",
        "row 5": "c1",
    }


def swollen() -> pa.Table:
    """Small on the wire, 100 MB as text."""
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["x" * 100_000]))
    return pa.table({"event_id": [str(n) for n in range(1000)], "name": one, "occurred_at": [MICROS] * 1000})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (lambda: stream(table())[:-40], 400, "stream_broken"),
        (lambda: stream(table())[:300] + b"garbage of no meaning at all" * 4, 400, "stream_broken"),
        (lambda: stream(table())[:4] + struct.pack("<i", -5), 413, "record_batch_too_large"),
        (lambda: stream(table())[:4] + struct.pack("<i", 64) + b"\xff" * 64, 400, "stream_broken"),
        (lambda: stream(table(), options=pa.ipc.IpcWriteOptions(compression="zstd")), 400, "buffers_compressed"),
        (lambda: stream(pa.table({"event_id": ["a"], "name": ["b"]})), 422, "table_refused"),
        (lambda: stream(table(person_id=[1, 2])), 422, "table_refused"),
        (lambda: stream(table(amount=pa.array([[1], [2]], pa.list_(pa.int64(), 1)))), 422, "table_refused"),
        (lambda: stream(swollen()), 413, "record_batch_too_large"),
        (lambda: stream(table(properties=["{}", '{"a":"' + "x" * 11_000_000 + '"}'])), 413, "record_batch_too_large"),
    ],
)
def test_a_broken_or_foreign_stream_is_answered_4xx_in_words(
    world: World, http: httpx.Client, body: Callable[[], bytes], status: int, code: str
) -> None:
    answer = post(http, body(), **ARROW)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert " / " in answer.json()["message"]
    assert world.drain().empty


def test_what_came_before_the_break_is_kept_and_counted_once_when_all_is_sent_again(
    world: World, http: httpx.Client
) -> None:
    whole = stream(*(table(event_id=[f"a{n}", f"b{n}"]) for n in range(5)))
    answer = post(http, whole[: len(whole) * 3 // 4], **ARROW)
    said = answer.json()
    assert answer.status_code == 400
    assert 0 < said["accepted"] < 10
    assert said["row"] == said["accepted"] + 1
    assert post(http, whole, **ARROW).json()["accepted"] == 10
    assert world.drain().table.num_rows == 10
    assert world.books()["duplicate"] == said["accepted"]


def test_no_flipped_byte_of_a_stream_is_more_than_a_4xx() -> None:
    whole = stream(table(identifiers=identifiers(), name=pa.array(["a", "b"]).dictionary_encode()))
    found = set()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 0x55
        cutter = Arrow(1_000_000)
        try:
            found.add(sum(part.events for part in (*cutter.feed(bytes(flipped)), *cutter.end())))
        except QuanyuError as error:
            found.add(error.status)
    assert {2, 400, 422} <= found <= {0, 2, 400, 413, 422}


def test_a_log_that_cannot_be_written_is_answered_503(
    world: World, serve: Callable[[World], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    from quanyu.events import errors

    async def full(*_: Any) -> None:
        raise errors.log_full(1, 2)

    with serve(world) as server, httpx.Client(base_url=server.url) as client:
        monkeypatch.setattr(world.events.log, "append", full)
        answer = post(client, lines(event()), **LINES)
    assert (answer.status_code, answer.json()["accepted"]) == (503, 0)
    assert int(answer.headers["retry-after"]) > 0


def test_days_and_times_of_the_stream_are_instants(world: World, http: httpx.Client) -> None:
    local = pa.array([datetime(2026, 3, 2, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "Asia/Shanghai"))
    assert post(http, stream(table(occurred_at=local)), **ARROW).status_code == 200
    naive = pa.array([datetime(2026, 3, 2, 1)] * 2, pa.timestamp("us"))  # noqa: DTZ001 - that is the mistake
    assert post(http, stream(table(occurred_at=naive)), **ARROW).json()["code"] == "table_refused"
    assert world.drain().table.column("occurred_at").to_pylist() == [1772413200_000000] * 2
