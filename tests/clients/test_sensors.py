"""What 神策's messages do to people, in whatever transport they come, and however often."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.clients.conftest import Source
from tests.system.harness import eventually


def java_hash(text: str) -> int:
    """`String.hashCode`, as the SDKs compute it."""
    value = 0
    for character in text:
        value = (value * 31 + ord(character)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def send(source: Source, transport: str, *messages: dict[str, Any]) -> None:
    """Send as one of the SDKs does."""
    address = f"{source.base}/sa?project=production&token={source.key}"

    def packed(value: Any, *, zipped: bool) -> str:
        data = json.dumps(value, ensure_ascii=False).encode()
        return base64.b64encode(gzip.compress(data) if zipped else data).decode()

    if transport == "image":
        for one in messages:
            data = packed(one, zipped=False)
            query = urlencode({"data": data, "ext": f"crc={java_hash(data)}"})
            httpx.get(f"{address.replace('/sa?', '/sa.gif?')}&{query}").raise_for_status()
        return
    if transport == "android":
        data = packed(list(messages), zipped=True)
        fields = {"crc": str(java_hash(data)), "gzip": "1", "data_list": data}
    else:
        fields = {"data_list": packed(list(messages), zipped=transport == "server")}
    content_type = "text/plain" if transport == "mini program" else "application/x-www-form-urlencoded"
    httpx.post(address, content=urlencode(fields), headers={"Content-Type": content_type}).raise_for_status()


TRANSPORTS = ["image", "android", "server", "mini program"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_profiles_change_once_however_often_a_message_is_sent(source: Source, transport: str) -> None:
    now = int(time.time() * 1000)
    user = f"{source.who}-u"
    about = {"distinct_id": user, "login_id": user, "identities": {"$identity_login_id": user}}

    def profile(kind: str, after: int, **properties: Any) -> dict[str, Any]:
        return {**about, "type": f"profile_{kind}", "time": now - 60_000 + after, "properties": properties}

    messages = [
        profile("set", 0, City="上海", Level="gold", Age=31),
        profile("set_once", 1, City="never", first="wx"),
        profile("increment", 2, points=10, Age=1),
        profile("increment", 3, points=5),
        profile("append", 4, likes=["shoes"]),
        profile("append", 5, likes=["bags", "shoes"]),
        profile("unset", 6, Level=True),
    ]
    for _ in range(2):
        send(source, transport, *messages)
    books = source.books(14)
    assert (books["stored"], books["duplicate"], books["quarantined"]) == (7, 7, 0)
    person = source.only_person("profile_updated")
    assert person["traits"] == {"City": "上海", "Age": "32", "first": "wx", "points": "15", "likes": '["shoes","bags"]'}
    send(source, transport, profile("delete", 1000))
    source.books(15)
    eventually("nothing is known any more", lambda: source.person(person["person"]["person_id"])["traits"] == {})


@pytest.mark.parametrize("transport", ["image", "server"])
def test_identities_bind_people_and_an_unbinding_denies_the_link(source: Source, transport: str) -> None:
    now = int(time.time() * 1000)
    user, device = f"{source.who}-u", f"{source.who}-d"
    number = f"139{zlib.crc32((source.who + transport).encode()) % 10**8:08}"
    ids = {"$identity_login_id": user, "$identity_mobile": number}

    def message(kind: str, event: str, after: int, identities: dict[str, str], **more: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "event": event,
            "time": now - 60_000 + after,
            "distinct_id": user,
            "identities": identities,
            "properties": {"$lib": "js"},
            "_track_id": now + after,
            **more,
        }

    send(
        source,
        transport,
        message("track", "Before", 0, {"$identity_cookie_id": device}, distinct_id=device, anonymous_id=device),
        message(
            "track_signup",
            "$SignUp",
            10,
            {"$identity_cookie_id": device, "$identity_login_id": user},
            login_id=user,
            anonymous_id=device,
            original_id=device,
        ),
        message("track_id_bind", "$BindID", 20, ids, login_id=user),
        message("track", "Bound", 30, {"$identity_mobile": number}, distinct_id=f"$identity_mobile+{number}"),
    )
    source.stored(4)
    bound = source.only_person("Before", "identified", "Bound")
    assert bound["ids"] == ["anonymous_id", "phone", "user_id"]

    send(source, transport, message("track_id_unbind", "$UnbindID", 40, {"$identity_mobile": number}))
    source.stored(5)

    def parted() -> dict[str, Any] | None:
        page = source.person(source.only_person("Before", "identified")["person"]["person_id"])
        return page if page["ids"] == ["anonymous_id", "user_id"] else None

    left = eventually("the phone is nobody of theirs any more", parted)
    other = source.only_person("Bound")
    assert other["person"]["person_id"] != left["person"]["person_id"] if left else False
    assert other["ids"] == ["phone"]
    assert {link["status"] for link in other["links"]} == {"denied"}
    assert all(link["reason"]["en"] for link in other["links"])


def test_a_mirrored_request_without_data_or_with_a_wrong_checksum_is_kept_aside(source: Source) -> None:
    data = base64.b64encode(json.dumps({"type": "track", "event": "E", "distinct_id": "d"}).encode()).decode()
    address = f"{source.base}/sa?token={source.key}"
    right = {"data": data, "crc": str(java_hash(data))}
    for fields in (right, {**right, "crc": str(java_hash(data) + 1)}, {"data": data, "ext": "crc=12"}):
        assert httpx.post(address, data=fields).status_code == 200
    books = source.books(3)
    assert (books["stored"], books["quarantined"]) == (1, 2)
    assert {item["reason"] for item in source.quarantine()} == {"bad_crc"}
