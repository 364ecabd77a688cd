"""The routes of identity, consent and profiles over HTTP: one person's page, decisions, and the scope of callers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from quanyu.access.api import Access
from quanyu.consent.api import Consent
from quanyu.consent.routes import router as consent_router
from quanyu.http import problems
from quanyu.identity.api import Identity
from quanyu.identity.routes import router as identity_router
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.profiles.api import Profiles
from quanyu.profiles.routes import PersonParts
from quanyu.profiles.routes import router as profiles_router
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity.support import Event, batch

ALL = [
    "people.read",
    "people.write",
    "people.reveal",
    "consent.read",
    "consent.write",
    "catalog.read",
    "settings.read",
    "settings.write",
    "audiences.read",
    "journeys.read",
    "audit.read",
]
PHONE = ("phone", "13912340001")


class Api:
    """A client of the product with one key."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}

    def __call__(self, method: str, path: str, body: Any = None, expect: int = 200, **query: Any) -> Any:
        answer = self._client.request(method, path, json=body, params=query, headers=self._headers)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def access(state: State, clock: ManualClock, ids: SeededIds) -> Access:
    found = Access(state, clock, ids)
    for key in ("one", "two"):
        found.brands.create(key=key, name=Label(key, key), currency="CNY", time_zone="Asia/Shanghai")
    return found


@pytest.fixture
def client(state: State, vault: Vault, clock: ManualClock, ids: SeededIds, access: Access) -> Iterator[TestClient]:
    identity = Identity(state, vault, clock, ids, access.audit)
    consent = Consent(state, identity, clock, access.audit)
    profiles = Profiles(state, identity, vault, clock, ids, access.audit, made_sources=lambda: {"made"})
    parts = PersonParts(
        audiences=lambda _number, _scope: [("a_1", "VIP")],
        categories=lambda _number, _scope: [("tea", Label("茶", "Tea"), 500)],
    )
    app = FastAPI()
    problems.install(app)
    app.include_router(identity_router(identity, access.guard))
    app.include_router(consent_router(consent, access.guard))
    app.include_router(profiles_router(profiles, consent, access.guard, parts))
    events = [
        Event(1, (("member_no", "M1"), PHONE, ("anonymous_id", "c1")), "identified", event_id="e1"),
        Event(2, (("member_no", "M2"), PHONE), "order_paid", more={"amount": 900, "store_id": "S1"}),
        Event(3, (("member_no", "M1"),), "identified", traits={"set": {"name": "李雷", "city": "上海"}}),
    ]
    with state.write() as tx:
        table = batch(events)
        resolved = identity.resolve(tx, table)
        consent.apply(tx, table, resolved)
        profiles.apply(tx, table, resolved)
    with TestClient(app) as opened:
        yield opened


def key_of(access: Access, permissions: list[str], brands: list[str]) -> str:
    with access.state.write() as tx:
        return str(access.clients.create(tx, name="test", permissions=permissions, brands=brands)[1])


@pytest.fixture
def api(client: TestClient, access: Access) -> Api:
    return Api(client, key_of(access, ALL, ["one"]))


def test_a_page_leaves_out_what_the_caller_may_not_read(client: TestClient, access: Access) -> None:
    api = Api(client, key_of(access, ["people.read"], ["one"]))
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    page = api("GET", f"/people/{found['person_id']}")
    assert page["links"]
    assert (page["audiences"], page["journeys"], page["consent"]) == ([], [], [])


def test_a_person_s_page_explains_every_link(api: Api) -> None:
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    page = api("GET", f"/people/{found['person_id']}")
    assert page["person"]["name"] == "李*"
    assert {one["namespace"]: one["masked"] for one in page["identifiers"]}["phone"] == "139****0001"
    by_status = {one["status"]: one for one in page["links"]}
    words = {"zh": "识别客户", "en": "Identified"}
    first = {"source": "web", "event_id": "e1", "name": "identified", "name_label": words}
    assert by_status["accepted"]["event"] == first
    assert "member number" in by_status["refused"]["reason"]["en"]
    traits = {one["name"]: (one["value"], one["personal"]) for one in page["traits"]}
    assert traits == {"name": ("李*", True), "city": ("上海", False)}
    assert page["audiences"] == [{"audience_id": "a_1", "name": "VIP"}]
    assert page["stats"]["categories"][0]["category_key"] == "tea"
    assert {one["status"] for one in page["consent"]} == {"unknown"}


def test_an_identifier_was_last_seen_with_another_one_or_by_itself(
    api: Api, state: State, vault: Vault, clock: ManualClock, ids: SeededIds, access: Access
) -> None:
    identity = Identity(state, vault, clock, ids, access.audit)
    profiles = Profiles(state, identity, vault, clock, ids, access.audit)
    day = 86_400_000_000
    with state.write() as tx:
        table = batch(
            [
                Event(2 * day, (("member_no", "M1"), ("anonymous_id", "c1")), event_id="both"),
                Event(5 * day, (("member_no", "M1"),), event_id="alone"),
                Event(1 * day, (("member_no", "M1"),), event_id="late to come"),
            ]
        )
        profiles.apply(tx, table, identity.resolve(tx, table))
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    page = api("GET", f"/people/{found['person_id']}")
    seen = {one["namespace"]: one["last_seen_at"] for one in page["identifiers"]}
    assert seen["member_no"] == "1970-01-06T00:00:00Z"
    assert seen["anonymous_id"] == "1970-01-03T00:00:00Z"
    assert seen["phone"].startswith("1970-01-01T00:00:00"), "not seen since it was learnt"


def test_a_refused_link_can_be_accepted_previewed_and_taken_back(api: Api) -> None:
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    page = api("GET", f"/people/{found['person_id']}")
    refused = next(one["link_id"] for one in page["links"] if one["status"] == "refused")
    preview = api("POST", f"/identity/links/{refused}/accept", {"reason": "same family"}, preview=True)
    assert (preview["people_before"], preview["people_after"], preview["preview"]) == (2, 1, True)
    assert len(api("POST", "/people/search", {})["items"]) == 2
    api("POST", f"/identity/links/{refused}/accept", {"reason": "same person"})
    assert len(api("POST", "/people/search", {})["items"]) == 1
    assert api("POST", f"/identity/links/{refused}/accept", {"reason": "again"}, 409)["code"] == "link_state_wrong"
    back = api("POST", f"/identity/links/{refused}/restore")
    assert back["people_after"] == 2
    assert api("GET", f"/people/{found['person_id']}")["person"]["identifiers"] == 3


def test_merge_and_deny_are_explained_and_audited(api: Api, access: Access) -> None:
    everybody = [one["person_id"] for one in api("POST", "/people/search", {})["items"]]
    merged = api("POST", "/people/merge", {"person_ids": everybody, "reason": "called in"})
    assert merged["merged"] == 2
    left = api("POST", f"/identity/links/{merged['link_id']}/deny", {"reason": "mistake"})
    assert sorted(left["people"]) == sorted(everybody)
    assert (
        api("POST", "/people/merge", {"person_ids": everybody[:1] * 2, "reason": "x"}, 422)["code"]
        == "nothing_to_merge"
    )
    entries = access.audit.entries(access.brands.get("one").scope())
    assert [entry.action for entry in entries] == ["link_denied", "people_merged"]
    assert entries[1].detail["reason"] == "called in"


def test_revealing_is_audited_and_needs_the_permission(client: TestClient, api: Api, access: Access) -> None:
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    path = f"/people/{found['person_id']}/reveal"
    page = api("GET", f"/people/{found['person_id']}")
    phone = next(one["identifier_id"] for one in page["identifiers"] if one["namespace"] == "phone")
    assert api("POST", path, {"identifier_id": phone, "reason": "call back"}) == {"value": "+8613912340001"}
    assert api("POST", path, {"trait": "name", "reason": "call back"}) == {"value": "李雷"}
    assert api("POST", path, {"reason": "call back"}, 422)["code"] == "reveal_what"
    assert api("POST", path, {"trait": "income", "reason": "call back"}, 404)["code"] == "trait_not_found"
    assert api("POST", path, {"identifier_id": 999, "reason": "call back"}, 404)["code"] == "identifier_not_found"
    reader = Api(client, key_of(access, ["people.read"], ["one"]))
    assert reader("POST", path, {"identifier_id": phone, "reason": "call back"}, 403)["code"] == "permission_denied"
    entries = access.audit.entries(access.brands.get("one").scope(), action="person_revealed")
    assert len(entries) == 2
    assert "13912340001" not in str(entries)


def test_another_brand_sees_nothing(client: TestClient, api: Api, access: Access) -> None:
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    page = api("GET", f"/people/{found['person_id']}")
    stranger = Api(client, key_of(access, ALL, ["two"]))
    assert stranger("POST", "/people/search", {}) == {"items": [], "next_cursor": None, "total": 0}
    stranger("GET", f"/people/{found['person_id']}", None, 404)
    link = page["links"][0]["link_id"]
    stranger("POST", f"/identity/links/{link}/deny", {"reason": "x"}, 404)
    stranger("POST", "/people/merge", {"person_ids": [found["person_id"], "p_x"], "reason": "x"}, 404)
    stranger("PUT", f"/people/{found['person_id']}/tags", {"add": []}, 404)
    words = {"purpose": "marketing", "channel": "sms", "status": "granted"}
    stranger("POST", f"/people/{found['person_id']}/consent", words, 404)
    stranger("GET", "/consent/ledger", None, 404, person_id=found["person_id"])
    assert stranger("GET", "/consent/ledger")["items"] == []
    assert all(
        one["granted"] + one["denied"] + one["unknown"] == 0 for one in stranger("GET", "/consent/summary")["items"]
    )
    assert stranger("GET", "/tags")["items"] == []


def test_consent_and_tags_over_http(api: Api) -> None:
    (found,) = api("POST", "/people/search", {"q": "M1"})["items"]
    words = {"purpose": "marketing", "channel": "sms", "status": "granted", "evidence": "form 12"}
    made = api("POST", f"/people/{found['person_id']}/consent", words, 201)
    value = {"identifier": {"namespace": "phone", "value": "139-1234-0001"}} | words | {"status": "withdrawn"}
    api("POST", "/consent", value, 201)
    ledger = api("GET", "/consent/ledger", None, 200, person_id=found["person_id"])["items"]
    assert [one["status"] for one in ledger] == ["denied", "granted"]
    assert ledger[1]["consent_id"] == made["consent_id"]
    assert api("GET", "/consent/ledger/verification") == {"intact": True, "entries": 2, "broken_at": None}
    sms = next(one for one in api("GET", "/consent/summary")["items"] if one["channel"] == "sms")
    assert (sms["granted"], sms["denied"], sms["unknown"]) == (0, 1, 1)
    api("POST", "/consent", value | {"purpose": "spam"}, 422)
    tag = api("POST", "/tags", {"name": "新客", "group": {"zh": "阶段", "en": "Stage"}}, 201)
    api("PUT", f"/people/{found['person_id']}/tags", {"add": [tag["tag_id"]]})
    assert api("GET", "/tags")["items"][0]["people"] == 1
    assert api("PUT", f"/people/{found['person_id']}/tags", {"remove": [tag["tag_id"]]}) == {"tags": []}


def test_blocking_a_value_lets_its_people_go(api: Api) -> None:
    (found,) = api("POST", "/people/search", {"q": "13912340001"})["items"]
    body = {"values": [{"namespace": "phone", "value": "13912340001"}], "reason": "the shop's own phone"}
    assert api("POST", "/identity/blocked-values", body, 201) == {"blocked": 1}
    assert api("POST", "/identity/blocked-values", body, 201) == {"blocked": 0}
    assert api("POST", "/people/search", {"q": "13912340001"})["items"] == []
    assert api("GET", f"/people/{found['person_id']}")["person"]["phone"] is None
    policies = {one["namespace"]: one for one in api("GET", "/identity/policies")["items"]}
    assert "13800138000" in policies["phone"]["blocked"]
    assert "139****0001" not in policies["phone"]["blocked"], "what one brand blocked is on its own list"
    assert policies["phone"]["max_people"] == 3


def test_a_blocked_value_is_listed_with_its_reason_and_can_be_taken_back(
    client: TestClient, access: Access, api: Api
) -> None:
    def person(q: str) -> str | None:
        found = api("POST", "/people/search", {"q": q})["items"]
        return found[0]["person_id"] if found else None

    member = person("M1")
    assert person("13912340001") == member
    for number, reason in (("13912340001", "the shop's own phone"), ("13912340002", "a demonstrator")):
        body = {"values": [{"namespace": "phone", "value": number}], "reason": reason}
        api("POST", "/identity/blocked-values", body, 201)
    newest = api("GET", "/identity/blocked-values", limit=1)
    (stranger,) = newest["items"]
    rest = api("GET", "/identity/blocked-values", limit=1, cursor=newest["next_cursor"])
    (shop,) = rest["items"]
    assert {one["masked"]: one["reason"] for one in (shop, stranger)} == {
        "139****0001": "the shop's own phone",
        "139****0002": "a demonstrator",
    }
    assert (newest["total"], shop["blocked_by"], shop["namespace_label"]["en"]) == (2, "test", "Phone")
    if shop["masked"] != "139****0001":
        shop, stranger = stranger, shop
    assert person("13912340001") is None

    reader = Api(client, key_of(access, ["settings.read"], ["one"]))
    other = Api(client, key_of(access, ALL, ["two"]))
    way = f"/identity/blocked-values/{shop['value_id']}/unblock"
    reader("POST", way, {"reason": "ours again"}, 403)
    assert other("GET", "/identity/blocked-values")["items"] == []
    other("POST", way, {"reason": "not theirs"}, 404)
    api("POST", way, {"reason": ""}, 422)
    api("POST", way, {"reason": "a customer has this number now"}, 204)
    api("POST", way, {"reason": "again"}, 404)
    assert person("13912340001") == member, "as if it had never been blocked"
    assert api("GET", f"/people/{member}")["person"]["phone"] == "139****0001"
    # A value that nobody was ever seen with has nobody to come back to.
    api("POST", f"/identity/blocked-values/{stranger['value_id']}/unblock", {"reason": "a mistake"}, 204)
    assert reader("GET", "/identity/blocked-values") == {"items": [], "next_cursor": None, "total": 0}
