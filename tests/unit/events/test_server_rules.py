"""The eleven rules of the server, each learned from a real SDK that broke, and the limits of bodies."""

import base64
import gzip
import json
import socket
import time
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from quanyu.events.protocols.sensors import java_hash
from tests.unit.events.conftest import KEY, Server, World

BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}


def track(message_id: str = "m-1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Signed", "userId": "u-1", "messageId": message_id, **more}


def batch(*calls: Any, **more: Any) -> bytes:
    return json.dumps({"batch": list(calls), **more}).encode()


def message(event: str = "E", **more: Any) -> dict[str, Any]:
    now = int(time.time() * 1000)
    return {"type": "track", "event": event, "distinct_id": "d-1", "time": now, "properties": {}, **more}


def encoded(value: Any, *, zipped: bool) -> str:
    data = json.dumps(value).encode()
    return base64.b64encode(gzip.compress(data) if zipped else data).decode()


def form(**fields: str) -> bytes:
    return urllib.parse.urlencode(fields).encode()


# ---------------------------------------------------------------------------------------------------- rule 1
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (batch(track()), {"Content-Type": "application/json"}),
        (gzip.compress(batch(track()), mtime=0), {"Content-Type": "application/x-www-form-urlencoded"}),
        (gzip.compress(batch(track()), mtime=0), {"Content-Encoding": "gzip", "Content-Type": "application/json"}),
        (batch(track()), {"Content-Type": "text/plain"}),
        (b"\xef\xbb\xbf \n" + batch(track()), {"Content-Type": "nonsense"}),
    ],
)
def test_1_the_body_is_sniffed_whatever_its_content_type_says(
    world: World, http: httpx.Client, body: bytes, headers: dict[str, str]
) -> None:
    answer = http.post("/v1/batch", content=body, headers={**BASIC, **headers})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert world.drain().table.column("event_id").to_pylist() == ["m-1"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_1_a_sensors_form_is_a_form_whatever_its_content_type_says(
    world: World, http: httpx.Client, content_type: str
) -> None:
    body = form(data_list=encoded([message()], zipped=False))
    answer = http.post(f"/sa?token={KEY}", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 200
    assert world.drain().table.column("name").to_pylist() == ["E"]


# ---------------------------------------------------------------------------------------------------- rule 2
def test_2_success_is_200_with_an_object(http: httpx.Client) -> None:
    for path in ("track", "t", "identify", "i", "page", "p", "screen", "s", "alias", "a", "group", "g"):
        call = {"userId": "u", "messageId": path, "previousId": "x", "groupId": "g", "event": "E"}
        answer = http.post(f"/v1/{path}", json=call, headers=BASIC)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert http.post("/v1/b", content=batch(), headers=BASIC).status_code == 200


def test_2_a_gif_is_answered_with_a_gif(http: httpx.Client) -> None:
    answer = http.get("/sa.gif", params={"token": KEY, "data": encoded(message(), zipped=False)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert answer.content.startswith(b"GIF89a")


# ---------------------------------------------------------------------------------------------------- rule 3
def test_3_errors_are_code_and_message(http: httpx.Client) -> None:
    answers = [
        http.post("/v1/batch", content=b"{", headers=BASIC),
        http.post("/v1/batch", content=batch(track())),
        http.get("/v1/batch"),
        http.post("/v1/batch", content=batch(track(x="y" * 10_000_001)), headers=BASIC),
    ]
    assert [answer.status_code for answer in answers] == [400, 401, 405, 413]
    for answer in answers:
        assert {"code", "message"} <= set(answer.json())
        assert isinstance(answer.json()["code"], str)


# ---------------------------------------------------------------------------------------------------- rule 4
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"data": "!!!"}, "bad_base64"),
        ({"data": base64.b64encode(b"\x1f\x8b broken").decode(), "gzip": "1"}, "bad_gzip"),
        ({"data": base64.b64encode(b"{nope").decode()}, "malformed_json"),
        ({"data": base64.b64encode('{"type":"track","event":"中文"}'.encode("gbk")).decode()}, "not_utf8"),
        ({"nothing": "here"}, "no_data"),
        ({"data": encoded(message(), zipped=False), "ext": "crc=1"}, "bad_crc"),
        ({"data": "abcd", "gzip": "9"}, "encrypted_payload"),
        ({"data": encoded(message(time=1), zipped=True), "gzip": "1"}, "time_too_old"),
        ({"data": encoded(message(distinct_id=None), zipped=True)}, "no_identifier"),
        ({"data": encoded(message(type="what"), zipped=True)}, "unknown_type"),
    ],
)
def test_4_a_bad_sensors_event_is_answered_200_and_kept(
    world: World, http: httpx.Client, fields: dict[str, str], reason: str
) -> None:
    assert http.post(f"/sa?token={KEY}", content=form(**fields)).status_code == 200
    world.drain()
    assert world.reasons() == [reason]
    assert world.books() == {"accepted": 1, "stored": 0, "duplicate": 0, "quarantined": 1, "pending": 0}


# ---------------------------------------------------------------------------------------------------- rule 5
@pytest.mark.parametrize("asked", ["authorization", "anonymousid,authorization,content-type,sentat"])
def test_5_preflights_allow_what_browsers_ask_for(http: httpx.Client, asked: str) -> None:
    answer = http.options(
        "/v1/t",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert set(asked.split(",")) <= set(answer.headers["access-control-allow-headers"].split(","))
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_5_a_header_list_that_is_none_is_not_echoed(http: httpx.Client) -> None:
    asked = "x" * 5000
    answer = http.options("/v1/t", headers={"Access-Control-Request-Headers": asked})
    assert asked not in answer.headers["access-control-allow-headers"]
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_5_retry_after_is_exposed_on_every_answer(http: httpx.Client) -> None:
    for answer in (http.post("/v1/t", json=track(), headers=BASIC), http.post("/v1/t", json=track())):
        assert answer.headers["access-control-expose-headers"] == "Retry-After"
        assert answer.headers["access-control-allow-origin"] == "*"


# ---------------------------------------------------------------------------------------------------- rule 6
def test_6_a_retry_keeps_its_id_and_is_stored_once_however_late(world: World, http: httpx.Client) -> None:
    first = batch(track("same", timestamp="2026-01-02T03:04:05Z"), sentAt="2026-01-02T03:04:06Z")
    again = batch(track("same", timestamp="2026-01-02T03:04:05Z"), sentAt="2026-01-02T03:04:46Z")
    http.post("/v1/batch", content=first, headers=BASIC)
    http.post("/v1/batch", content=first, headers=BASIC)
    assert world.drain().table.num_rows == 1
    http.post("/v1/batch", content=again, headers=BASIC)
    assert world.drain().table.num_rows == 0
    assert world.books() == {"accepted": 3, "stored": 1, "duplicate": 2, "quarantined": 0, "pending": 0}


def test_6_the_same_id_from_another_source_is_another_event(world: World, http: httpx.Client) -> None:
    http.post("/v1/batch", content=batch(track("same")), headers=BASIC)
    http.post("/v1/batch", content=batch(track("same"), writeKey="wk_other"))
    assert sorted(world.drain().table.column("source").to_pylist()) == ["other", "web"]


def test_6_sensors_messages_with_a_track_id_are_known_by_it(world: World, http: httpx.Client) -> None:
    one = message(_track_id=7, properties={"n": 1})
    retry = {**one, "_flush_time": one["time"] + 9, "properties": {"n": 1, "$late": True}}
    other = {**one, "_track_id": 8}
    body = form(data_list=encoded([{**one, "_flush_time": one["time"]}, retry, other], zipped=True))
    http.post(f"/sa?token={KEY}", content=body)
    assert world.drain().table.num_rows == 2


def test_6_sensors_messages_without_an_id_are_known_by_what_they_say(world: World, http: httpx.Client) -> None:
    one = message(properties={"n": 1})
    body = form(data_list=encoded([one, one, {**one, "properties": {"n": 2}}], zipped=True))
    http.post(f"/sa?token={KEY}", content=body)
    assert world.drain().table.num_rows == 2


def test_6_calls_without_an_id_and_time_each_count_but_keep_theirs_on_redelivery(
    world: World, http: httpx.Client
) -> None:
    nameless = {"type": "track", "event": "Click", "userId": "u"}
    http.post("/v1/batch", content=batch(nameless, nameless), headers=BASIC)
    frames = world.events.read()
    first, second = world.events.decode(frames), world.events.decode(frames)
    assert len(set(first.table.column("event_id").to_pylist())) == 2
    assert first.table.column("event_id") == second.table.column("event_id")


# ---------------------------------------------------------------------------------------------------- rule 7
def test_7_rows_come_in_the_order_of_their_time(world: World, http: httpx.Client) -> None:
    now = int(time.time() * 1000)
    late = message("PayOrder", distinct_id="u-1", time=now)
    early = message(type="track_signup", distinct_id="u-1", original_id="anon", time=now - 1000)
    for one in (late, early):
        http.get("/sa.gif", params={"token": KEY, "data": encoded(one, zipped=False)})
    assert world.drain().table.column("name").to_pylist() == ["identified", "order_paid"]


# ---------------------------------------------------------------------------------------------------- rule 8
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_8_null_and_blank_ids_are_no_ids(world: World, http: httpx.Client, empty: Any) -> None:
    call = track(anonymousId="a-1", userId=empty, properties=None, context=None, timestamp=None)
    http.post("/v1/batch", content=batch(call), headers=BASIC)
    (row,) = world.drain().table.to_pylist()
    assert row["raw_identifiers"] == [{"namespace": "anonymous_id", "value": "a-1"}]


# ---------------------------------------------------------------------------------------------------- rule 9
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-02T03:04:05.678+00:00", 1767323045_678000),
        ("2026-01-02T03:04:05.678901+00:00", 1767323045_678901),
        ("2026-01-02T03:04:05.678Z", 1767323045_678000),
        ("2026-01-02T11:04:05.678+08:00", 1767323045_678000),
        ("2026-01-02T03:04:05Z", 1767323045_000000),
        (1767323045678, 1767323045_678000),
        ("1767323045678", 1767323045_678000),
        (1767323045, 1767323045_000000),
        (1767323045.678, 1767323045_678000),
    ],
)
def test_9_every_way_to_write_a_time_is_read(world: World, http: httpx.Client, written: Any, meant: int) -> None:
    http.post("/v1/batch", content=batch(track(timestamp=written)), headers=BASIC)
    assert world.drain().table.column("occurred_at").to_pylist() == [meant]


# --------------------------------------------------------------------------------------------------- rule 10
def test_10_a_wrong_device_clock_is_corrected_by_what_it_said_when_it_sent(world: World, http: httpx.Client) -> None:
    body = batch(track(timestamp="1970-01-01T00:00:10Z"), sentAt="1970-01-01T00:01:10Z")
    http.post("/v1/batch", content=body, headers=BASIC)
    (row,) = world.drain().table.to_pylist()
    assert row["received_at"] - row["occurred_at"] == 60_000_000


def test_10_sensors_is_corrected_by_its_flush_time_unless_it_is_an_import(world: World, http: httpx.Client) -> None:
    skewed = message(time=1_000_000, _flush_time=1_005_000)
    old = message("Old", time=1767323045678, _flush_time=1767323045999, time_free=True)
    http.post(f"/sa?token={KEY}", content=form(data_list=encoded([skewed, old], zipped=True)))
    rows = {row["name"]: row for row in world.drain().table.to_pylist()}
    assert rows["E"]["received_at"] - rows["E"]["occurred_at"] == 5_000_000
    assert rows["Old"]["occurred_at"] == 1767323045_678000


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("1970-01-01T00:00:00Z", "time_too_old"),
        ("2100-01-01T00:00:00Z", "time_in_future"),
        ("yesterday", "bad_time"),
        (True, "bad_time"),
        (1e300, "bad_time"),
        ({"at": 1}, "bad_time"),
    ],
)
def test_10_times_that_cannot_be_are_quarantined(world: World, http: httpx.Client, stamp: Any, reason: str) -> None:
    http.post("/v1/batch", content=batch(track("good"), track("bad", timestamp=stamp)), headers=BASIC)
    assert world.drain().table.column("event_id").to_pylist() == ["good"]
    assert world.reasons() == [reason]


# --------------------------------------------------------------------------------------------------- rule 11
def test_11_bodies_as_large_as_the_sdks_send_are_taken(world: World, http: httpx.Client) -> None:
    rudder = batch(*[track(f"m{n}", properties={"x": "y" * 40_000}) for n in range(100)])  # 4 MB, 100 events
    assert len(rudder) > 4_000_000
    assert http.post("/v1/batch", content=gzip.compress(rudder), headers=BASIC).status_code == 200
    assert world.drain().table.num_rows == 100


# --------------------------------------------------------------------------------------------------- limits
def test_a_body_beyond_the_limit_is_refused_in_words(world: World, http: httpx.Client) -> None:
    answer = http.post("/v1/batch", content=b"x" * 10_000_001, headers=BASIC)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert "10000000" in answer.json()["message"]
    assert world.drain().empty


def test_a_chunked_body_beyond_the_limit_is_refused_while_it_comes(http: httpx.Client) -> None:
    answer = http.post("/v1/batch", content=(b"x" * 100_000 for _ in range(150)), headers=BASIC)
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/v1/batch", f"/sa?token={KEY}"])
def test_a_zip_bomb_costs_its_own_size_only(http: httpx.Client, path: str) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    assert len(bomb) < 300_000
    body = bomb if path.startswith("/v1") else form(data=base64.b64encode(bomb).decode())
    assert http.post(path, content=body, headers=BASIC).status_code == 413


def test_keys_are_found_in_the_header_or_the_body_and_nowhere_else(world: World, http: httpx.Client) -> None:
    assert http.post("/v1/track", json=track("a")).status_code == 401
    assert http.post("/v1/track", json=track("b", writeKey="nope")).status_code == 401
    assert http.post("/v1/track", json=track("c", writeKey=KEY)).status_code == 200
    assert http.post("/v1/track", json=track("d", writeKey="nope"), headers=BASIC).status_code == 200
    wrong = {"Authorization": "Basic " + base64.b64encode(b"nope:").decode()}
    answer = http.post("/v1/track", json=track("e"), headers=wrong)
    assert answer.status_code == 401
    assert answer.json()["code"] == "unknown_write_key"
    assert http.post("/sa", content=form(data=encoded(message(), zipped=False))).status_code == 401
    assert http.post("/sa?token=nope", content=form(data="!!!")).status_code == 401
    assert sorted(world.drain().table.column("event_id").to_pylist()) == ["c", "d"]
    assert world.reasons() == []


def test_unreadable_json_is_refused_and_kept(world: World, http: httpx.Client) -> None:
    raw = b'{"batch":[{"type":"track"'
    answer = http.post("/v1/batch", content=raw, headers=BASIC)
    assert answer.status_code == 400
    assert answer.json()["code"] == "body_unreadable"
    world.drain()
    (item,), _ = world.events.quarantine.list(world.brand.scope())
    assert item.reason == "malformed_json"
    assert world.events.quarantine.read(world.brand.scope(), item.quarantine_id)[1] == raw
    assert world.books() == {"accepted": 1, "stored": 0, "duplicate": 0, "quarantined": 1, "pending": 0}


def test_the_settings_that_browser_sdks_want(http: httpx.Client) -> None:
    settings = http.get(f"/v1/projects/{KEY}/settings").json()
    assert settings["integrations"]["Segment.io"]["apiKey"] == KEY
    assert settings["metrics"] == {"sampleRate": 0}
    config = http.get("/sourceConfig/", params={"p": "npm", "writeKey": KEY}).json()
    assert config["source"]["writeKey"] == KEY
    assert config["source"]["dataplanes"] == {}
    assert http.get("/v1/projects/nope/settings").status_code == 401


def test_messages_that_name_their_own_token_go_to_its_source(world: World, http: httpx.Client) -> None:
    mine, theirs, nobodys = message("A"), message("B", token="wk_other"), message("C", token="gone")
    http.post(f"/sa?token={KEY}", content=form(data_list=encoded([mine, theirs, nobodys], zipped=True)))
    rows = world.drain().table.to_pylist()
    assert {(row["name"], row["source"]) for row in rows} == {("A", "web"), ("B", "other")}
    assert world.reasons() == ["unknown_key"]
    assert world.books()["accepted"] == 2


def test_the_checksum_is_javas_string_hash() -> None:
    assert java_hash("hello") == 99162322
    assert java_hash("polygenelubricants") == -(2**31)


def test_debug_judges_at_once_and_a_dry_run_keeps_nothing(world: World, http: httpx.Client) -> None:
    good = form(data=encoded(message(), zipped=True), gzip="1")
    bad = form(data=encoded(message(time="never"), zipped=True), gzip="1")
    dry = {"Dry-Run": "true"}
    assert http.post(f"/debug?token={KEY}", content=good, headers=dry).status_code == 200
    answer = http.post(f"/debug?token={KEY}", content=bad, headers=dry)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_time")
    assert answer.json()["problems"][0]["where"] == "time"
    assert world.drain().empty
    assert http.post(f"/debug?token={KEY}", content=good).status_code == 200
    assert http.post(f"/debug?token={KEY}", content=bad).status_code == 400
    assert world.drain().table.num_rows == 1
    assert world.reasons() == ["bad_time"]


def test_a_client_that_goes_away_mid_body_leaves_nothing(world: World, serve: Callable[[World], Server]) -> None:
    with serve(world) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        with httpx.Client(base_url=server.url) as client:
            assert client.post("/v1/track", json=track(), headers=BASIC).status_code == 200
    assert world.drain().table.num_rows == 1


def test_days_are_the_brands(world: World, http: httpx.Client) -> None:
    late = datetime(2026, 1, 2, 17, 0, tzinfo=UTC).isoformat()  # 01:00 on the 3rd in Shanghai
    http.post("/v1/batch", content=batch(track(timestamp=late)), headers=BASIC)
    assert world.drain().table.column("day").to_pylist() == ["2026-01-03"]
