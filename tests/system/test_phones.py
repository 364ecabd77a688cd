"""1,000 phones and 1,000 e-mail addresses come in by every door, and are in clear nowhere at rest or in a log."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.harness import Installation, eventually
from tests.system.phones import Needles, contents, database

COUNT = 1000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.mark.slow
def test_no_phone_is_in_clear_anywhere(database_url: str | None, tmp_path: Path) -> None:
    seeded = random.Random(11)
    phones = [f"13{seeded.randrange(10**9):09d}" for _ in range(COUNT)]
    mails = [f"needle{seeded.randrange(10**9):09d}@example.com" for _ in range(COUNT)]
    for_phones, for_mails = (
        Needles(rb"13[0-9]{9}", phones),
        Needles(rb"needle[0-9]{9}", [m[:15] for m in mails]),
    )
    place = Installation(tmp_path, database_url)
    place.init()
    try:
        place.start("server", "worker")
        api = place.api()
        key = api.post("/sources", {"source": "web", "name": {"zh": "网站", "en": "Web"}, "kind": "sdk"})["write_key"]
        http = httpx.Client(base_url=place.base, timeout=60)  # one: a client costs more to make than a call
        sent = _segment(http, key, phones[:500], mails[:500])
        sent += _malformed(http, key, phones[500:600], mails[500:600])
        sent += _sensors(http, key, phones[600:900], mails[600:900])
        for phone, mail in zip(phones[900:], mails[900:], strict=True):
            words = {"purpose": "marketing", "channel": "sms", "status": "granted", "notice_version": "1"}
            api.post("/consent", {"identifier": {"namespace": "phone", "value": phone}, **words})
            api.post("/people/search", {"q": mail})
            api.http.get("/people/" + phone)  # a mistaken address is answered, and logged
        eventually("everything is stored or in quarantine", lambda: _settled(api, sent), within=120)
        people = api.post("/people/search", {"q": phones[0]})["items"]
        assert len(people) == 1, "the phone was not taken in: then not finding it proves nothing"
        assert people[0]["phone"] == f"{phones[0][:3]}****{phones[0][-4:]}"
        held = api.get("/quarantine", limit=200)
        assert held["total"] > 50
        for item in held["items"][:50]:
            api.get(f"/quarantine/{item['quarantine_id']}")
            assert not for_phones.found(item["excerpt"].encode())
        eventually("history has it all", lambda: api.get("/status")["stores"]["history_rows"] > 900, within=90)
        # While it runs: the write-ahead log and the journal are part of what a thief would take.
        _search(tmp_path, database_url, for_phones, for_mails)
    finally:
        place.stop()
    _search(tmp_path, database_url, for_phones, for_mails)
    assert "request_id" in place.log("server"), "there is no log to search"


def _search(folder: Path, database_url: str | None, *needles: Needles) -> None:
    seen, size = [], 0
    places = [*contents(folder), *(database(database_url) if database_url else ())]
    for name, data in places:
        size += len(data)
        seen += [f"{name}: {sorted(found)[:3]}" for needle in needles if (found := needle.found(data))]
    assert size > 1_000_000
    assert not seen, f"in clear in {len(seen)} places: {seen[:10]}"


def _settled(api: Any, sent: int) -> bool:
    (source,) = [one for one in api.get("/sources")["items"] if one["source"] == "web"]
    return bool(source["accepted"] >= sent and source["pending"] == 0 and source["balanced"])


def _segment(http: httpx.Client, key: str, phones: list[str], mails: list[str]) -> int:
    """As traits, as user ids, inside properties (also under innocent names and deep down), and in contexts."""
    calls: list[dict[str, Any]] = []
    for n, (phone, mail) in enumerate(zip(phones, mails, strict=True)):
        user = {"userId": f"u{n}", "messageId": f"m{n}"}
        calls += [
            {"type": "identify", **user, "traits": {"phone": phone, "email": mail, "name": "王小明"}},
            {
                "type": "track",
                **user,
                "messageId": f"t{n}",
                "event": "Order Completed",
                "properties": {
                    "phone": phone,
                    "email": mail,
                    "order_id": f"o{n}",
                    "note": f"请致电 {phone} 或写信 {mail}",
                    "receiver": {"mobile": phone, "lines": [f"tel:{phone}", mail]},
                    phone: "as a name",
                },
                "context": {
                    "page": {"url": f"https://shop/?tel={phone}&mail={mail}"},
                    "traits": {"phone": phone},
                },
            },
        ]
    for start in range(0, len(calls), 100):
        body = {"batch": calls[start : start + 100]}
        assert http.post("/v1/batch", json=body, auth=(key, "")).status_code == 200
    return len(calls)


def _malformed(http: httpx.Client, key: str, phones: list[str], mails: list[str]) -> int:
    """In bodies that are cut off, in unknown types, in fields of the wrong kind, in the address itself."""
    for n, (phone, mail) in enumerate(zip(phones, mails, strict=True)):
        text = json.dumps({"type": "identify", "userId": phone, "traits": {"phone": phone, "email": mail}})
        bodies = (
            text[:-3],
            text.replace("identify", "idntify"),
            text.replace(f'"userId": "{phone}"', f'"userId": [{phone}]'),
        )
        http.post(f"/v1/identify?tel={phone}", content=bodies[n % 3].encode(), auth=(key, ""))
        http.post("/v1/track", content=f'{{"phone": "{phone}"'.encode(), auth=("wrong" + phone, ""))
    return len(phones)


def _sensors(http: httpx.Client, key: str, phones: list[str], mails: list[str]) -> int:
    for n, (phone, mail) in enumerate(zip(phones, mails, strict=True)):
        common = {"distinct_id": f"s{n}", "time": 1_770_000_000_000, "lib": {"$lib": "python"}}
        profile = {
            **common,
            "type": "profile_set",
            "properties": {"phone": phone, "email": mail, "mobile": phone},
        }
        track = {
            **common,
            "type": "track",
            "event": "PayOrder",
            "properties": {"phone_number": phone, "备注": f"电话{phone}", "mail_to": [mail]},
        }
        data = base64.b64encode(json.dumps([profile, track]).encode()).decode()
        answer = http.post(f"/sa?token={key}", data={"data_list": data, "gzip": "0"})
        assert answer.status_code == 200, answer.text
    return 2 * len(phones)
