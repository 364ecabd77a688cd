"""Routes of the plan and of data quality: published as YAML or object, compared, refused in words, only by who may."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from quanyu.access.api import Access
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.events.observing import Observer
from quanyu.events.plan_learning import Learning
from quanyu.events.quality import Quality
from quanyu.events.reconcile import Reconciliation
from quanyu.events.routes_plan import router as plan_router
from quanyu.events.routes_quality import router as quality_router
from quanyu.http import problems
from quanyu.kernel.clock import SystemClock
from quanyu.kernel.ids import SystemIds
from quanyu.storage.engine import DuckDBEngine
from quanyu.storage.history import History
from tests.unit.events.conftest import World

Client = Callable[..., TestClient]
YAML = """events:
  order_paid:
    rule: quarantine
    properties:
      total:
        type: number
"""


@pytest.fixture
def client(both_worlds: World) -> Client:
    """Makes clients of the routes that hold the given permissions."""
    world, clock = both_worlds, SystemClock()
    access = Access(world.state, clock, SystemIds())
    history = History(world.folder / "history")
    history.declare("events", EVENT_SCHEMA)
    recount = Reconciliation(world.state, history, clock, "ingest")
    observer = Observer(world.state, DuckDBEngine(history, EVENT_SCHEMA), clock)
    quality = Quality(world.state, clock, observer, recount, lambda: [world.brand])
    app = FastAPI()
    problems.install(app)
    rest = (access.guard, access.audit, world.state)
    app.include_router(plan_router(world.events.plans, Learning(world.state, clock), *rest), prefix="/api/v1")
    app.include_router(quality_router(quality, *rest, clock), prefix="/api/v1")

    def make(*permissions: str) -> TestClient:
        with world.state.write() as tx:
            _, key = access.clients.create(tx, name="test", permissions=list(permissions), brands=["acme"])
        return TestClient(app, headers={"Authorization": f"Bearer {key}"})

    return make


def test_a_plan_is_published_compared_and_taken_out_to_the_letter(client: Client) -> None:
    api = client("sources.read", "sources.write")
    assert api.get("/api/v1/plan").json() == {
        "version": 0,
        "plan": {"enforce": False, "undeclared": "allow", "events": {}},
        "labels": {},
    }
    difference = api.post("/api/v1/plan/diff", json={"yaml": YAML}).json()
    assert (difference["breaking"], [one["path"] for one in difference["items"]]) == (True, ["events.order_paid"])
    made = api.post("/api/v1/plan", json={"yaml": YAML, "after": 0, "note": "first"})
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert made.json()["labels"]["order_paid"] == {"zh": "支付订单", "en": "Order paid"}
    out = api.get("/api/v1/plan/yaml")
    assert out.text == YAML
    assert 'filename="tracking-plan-acme-v1.yaml"' in out.headers["content-disposition"]
    plan = made.json()["plan"]
    plan["events"]["order_paid"]["properties"]["total"]["required"] = True
    assert api.post("/api/v1/plan", json={"plan": plan, "after": 1}).json()["version"] == 2
    late = api.post("/api/v1/plan", json={"plan": plan, "after": 1})
    assert (late.status_code, late.json()["code"]) == (409, "plan_changed")
    (change,) = api.get("/api/v1/plan/diff", params={"before": 1, "after": 2}).json()["items"]
    assert (change["path"], change["before"], change["after"], change["breaking"]) == (
        "events.order_paid.properties.total.required",
        False,
        True,
        True,
    )
    versions = api.get("/api/v1/plan/versions").json()["items"]
    assert [(one["version"], one["note"], one["properties"]) for one in versions] == [(2, "", 1), (1, "first", 1)]
    assert api.get("/api/v1/plan", params={"version": 1}).json()["version"] == 1
    assert api.get("/api/v1/plan", params={"version": 9}).status_code == 404


def test_a_wrong_plan_is_refused_with_its_place_and_nothing_is_published(client: Client) -> None:
    api = client("sources.read", "sources.write")
    wrong = api.post("/api/v1/plan", json={"yaml": "events: {a: {properties: {b: {type: money}}}}"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "plan_invalid")
    assert "type" in wrong.json()["detail"]
    assert api.post("/api/v1/plan", json={"plan": {"events": {"a": {"rule": "burn"}}}}).status_code == 422
    assert api.get("/api/v1/plan").json()["version"] == 0


def test_who_only_reads_publishes_nothing(client: Client) -> None:
    api = client("sources.read")
    assert api.get("/api/v1/plan/violations").json()["items"] == []
    assert api.get("/api/v1/plan/proposals").json()["items"] == []
    assert api.post("/api/v1/plan", json={"yaml": YAML}).status_code == 403
    assert api.post("/api/v1/quality/check").status_code == 403
    assert client("people.read").get("/api/v1/plan").status_code == 403


def test_quality_answers_before_the_first_check(client: Client) -> None:
    api = client("sources.read", "sources.write")
    found = api.get("/api/v1/quality/problems").json()
    assert (found["items"], found["checked_at"]) == ([], None)
    sources = api.get("/api/v1/quality/sources").json()["items"]
    assert [(one["source"], one["events"], one["days"]) for one in sources] == [
        (source, 0, [0] * 14) for source in ("other", "pos", "web")
    ]
    assert api.post("/api/v1/quality/check").status_code == 202
    assert api.post("/api/v1/quality/problems/pb_nope/mute", json={"days": 1}).status_code == 404
