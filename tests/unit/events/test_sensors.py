"""神策's browser and mini-program messages, as captured from the real SDKs (1.26.17 and 1.17.9 send the same keys)."""

import base64
import json
import time
import urllib.parse
from typing import Any

import httpx
import pytest

from quanyu.events.protocols.sensors import java_hash
from tests.unit.events.conftest import KEY, World

NOW = int(time.time() * 1000)
COOKIE = "1a201521ac876e-0637b1e69359684-11543b4c-480000-1a201521acb2b8"
MP = "1795320482194-2274005-0438a021b64151-13689802"
PRODUCT = {"ProductId": "p1", "ProductPrice": 49.75}
APP = "wx0123456789abcdef"


def web(event: str | None, type_: str = "track", **more: Any) -> dict[str, Any]:
    found = {
        "identities": {"$identity_cookie_id": COOKIE, "$identity_anonymous_id": COOKIE},
        "distinct_id": COOKIE,
        "lib": {"$lib": "js", "$lib_method": "code", "$lib_version": "1.26.17"},
        "properties": {"$lib": "js", "$url": "http://127.0.0.1/pages/sensors.html", "$title": "神策测试页"},
        "anonymous_id": COOKIE,
        "type": type_,
        "time": NOW,
        "_track_id": 555587786,
        "_flush_time": NOW,
        **more,
    }
    return {**found, "event": event} if event else found


def mini(event: str | None, type_: str, **more: Any) -> dict[str, Any]:
    found = {
        "distinct_id": "openid-abc",
        "identities": {
            "$identity_mp_id": MP,
            f"$identity_mp_{APP}_openid": "openid-abc",
            "$identity_mp_unionid": "union-xyz",
            "$identity_anonymous_id": "openid-abc",
        },
        "lib": {"$lib": "MiniProgram", "$lib_method": "code", "$lib_version": "1.17.9"},
        "properties": {"$lib": "MiniProgram", "$url": "pages/index/index", "$app_id": APP},
        "anonymous_id": "openid-abc",
        "type": type_,
        "time": NOW,
        "_flush_time": NOW,
        **more,
    }
    return {**found, "event": event} if event else found


def send(world: World, http: httpx.Client, *messages: Any) -> list[dict[str, Any]]:
    data = base64.b64encode(json.dumps(list(messages)).encode()).decode()
    body = urllib.parse.urlencode({"data_list": data})
    answer = http.post(f"/sa?project=production&token={KEY}", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = world.drain().table.to_pylist()
    return rows


def pairs(row: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["namespace"], one["value"]) for one in row["raw_identifiers"]}


def test_an_image_beacon_with_its_checksum(world: World, http: httpx.Client) -> None:
    data = base64.b64encode(json.dumps(web("$pageview")).encode()).decode()
    query = urllib.parse.urlencode({"project": "p", "token": KEY, "data": data, "ext": f"crc={java_hash(data)}"})
    assert http.get(f"/sa.gif?{query}").headers["content-type"] == "image/gif"
    (row,) = world.drain().table.to_pylist()
    assert (row["name"], row["channel"]) == ("page_viewed", "web")
    assert pairs(row) == {("anonymous_id", COOKIE)}
    assert json.loads(row["properties"])["$title"] == "神策测试页"


def test_pluses_that_a_url_turned_into_blanks_are_forgiven(world: World, http: httpx.Client) -> None:
    message = web("E", properties={"a": "~~~???>>>"})
    data = base64.b64encode(json.dumps(message).encode()).decode()
    padded = next(
        d
        for n in range(64)
        if "+" in (d := base64.b64encode(json.dumps({**message, "properties": {"a": "~>" * n}}).encode()).decode())
    )
    assert data
    assert http.get(f"/sa.gif?token={KEY}&data={padded.replace('=', '%3D')}").status_code == 200
    assert world.drain().table.num_rows == 1
    assert world.reasons() == []


def test_sign_up_in_the_browser_links_cookie_and_login(world: World, http: httpx.Client) -> None:
    identities = {"$identity_cookie_id": COOKIE, "$identity_login_id": "u-1", "$identity_anonymous_id": COOKIE}
    (row,) = send(
        world,
        http,
        web("$SignUp", "track_signup", identities=identities, distinct_id="u-1", login_id="u-1", original_id=COOKIE),
    )
    assert row["name"] == "identified"
    assert pairs(row) == {("user_id", "u-1"), ("anonymous_id", COOKIE)}


def test_a_login_with_a_key_of_its_own(world: World, http: httpx.Client) -> None:
    identities = {"$identity_cookie_id": COOKIE, "$identity_email": "li@example.com"}
    key = "$identity_email+li@example.com"
    (row,) = send(world, http, web("AfterIdentify", identities=identities, distinct_id=key, login_id=key))
    assert pairs(row) == {("email", "li@example.com"), ("anonymous_id", COOKIE)}


def test_unbinding_names_only_what_is_taken_away(world: World, http: httpx.Client) -> None:
    (row,) = send(
        world,
        http,
        {
            "identities": {"$identity_mobile": "13800138000"},
            "distinct_id": "u-1",
            "properties": {"$lib": "js"},
            "type": "track_id_unbind",
            "event": "$UnbindID",
            "time": NOW,
            "_track_id": 1,
        },
    )
    assert row["name"] == "identifier_unbound"
    assert pairs(row) == {("phone", "13800138000")}
    assert json.loads(row["traits"]) == {"unbind": [{"namespace": "phone", "value": "13800138000"}]}


def test_a_mini_programs_openid_carries_its_app_and_is_no_anonymous_id(world: World, http: httpx.Client) -> None:
    rows = send(
        world,
        http,
        mini("$BindID", "track_id_bind", _track_id=1),
        mini(None, "profile_set_once", properties={"$first_visit_time": "2026-11-22 04:08:02.201"}),
        mini(
            "ViewProduct",
            "track",
            _track_id=2,
            properties={"ProductId": "p1", "ProductPrice": 49.75, "$lib": "MiniProgram"},
        ),
        mini("$MPLaunch", "track", _track_id=3),
    )
    assert world.reasons() == []
    for row in rows:
        assert pairs(row) == {("openid", f"{APP}:openid-abc"), ("unionid", "union-xyz"), ("anonymous_id", MP)}
    named = {row["name"]: row for row in rows}
    assert set(named) == {"identified", "profile_updated", "product_viewed", "mini_program_opened"}
    assert named["product_viewed"]["channel"] == "mini_program"
    assert named["product_viewed"]["items"][0]["unit_price"] == 4975
    assert json.loads(named["profile_updated"]["traits"]) == {
        "set_once": {"first_visit_time": "2026-11-22 04:08:02.201"}
    }


@pytest.mark.parametrize("identities", [{"$identity_zodiac": "leo"}, ["x"], {"$identity_mobile": {"a": 1}}])
def test_identities_that_mean_nothing_here_are_quarantined(world: World, http: httpx.Client, identities: Any) -> None:
    assert send(world, http, web("E", identities=identities)) == []
    (reason,) = world.reasons()
    assert reason in ("unknown_namespace", "bad_identifier", "bad_field")


def test_items_are_things_not_people(world: World, http: httpx.Client) -> None:
    message = {"type": "item_set", "time": NOW, "item_type": "product", "item_id": "p1", "properties": {"name": "鞋"}}
    (row,) = send(world, http, message)
    assert (row["name"], row["raw_identifiers"]) == ("item_updated", [])
    assert json.loads(row["properties"]) == {"item_type": "product", "item_id": "p1", "name": "鞋"}
