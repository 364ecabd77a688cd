# ruff: noqa: E501 - rows of files stand here as they are
"""People, products and stores by mapping: traits, tags and consent arrive, and no phone stands anywhere in clear."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from quanyu.app import web
from quanyu.kernel.errors import Conflict, Invalid, NotFound
from tests.unit.imports.conftest import World

MEMBERS = {
    "target": "people",
    "key": ["手机号"],
    "identifiers": [{"namespace": "phone", "column": "手机号"}, {"namespace": "member_no", "column": "会员号"}],
    "traits": {"city": "城市", "points": {"column": "积分", "type": "number"}},
    "tags": [{"group": "会员标签", "column": "标签"}],
    "consent": [{"purpose": "marketing", "channel": "sms", "column": "同意短信", "withdrawn": ["否"]}],
}
FILE = '手机号,会员号,城市,积分,标签,同意短信\n13800000001,M1,上海,"1,200",高价值;新客,是\n13800000002,M2,北京,x,,否\n,,广州,1,,\n'


def test_people_come_with_traits_tags_and_consent(world: World) -> None:
    job = world.bring(FILE.replace("x,,否", "7,,否"), MEMBERS)
    assert (job.status, job.rows, job.events, job.bad) == ("done", 3, 2, 1)
    profiles, consent = world.product.profiles, world.product.consent
    with world.product.state.read() as tx:
        (number,) = profiles.identity.find(tx, "13800000001", world.scope)
        (someone,) = profiles.identity.people_by_id(tx, [number], world.scope)
        traits = {one.name: one.value for one in profiles.traits_of(tx, someone)}
        tags = {(one.group.zh, one.name.zh) for one in profiles.tags_of(tx, someone)}
    assert traits == {"city": "上海", "points": "1200"}
    assert tags == {("会员标签", "高价值"), ("会员标签", "新客")}
    assert consent is not None
    events = world.events()
    assert [event["name"] for event in events] == ["identified", "identified"]
    assert all(event["event_id"].startswith("k:") for event in events), "a phone as the key must not stand in history"
    assert "1380000" not in str(events)


def test_a_changed_member_is_described_anew_and_an_unchanged_one_is_not(world: World) -> None:
    first = world.bring(FILE, MEMBERS)
    assert (first.fresh, first.bad) == (1, 2)
    again = world.bring(FILE.replace("上海", "杭州"), first.mapping_id)
    assert (again.fresh, again.corrected, again.unchanged) == (0, 1, 0)
    third = world.bring(FILE.replace("上海", "杭州"), first.mapping_id)
    assert (third.fresh, third.corrected, third.unchanged) == (0, 0, 1)
    with world.product.state.read() as tx:
        (number,) = world.product.identity.find(tx, "M1", world.scope)
        (someone,) = world.product.identity.people_by_id(tx, [number], world.scope)
        traits = {one.name: one.value for one in world.product.profiles.traits_of(tx, someone)}
    assert traits["city"] == "杭州"


def test_products_and_stores_reach_the_catalogue(world: World) -> None:
    products = {"target": "products", "key": ["货号"], "fields": {"sku": "货号", "name": "品名", "category": "品类"}}
    job = world.bring("货号,品名,品类\nS1,牛奶,乳品\nS2,面包,\n,无货号,x\n", products)
    assert (job.fresh, job.bad) == (2, 1)
    found = world.product.commerce.products(world.scope, ["S1", "S2"])
    assert {sku: (one.name.zh, one.category.zh) for sku, one in found.items()} == {
        "S1": ("牛奶", "乳品"),
        "S2": ("面包", "未分类"),
    }
    stores = {"target": "stores", "key": ["编码"], "fields": {"store_id": "编码", "name": "门店", "region": "区域"}}
    world.bring("编码,门店,区域\nD1,南京路店,华东\n", stores)
    assert world.product.commerce.store_names(world.scope)["D1"].zh == "南京路店"


def test_mappings_are_versioned_and_two_editors_do_not_overwrite_each_other(world: World) -> None:
    imports = world.product.imports
    made = imports.save_mapping(world.caller, "members", MEMBERS)
    second = imports.save_mapping(world.caller, "members", MEMBERS, mapping_id=made.mapping_id, version=1)
    assert (made.version, second.version) == (1, 2)
    with pytest.raises(Conflict, match="mapping_stale"):
        imports.save_mapping(world.caller, "members", MEMBERS, mapping_id=made.mapping_id, version=1)
    with pytest.raises(Invalid) as wrong:
        imports.save_mapping(world.caller, "x", {**MEMBERS, "identifiers": [{"namespace": "nonsense", "column": "a"}]})
    assert wrong.value.fields[0].field == "identifiers.0"
    imports.put_mapping_away(world.caller, made.mapping_id)
    assert imports.list_mappings(world.scope) == []
    with pytest.raises(NotFound):
        imports.get_mapping(world.scope, made.mapping_id)


def test_a_mapping_may_be_yaml(world: World) -> None:
    text = "target: events\nkey: [id]\nname: {const: order_paid}\noccurred_at: at\n"
    made = world.product.imports.save_mapping(world.caller, "yaml", text)
    assert made.mapping.key == [["id"]]


def test_a_file_goes_through_http_and_stays_with_its_brand(world: World) -> None:
    access = world.product.access
    access.users.create(
        username="op", name="Op", role="operator", brands=["acme"], password="a long enough password", stores=None, staff_id=None
    )  # fmt: skip
    http = TestClient(web(world.product))
    signed_in = http.post("/api/v1/session", json={"username": "op", "password": "a long enough password"})
    csrf = signed_in.json()["csrf"]
    # The clock of the test stands in the past, so the jar thinks that the cookie has expired.
    http.headers["Cookie"] = signed_in.headers["set-cookie"].split(";")[0]
    http.headers["X-CSRF-Token"] = csrf
    assert (
        http.post("/api/v1/imports/files?name=x.csv", content=FILE.encode(), headers={"X-CSRF-Token": ""}).status_code
        == 403
    )
    kept = http.post("/api/v1/imports/files?name=../../members.csv", content=FILE.encode("gbk")).json()
    assert kept["name"] == ".._.._members.csv"
    found = http.post(f"/api/v1/imports/files/{kept['file_id']}/inspect", json={}).json()
    assert (found["rows"], found["encoding"], found["columns"][0]["looks_like"]) == (3, "gb18030", "phone")
    assert "13800000001" not in str(found)
    assert found["suggestions"][0]["mapping"]["target"] == "people"
    preview = http.post(f"/api/v1/imports/files/{kept['file_id']}/preview", json={"mapping": MEMBERS}).json()
    assert (preview["events"], preview["bad"]) == (1, 2)
    assert "13800000001" not in str(preview)
    wrong = http.post(
        f"/api/v1/imports/files/{kept['file_id']}/preview", json={"mapping": {**MEMBERS, "key": ["没有"]}}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (422, "import_columns_missing")
    mapping = http.post("/api/v1/imports/mappings", json={"name": "会员", "mapping": MEMBERS}).json()
    job = http.post("/api/v1/imports", json={"file_id": kept["file_id"], "mapping_id": mapping["mapping_id"]}).json()
    world.settle()
    done = http.get(f"/api/v1/imports/{job['job_id']}").json()
    assert (done["status"], done["fresh"], done["bad"]) == ("done", 1, 2)
    errors = http.get(f"/api/v1/imports/{job['job_id']}/errors.csv")
    assert errors.headers["content-disposition"].startswith("attachment")
    assert "13800000002" in errors.text  # whoever uploaded the file may mend it
    assert http.delete(f"/api/v1/imports/files/{kept['file_id']}").status_code == 204
    assert http.post(f"/api/v1/imports/files/{kept['file_id']}/inspect", json={}).status_code == 404
    folder = world.product.settings.data_path / "imports"
    assert list(folder.iterdir()) == []
