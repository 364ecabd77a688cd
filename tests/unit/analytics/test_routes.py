"""Audiences, analytics and the catalogue over HTTP: shapes, ETags, permissions, scope, and a masked, audited export."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from quanyu.access.api import Access
from quanyu.analytics.routes import router as analytics_router
from quanyu.audiences.api import rule
from quanyu.audiences.routes import router as audiences_router
from quanyu.commerce.routes import router as commerce_router
from quanyu.http import problems
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.storage.state import State
from tests.unit.analytics.shops import BRAND, Shop, random_world

ALL = ["audiences.read", "audiences.write", "people.read", "people.export", "analytics.read", "catalog.read"]
BOUGHT = rule("performed", event="order_paid")


class Client:
    """Requests with one key."""

    def __init__(self, http: TestClient, headers: dict[str, str]) -> None:
        self.http, self.headers = http, headers

    def __call__(self, method: str, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
        path, _, query = path.partition("?")
        given = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.http.request(method, path, json=body, params=query, headers=given)
        assert answer.status_code == expect, answer.text
        return answer


@pytest.fixture
def shop(state: State, tmp_path: Path, ids: SeededIds) -> Shop:
    return Shop(state, tmp_path, ids, *random_world(3))


@pytest.fixture
def access(state: State, clock: ManualClock, ids: SeededIds) -> Access:
    made = Access(state, clock, ids)
    for key in ("acme", "other"):
        made.brands.create(key=key, name=Label(key, key), currency="CNY", time_zone="Asia/Shanghai")
    return made


@pytest.fixture
def http(shop: Shop, access: Access) -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(audiences_router(shop.audiences, access.guard, shop.doors, access.audit))
    app.include_router(analytics_router(shop.door, access.guard))
    app.include_router(commerce_router(shop.commerce, access.guard, access.state, access.audit))
    with TestClient(app) as opened:
        yield opened


def with_key(http: TestClient, access: Access, permissions: list[str], brand: str = "acme") -> Client:
    with access.state.write() as tx:
        key = access.clients.create(tx, name="test", permissions=permissions, brands=[brand])[1]
    return Client(http, {"Authorization": f"Bearer {key}"})


@pytest.fixture
def api(http: TestClient, access: Access) -> Client:
    return with_key(http, access, ALL)


def test_an_audience_is_made_edited_and_not_overwritten(api: Client) -> None:
    made = api("POST", "/audiences", {"name": "买家", "tree": BOUGHT, "refresh": "daily"}, 201)
    audience = made.json()
    path = f"/audiences/{audience['audience_id']}"
    assert (made.headers["etag"], audience["sentence"]["zh"]) == ('"1"', "历史上做过“支付订单”至少 1 次")
    edit = {"name": "老客", "tree": rule("performed", event="order_paid", times=2)}
    assert api("PUT", path, edit, if_match=made.headers["etag"]).headers["etag"] == '"2"'
    assert api("PUT", path, edit, 412, if_match=made.headers["etag"]).json()["code"] == "audience_stale"
    assert api("PUT", path, edit, 400, if_match="yesterday").json()["code"] == "if_match_malformed"
    read = api("GET", path)
    assert (read.headers["etag"], read.json()["name"], read.json()["version"]) == ('"2"', "老客", 2)
    assert [v["version"] for v in api("GET", f"{path}/versions").json()["items"]] == [2, 1]
    assert api("POST", f"{path}/refresh").json()["version"] == 2
    left = api("POST", f"{path}/people", {"change": "left", "limit": 3}).json()
    assert left["total"] == audience["size"] - read.json()["size"] > 0
    assert left["items"][0]["phone"] == "138****8000"
    assert [a["audience_id"] for a in api("GET", "/audiences").json()["items"]] == [audience["audience_id"]]
    api("DELETE", path, expect=204)
    assert api("GET", path, expect=404).json()["code"] == "audience_not_found"


def test_a_count_answers_faults_in_the_caller_s_language(api: Client) -> None:
    good = api("POST", "/audiences/count", {"tree": BOUGHT}).json()
    assert good["errors"] == []
    assert 0 < good["count"] < good["total"] == 40
    assert {r["channel"] for r in good["reachable"]} == {
        "wecom",
        "sms",
        "official_account",
        "mini_program",
        "email",
        "ads",
    }
    wrong = {"tree": rule("performed", "r7", event="x", times=0)}
    chinese = api("POST", "/audiences/count", wrong).json()
    english = api("POST", "/audiences/count", wrong, accept_language="en").json()
    assert (chinese["count"], chinese["errors"]) == (None, [{"id": "r7", "field": "times", "message": "不能小于 1"}])
    assert english["errors"][0]["message"] == "Must not be below 1"
    refused = api("POST", "/audiences", {"name": "x", **wrong}, 422).json()
    assert (refused["code"], refused["errors"]) == (
        "tree_invalid",
        [{"field": "r7.times", "message": "不能小于 1", "label": "做过某事 · 次"}],
    )
    assert api("POST", "/audiences/count", {"tree": 7}, 422).json()["status"] == 422


def test_predicates_come_with_their_forms_and_options(api: Client) -> None:
    forms = {p["key"]: p for p in api("GET", "/predicates").json()["items"]}
    assert {"performed", "bought", "rfm", "trait", "has_consent", "visited"} <= set(forms)
    fields = {f["key"]: f for f in forms["performed"]["fields"]}
    assert (fields["event"]["type"], fields["event"]["options_source"]) == ("event", "events")
    assert [o["value"] for o in fields["times_operator"]["options"]] == ["gte", "lte", "eq"]
    assert fields["from"]["end_key"] == "to"
    found = api("GET", "/predicates/options?source=categories&q=tea").json()["items"]
    assert found == [{"value": "food.tea", "label": {"zh": "品类food.tea", "en": "food.tea"}, "count": 2}]
    assert api("GET", "/predicates/options?source=nowhere", expect=404).json()["code"] == "option_source_not_found"


def test_an_export_is_masked_safe_to_open_and_written_down(api: Client, access: Access, shop: Shop) -> None:
    audience = api("POST", "/audiences", {"name": "all", "tree": rule("anyone")}, 201).json()
    answer = api("GET", f"/audiences/{audience['audience_id']}/export")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0][:3] == ["客户编号", "姓名", "手机号"]
    assert len(rows) == 41
    assert rows[1][:3] == ["p_1", "'=cmd()", "138****8000"]
    (entry,) = access.audit.entries(BRAND, action="audience_exported")
    assert (entry.subject, entry.count) == (audience["audience_id"], 40)


def test_the_overview_adds_up_and_its_numbers_open(api: Client) -> None:
    found = api("GET", "/overview?from=2026-01-20&to=2026-02-25").json()
    formula = found["formula"]
    assert formula["visitors"] * formula["conversion"] * formula["order_value"] == pytest.approx(formula["gmv"])
    assert found["range"] == {"from": "2026-01-20", "to": "2026-02-25"}
    kpis = {k["key"]: k for k in found["kpis"]}
    assert kpis["gmv"]["value"] == formula["gmv"]
    query = kpis["orders"]["drill"]["query"]
    shown = api("GET", "/events?" + "&".join(f"{k}={v}" for k, v in query.items())).json()
    assert shown["total"] == kpis["orders"]["value"]
    tree = kpis["buyers"]["drill"]["tree"]
    assert api("POST", "/audiences/count", {"tree": tree}).json()["count"] == kpis["buyers"]["value"]
    assert found["people"]["drills"]["new"]["kind"] == "people"
    assert api("GET", "/overview?from=2026-02-01&to=2026-01-01", expect=422).json()["code"] == "date_range_invalid"
    assert api("GET", "/overview?from=yesterday", expect=422).json()["status"] == 422


def test_events_and_timelines_page(api: Client) -> None:
    first = api("GET", "/events?limit=5").json()
    second = api("GET", f"/events?limit=5&cursor={first['next_cursor']}").json()
    assert (len(first["items"]), second["total"]) == (5, None)
    assert not {e["event_id"] for e in first["items"]} & {e["event_id"] for e in second["items"]}
    names = {n["name"]: n["count"] for n in api("GET", "/events/names").json()["items"]}
    assert sum(names.values()) == first["total"]
    person = next(e["person_id"] for e in first["items"] if e["person_id"])
    own = api("GET", f"/people/{person}/timeline").json()
    assert {e["person_id"] for e in own["items"]} == {person}
    assert api("GET", f"/events?person_id={person}").json()["total"] == own["total"]
    assert api("GET", "/events?cursor=x", expect=400).json()["code"] == "cursor_malformed"


def test_the_catalogue_pages(api: Client) -> None:
    assert [s["store_id"] for s in api("GET", "/stores").json()["items"]] == ["bj01", "sh01", "sh02"]
    first = api("GET", "/products?limit=2").json()
    assert ([p["sku"] for p in first["items"]], first["next_cursor"]) == (["s1", "s2"], "s2")
    assert [p["sku"] for p in api("GET", "/products?cursor=s2&category=care.soap").json()["items"]] == ["s4", "s5"]
    assert {c["category_key"]: c["products"] for c in api("GET", "/categories").json()["items"]}["food.tea"] == 2


def test_permissions_and_brands_keep_others_out(api: Client, http: TestClient, access: Access) -> None:
    audience = api("POST", "/audiences", {"name": "all", "tree": rule("anyone")}, 201).json()["audience_id"]
    reader = with_key(http, access, ["audiences.read"])
    reader("GET", "/audiences")
    reader("POST", "/audiences", {"name": "x", "tree": rule("anyone")}, 403)
    for path in (f"/audiences/{audience}/export", "/overview", "/events", "/stores", "/people/p_1/timeline"):
        reader("GET", path, expect=403)
    other = with_key(http, access, ALL, "other")
    assert other("GET", "/audiences").json()["items"] == []
    assert other("POST", "/audiences/count", {"tree": rule("anyone")}).json()["total"] == 0
    for method, path in (
        ("GET", f"/audiences/{audience}"),
        ("GET", f"/audiences/{audience}/export"),
        ("GET", f"/audiences/{audience}/versions"),
        ("POST", f"/audiences/{audience}/refresh"),
        ("GET", "/people/p_1/timeline"),
    ):
        other(method, path, expect=404)
    assert other("GET", "/stores").json()["items"] == []
    Client(http, {})("GET", "/audiences", expect=401)
