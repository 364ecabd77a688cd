"""The eleven rules of a server for other people's clients, one test each, against the running server.

Each rule was learnt from a real client that broke: in brackets, which.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.clients.conftest import Source, named, seconds
from tests.system.harness import eventually

ISO = "%Y-%m-%dT%H:%M:%S.%f"


def track(message_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Signed", "userId": "u-1", "messageId": message_id, **more}


def batch(*calls: Any, **more: Any) -> bytes:
    return json.dumps({"batch": list(calls), **more}).encode()


def message(event: str = "E", **more: Any) -> dict[str, Any]:
    now = int(time.time() * 1000)
    return {"type": "track", "event": event, "distinct_id": "d-1", "time": now, "properties": {}, **more}


def encoded(value: Any, *, zipped: bool = False) -> str:
    data = json.dumps(value).encode()
    return base64.b64encode(gzip.compress(data) if zipped else data).decode()


def post(source: Source, content: bytes, path: str = "/v1/batch", **headers: str) -> httpx.Response:
    auth = (source.key, "") if path.startswith("/v1") else None
    address = source.base + path if auth else f"{source.base}{path}?token={source.key}"
    return httpx.post(address, content=content, headers=headers, auth=auth, timeout=30)


def test_rule_1_the_body_is_sniffed_and_its_content_type_ignored(source: Source) -> None:
    """[rudder-sdk-node, analytics-next, sa-sdk-javascript, sa-sdk-miniprogram]"""
    form = urlencode({"data_list": encoded([message("E", _track_id=1)])}).encode()
    said = "Content-Type"
    answers = [
        post(source, gzip.compress(batch(track("1"))), **{said: "application/x-www-form-urlencoded"}),
        post(source, gzip.compress(batch(track("2"))), **{said: "application/json", "Content-Encoding": "gzip"}),
        post(source, batch(track("3")), **{said: "text/plain"}),
        post(source, b"\xef\xbb\xbf \n" + batch(track("4")), **{said: "nonsense"}),
        post(source, form, "/sa", **{said: "text/plain"}),
        post(source, form, "/sa", **{said: "application/json"}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 6
    books = source.books(6)
    assert (books["stored"], books["duplicate"], books["quarantined"]) == (5, 1, 0)


def test_rule_2_success_is_200_with_a_json_object(source: Source) -> None:
    """[rudder-sdk-python sends again on 202 and 204]"""
    for path in ("track", "t", "identify", "page", "screen", "group", "alias", "batch", "import"):
        call = {"userId": "u", "previousId": "p", "groupId": "g", "event": "E", "messageId": path, "batch": []}
        answer = post(source, json.dumps(call).encode(), f"/v1/{path}")
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    answer = httpx.get(f"{source.base}/sa.gif", params={"token": source.key, "data": encoded(message())})
    assert (answer.status_code, answer.headers["content-type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")


def test_rule_3_an_error_is_an_object_with_code_and_message(source: Source) -> None:
    """[rudder-sdk-python raises KeyError for any other JSON, and retries even a 400]"""
    answers = [
        post(source, b"{"),
        httpx.post(f"{source.base}/v1/batch", content=batch(track("x"))),
        httpx.get(f"{source.base}/v1/batch"),
        post(source, b"x" * 10_000_001),
        post(source, b"[]", "/v1/events"),
        httpx.post(f"{source.base}/sa?token=nobody", content=b"data=x"),
    ]
    assert [answer.status_code for answer in answers] == [400, 401, 405, 413, 400, 401]
    for answer in answers:
        said = answer.json()
        assert isinstance(said["code"], str)
        assert isinstance(said["message"], str)
        assert said["message"]


def test_rule_4_a_bad_sensors_event_is_answered_200_and_kept_with_its_reason(source: Source) -> None:
    """[SensorsAnalyticsSDK's asynchronous consumer dies, sa-sdk-javascript loops for ever]"""
    good = encoded(message())
    bad: dict[str, dict[str, str]] = {
        "bad_base64": {"data": "!!!"},
        "bad_gzip": {"data": base64.b64encode(b"\x1f\x8b broken").decode(), "gzip": "1"},
        "malformed_json": {"data": base64.b64encode(b"{nope").decode()},
        "no_data": {"nothing": "here"},
        "bad_crc": {"data": good, "ext": "crc=1"},
        "encrypted_payload": {"data": "abcd", "gzip": "9"},
        "time_too_old": {"data": encoded(message(time=1))},
        "no_identifier": {"data": encoded(message(distinct_id=None))},
        "unknown_type": {"data": encoded(message(type="what"))},
    }
    for fields in bad.values():
        assert post(source, urlencode(fields).encode(), "/sa").status_code == 200
    assert source.books(len(bad))["quarantined"] == len(bad)
    assert {item["reason"] for item in source.quarantine()} == set(bad)


def test_rule_5_pages_of_any_site_may_send_and_read_retry_after(source: Source) -> None:
    """[analytics-next retried too early where Retry-After was not exposed]"""
    for asked in ("authorization", "anonymousid,authorization,content-type,sentat"):
        answer = httpx.options(
            f"{source.base}/v1/t",
            headers={
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": asked,
            },
        )
        assert answer.status_code in (200, 204)
        assert answer.headers["access-control-allow-origin"] in ("*", "https://shop.example")
        assert set(asked.split(",")) <= set(answer.headers["access-control-allow-headers"].lower().split(","))
        assert "POST" in answer.headers["access-control-allow-methods"]
    for answer in (post(source, batch(track("a"))), post(source, b"{"), post(source, b"data=", "/sa")):
        assert "retry-after" in answer.headers["access-control-expose-headers"].lower()
        assert answer.headers["access-control-allow-origin"] == "*"


def test_rule_6_what_is_sent_again_is_stored_once(source: Source) -> None:
    """[every client retries with the same ids; SensorsAnalyticsSDK sends none at all]"""
    before = datetime.now(UTC) - timedelta(seconds=90)
    for late in (1, 45):
        sent = (before + timedelta(seconds=late)).isoformat()
        post(source, batch(track("same", timestamp=before.isoformat()), sentAt=sent))
    mini = message("Mini", _track_id=7)
    for flush in (3, 9):
        again = {**mini, "_flush_time": mini["time"] + flush}
        post(source, urlencode({"data_list": encoded([again], zipped=True)}).encode(), "/sa")
    nameless = message("Python", properties={"n": 1})
    other = {**nameless, "properties": {"n": 2}}
    for group in ([nameless], [nameless, other]):
        post(source, urlencode({"data_list": encoded(group, zipped=True), "gzip": "1"}).encode(), "/sa")
    books = source.books(7)
    assert (books["stored"], books["duplicate"], books["quarantined"]) == (4, 3, 0)


def test_rule_7_time_decides_and_not_the_order_of_arrival(source: Source) -> None:
    """[sa-sdk-javascript delivered PayOrder before the $SignUp that made the user]"""
    now = int(time.time() * 1000)
    user, device = f"{source.who}-u", f"{source.who}-d"
    arriving = [
        message("Last", distinct_id=user, login_id=user, time=now),
        message("profile", type="profile_set", distinct_id=user, login_id=user, time=now, properties={"City": "上海"}),
        message(
            "old", type="profile_set", distinct_id=user, login_id=user, time=now - 5000, properties={"City": "北京"}
        ),
        message("$SignUp", type="track_signup", distinct_id=user, original_id=device, time=now - 6000),
        message("First", distinct_id=device, time=now - 9000),
    ]
    for one in arriving:
        assert post(source, urlencode({"data": encoded(one)}).encode(), "/sa").status_code == 200
    names = [row["name"] for row in source.stored(5)]
    assert names[:3] == ["First", "identified", "profile_updated"]
    assert set(names[3:]) == {"Last", "profile_updated"}
    assert source.only_person("First", "identified", "Last")["traits"]["City"] == "上海"


def test_rule_8_null_and_empty_ids_are_no_ids(source: Source) -> None:
    """[the Python packages send null, analytics-js sends an empty text]"""
    calls = [
        track(f"n{number}", userId=empty, anonymousId=f"{source.who}-{number}", properties=None, context=None)
        for number, empty in enumerate((None, "", "  "))
    ]
    nobody = track("nobody", userId=None, anonymousId="")
    post(source, batch(*calls, nobody))
    books = source.books(4)
    assert (books["stored"], books["quarantined"]) == (3, 1)
    assert [item["reason"] for item in source.quarantine()] == ["no_identifier"]
    rows = eventually("they are in history", lambda: found if len(found := source.events()) == 3 else None)
    people = {row["person_id"] for row in rows or []}
    assert len(people) == 3, "nothing made one person of them"
    assert all(source.person(one)["ids"] == ["anonymous_id"] for one in people)


def test_rule_9_every_way_to_write_a_time_is_read(source: Source) -> None:
    """[three and six decimals, Z, epochs in seconds and milliseconds, as numbers and as texts]"""
    meant = 1767323045.678
    written = [
        "2026-01-02T03:04:05.678+00:00",
        "2026-01-02T03:04:05.678000+00:00",
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T11:04:05.678+08:00",
        1767323045678,
        "1767323045678",
        1767323045.678,
    ]
    post(source, batch(*(track(f"t{number}", timestamp=one) for number, one in enumerate(written))))
    sensors = [message("ms", time=1767323045678), message("s", time=1767323045)]
    post(source, urlencode({"data_list": encoded(sensors)}).encode(), "/sa")
    rows = source.stored(len(written) + 2)
    assert [round(seconds(row), 6) for row in rows if row["name"] != "s"] == [meant] * (len(written) + 1)
    assert [seconds(row) for row in rows if row["name"] == "s"] == [1767323045]


def test_rule_10_a_wrong_clock_is_corrected_by_when_the_device_says_it_sent(source: Source) -> None:
    """[timestamp + (received - sentAt); time + (received - _flush_time); time_free says that the time is meant]"""
    began = time.time()
    wrong = datetime(1999, 5, 1, tzinfo=UTC)
    sent = (wrong + timedelta(seconds=60)).strftime(ISO) + "Z"
    post(source, batch(track("a", timestamp=wrong.strftime(ISO) + "Z"), sentAt=sent))
    skewed = message("Skewed", time=1_000_000, _flush_time=1_060_000)
    old = message("Old", time=1767323045678, _flush_time=1767323105678, time_free=True)
    post(source, urlencode({"data_list": encoded([skewed, old])}).encode(), "/sa")
    rows = {name: found[0] for name, found in named(source.stored(3)).items()}
    for name in ("Signed", "Skewed"):
        assert began - 61 <= seconds(rows[name]) <= time.time() - 59
    assert seconds(rows["Old"]) == 1767323045.678


def test_rule_11_bodies_as_large_as_the_clients_make_them_are_taken(source: Source) -> None:
    """[RudderStack for Python: 4 MB and 100 events; 神策: lists of 100]"""
    rudder = batch(*(track(f"m{number}", properties={"pad": "y" * 40_000}) for number in range(100)))
    assert len(rudder) > 4_000_000
    assert post(source, rudder).status_code == 200
    hundred = [message("E", _track_id=number) for number in range(100)]
    form = urlencode({"data_list": encoded(hundred, zipped=True), "gzip": "1"}).encode()
    assert post(source, form, "/sa").status_code == 200
    books = source.books(200)
    assert (books["stored"], books["quarantined"]) == (200, 0)
