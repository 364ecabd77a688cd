"""Twelve kinds of poison through the real collector and worker: each a clear refusal or a row in quarantine.

Every kind comes with a good neighbour where its request can hold one. In the end the books balance to the event,
the neighbours are stored, and what can be mended comes back by one replay in bulk.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from deltalake import DeltaTable

from tests.system.harness import Api, Installation, eventually

GOOD = {"type": "track", "event": "product_viewed", "userId": "u1"}


class Poison:
    """What was sent: how it was answered, and what must be in the books for it."""

    def __init__(self, base: str, key: str) -> None:
        self.base = base
        self.key = key
        self.stored = self.held = self.duplicate = 0
        self.reasons: set[str] = set()

    def batch(
        self,
        raw: bytes,
        *,
        status: int = 200,
        stored: int = 0,
        duplicate: int = 0,
        reason: str = "",
        squeezed: bool = False,
    ) -> httpx.Response:
        headers = {"Content-Encoding": "gzip"} if squeezed else {}
        answer = httpx.post(f"{self.base}/v1/batch", content=raw, auth=(self.key, ""), headers=headers, timeout=60)
        self._expect(answer, status, stored, duplicate, reason)
        return answer

    def form(self, fields: dict[str, str], *, stored: int = 0, reason: str = "") -> httpx.Response:
        answer = httpx.post(
            f"{self.base}/sa?token={self.key}",
            content=urlencode(fields),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=60,
        )
        self._expect(answer, 200, stored, 0, reason)
        return answer

    def _expect(self, answer: httpx.Response, status: int, stored: int, duplicate: int, reason: str) -> None:
        assert answer.status_code == status, answer.text
        if status >= 400:
            said = answer.json()
            assert said["code"], said
            assert " / " in said["message"] or said["message"], said
        self.stored += stored
        self.duplicate += duplicate
        if reason:
            self.held += 1
            self.reasons.add(reason)


def beside(bad: bytes, number: int) -> bytes:
    """A batch of a good event and a bad one."""
    return b'{"batch":[' + json.dumps({**GOOD, "messageId": f"n{number}"}).encode() + b"," + bad + b"]}"


def call(**more: Any) -> bytes:
    return json.dumps({**GOOD, **more}, ensure_ascii=False).encode()


def bad_utf8(to: Poison) -> None:
    to.batch(beside(call(event="浏览商品").decode().encode("gbk"), 1), stored=1, reason="not_utf8")


def nul(to: Poison) -> None:
    to.batch(beside(call(properties={"a": "x\0y"}), 2), stored=1, reason="control_character")


def depth(to: Poison) -> None:
    deep = b'{"type":"track","event":"x","userId":"u","properties":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    to.batch(beside(deep, 3), stored=1, reason="too_deep")


def ten_megabytes(to: Poison) -> None:
    answer = to.batch(call(properties={"a": "x" * 10_000_001}), status=413)
    assert answer.json()["code"] == "body_too_large"


def nan(to: Poison) -> None:
    to.batch(
        beside(b'{"type":"track","event":"x","userId":"u","properties":{"a":NaN}}', 5), stored=1, reason="not_a_number"
    )


def huge_integer(to: Poison) -> None:
    digits = b"9" * 400
    raw = b'{"type":"track","event":"order_paid","userId":"u","messageId":"h","properties":{"total":' + digits + b"}}"
    to.batch(beside(raw, 6), stored=1, reason="bad_amount")


def bad_gzip(to: Poison) -> None:
    squeezed = gzip.compress(json.dumps({"batch": [GOOD]}).encode())
    to.batch(squeezed[:-9], status=400, reason="bad_gzip", squeezed=True)


def zip_bomb(to: Poison) -> None:
    bomb = gzip.compress(b'{"batch":[' + b" " * 300_000_000 + b"]}", compresslevel=9)
    assert len(bomb) < 1_000_000
    answer = to.batch(bomb, status=413, squeezed=True)
    assert answer.json()["code"] == "body_too_large"


def bad_crc(to: Poison) -> None:
    event = {"type": "track", "event": "x", "distinct_id": "u", "time": 1_790_000_000_000, "properties": {}}
    data = base64.b64encode(json.dumps(event).encode()).decode()
    to.form({"data": data, "crc": "1"}, reason="bad_crc")


def dates(to: Poison) -> None:
    to.batch(beside(call(timestamp="2100-01-01T00:00:00Z"), 10), stored=1, reason="time_in_future")
    to.batch(beside(call(timestamp="1970-01-02T00:00:00Z"), 11), stored=1, reason="time_too_old")


def missing_ids(to: Poison) -> None:
    to.batch(beside(call(userId=None), 12), stored=1, reason="no_identifier")


def duplicate_keys(to: Poison) -> None:
    """The same idempotency key, in one request and again; and an object that names a member twice."""
    both = [{**GOOD, "messageId": "twice"}, {**GOOD, "messageId": "twice"}]
    to.batch(json.dumps({"batch": both}).encode(), stored=1, duplicate=1)
    to.batch(json.dumps({"batch": both[:1]}).encode(), duplicate=1)
    to.batch(b'{"batch":[{"type":"track","event":"a","event":"b","userId":"u","messageId":"members"}]}', stored=1)


POISONS: list[Callable[[Poison], None]] = [
    bad_utf8,
    nul,
    depth,
    ten_megabytes,
    nan,
    huge_integer,
    bad_gzip,
    zip_bomb,
    bad_crc,
    dates,
    missing_ids,
    duplicate_keys,
]


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_twelve_poisons_lose_nothing(tmp_path: Path, database: str, request: pytest.FixtureRequest) -> None:
    assert len(POISONS) == 12
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    place = Installation(tmp_path, database_url=url)
    place.init()
    try:
        place.start("server", "worker")
        api = place.api()
        made = api.post("/sources", {"source": "shop", "name": {"zh": "商城", "en": "Shop"}, "kind": "sdk"})
        to = Poison(place.base, made["write_key"])
        for poison in POISONS:
            poison(to)

        def books() -> dict[str, Any]:
            (found,) = [one for one in api.get("/sources")["items"] if one["source"] == "shop"]
            return dict(found)

        def settled(held: int, stored: int) -> dict[str, Any]:
            def look() -> dict[str, Any] | None:
                found = books()
                return found if not found["pending"] and found["quarantined"] == held else None

            found = eventually(f"{held} are held", look, within=120) or {}
            assert found["balanced"]
            assert (found["stored"], found["duplicate"], found["quarantined"]) == (stored, to.duplicate, held)
            assert found["accepted"] == stored + to.duplicate + held
            return found

        settled(to.held, to.stored)
        groups = api.get("/quarantine/groups", source="shop")["items"]
        assert {one["reason"] for one in groups} == to.reasons
        assert sum(one["events"] for one in groups) == to.held
        for item in api.get("/quarantine", source="shop")["items"]:
            assert item["reason_label"]["zh"] != item["reason_label"]["en"]
            raw = api.get(f"/quarantine/{item['quarantine_id']}")["raw"]
            assert raw, item
        # What a rule can mend comes back: the two events with an impossible time are given none.
        chosen = {"source": "shop", "edits": [{"op": "remove", "path": "timestamp"}]}
        preview = api.post("/quarantine/preview", chosen)
        assert (preview["total"], preview["stored"]) == (to.held, 2)
        replay = api.post("/quarantine/replays", chosen)["replay_id"]
        done = eventually(
            "the replay ends", lambda: (one := api.get(f"/quarantine/replays/{replay}"))["status"] == "done" and one
        )
        assert (done["stored"], done["duplicate"], done["still"]) == (2, 0, to.held - 2)
        settled(to.held - 2, to.stored + 2)
        rows = eventually(
            "history has all", lambda: api.get("/events", limit=200)["total"] >= to.stored + 2 and api.get("/events")
        )
        assert rows["total"] == to.stored + 2
        assert "Traceback" not in place.log("server") + place.log("worker")
        _an_alarm_for_what_is_taken_away(place, api)
    finally:
        place.stop()


def _an_alarm_for_what_is_taken_away(place: Installation, api: Api) -> None:
    """The recount agrees; a row deleted from history behind its back shows up everywhere an operator looks."""

    def recounted(wrong: int) -> dict[str, Any]:
        before = api.get("/books/recount")["checked_at"]
        api.post("/books/recount")

        def look() -> dict[str, Any] | None:
            one = api.get("/books/recount")
            return dict(one) if one["checked_at"] != before and len(one["items"]) == wrong else None

        return eventually(f"{wrong} hours are wrong", look, within=120) or {}

    found = recounted(0)
    assert found["counted"] == api.get("/status")["books"]["counted"]
    assert "quanyu_books_discrepancies 0.0" in httpx.get(f"{place.base}/metrics", timeout=60).text
    DeltaTable(str(place.folder / "history" / "events")).delete("event_id = 'n1'")
    (row,) = recounted(1)["items"]
    assert (row["source"], row["stored"] - row["found_stored"]) == ("shop", 1)
    assert api.get("/status")["books"]["discrepancies"] == 1
    assert "quanyu_books_discrepancies 1.0" in httpx.get(f"{place.base}/metrics", timeout=60).text
    assert [one["balanced"] for one in api.get("/sources")["items"] if one["source"] == "shop"] == [False]
    api.post("/quality/check")
    eventually(
        "the data quality page says so",
        lambda: [one for one in api.get("/quality/problems")["items"] if one["kind"] == "wrong_books"],
        within=120,
    )
