"""The demonstration as a visitor meets it: one command, and within a minute of `ready` every number of it lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import Api, eventually, free_port

pytestmark = pytest.mark.slow

LIVE = ("entered", "waiting", "sent", "delivered", "read", "redeemed", "converted")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A demonstration in English that has said `ready`: its folder and address."""
    around = tmp_path_factory.mktemp("demo")
    folder, port, log = around / "demo", free_port(), around / "demo.log"
    command = ["demo", "--data-dir", str(folder), "--port", str(port), "--language", "en"]
    with log.open("wb") as target:
        process = subprocess.Popen(
            [sys.executable, "-m", "quanyu", *command, "--sandbox-port", str(free_port())],
            stdout=target,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )

    def ready() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        return f"\nready http://127.0.0.1:{port}\n" in log.read_text(encoding="utf-8")

    try:
        eventually("the demo is ready", ready, within=1200, every=0.5)
        yield folder, f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def owner_of(folder: Path, base: str) -> tuple[Api, dict[str, Any]]:
    """The owner, signed in, and the file that said how."""
    login = json.loads((folder / "demo-login.json").read_text(encoding="utf-8"))
    owner = Api(base, language="en")
    owner.sign_in(login["username"], login["password"])
    return owner, login


def numbers(api: Api, journey: str) -> dict[str, Any]:
    """The sums over a journey's nodes, and what stopped sends."""
    found = api.get(f"/journeys/{journey}/report")
    sums: dict[str, Any] = {name: sum(node[name] for node in found["nodes"]) for name in LIVE}
    sums["reasons"] = {item["reason"] for node in found["nodes"] for item in node["suppressed"]}
    return sums


def test_a_visitor_finds_it_alive_named_and_private(demo: tuple[Path, str]) -> None:
    folder, base = demo
    owner, login = owner_of(folder, base)
    journeys = {one["name"]: one["journey_id"] for one in owner.get("/journeys")["items"]}
    assert set(journeys) == {"Abandoned cart", "Welcome new friends"}

    def alive() -> bool:
        cart, welcome = (numbers(owner, journeys[name]) for name in ("Abandoned cart", "Welcome new friends"))
        return all(cart[name] for name in LIVE) and bool(cart["reasons"] and welcome["entered"] and welcome["sent"])

    # A minute on a machine of one's own; this one may be shared.
    eventually("every number of the journeys is above zero", alive, within=150, every=1)

    tags = owner.get("/tags")["items"]
    assert len({tag["group"]["en"] for tag in tags}) == 3
    assert all(tag["people"] > 0 and "(made for the demo)" in tag["group"]["en"] for tag in tags)
    traits = owner.get("/predicates/options", source="traits")["items"]
    assert {"member_level", "household_type", "age_band"} <= {one["value"] for one in traits}
    for one in traits:
        assert one["label"]["zh"] != one["value"], one
        assert one["label"]["en"] != one["value"], one

    kept = [path for path in folder.iterdir() if path.suffix == ".json"]
    assert {path.name for path in kept} == {"demo.json", "demo-login.json", "customers.json", "catalogue.json"}
    assert folder.stat().st_mode & 0o077 == 0
    for path in kept:
        assert path.stat().st_mode & 0o077 == 0, path
    facts = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert facts["prepared"] is True
    assert not set(facts) & set(login)


def test_a_visitor_finds_a_plan_in_force_and_what_breaks_it_and_mends_it(demo: tuple[Path, str]) -> None:
    owner, _ = owner_of(*demo)
    plan = owner.get("/plan")
    assert (plan["version"], plan["plan"]["enforce"]) == (2, True)
    assert all(event["description"] and event["owner"] for event in plan["plan"]["events"].values())
    revenue = plan["plan"]["events"]["order_submitted"]["properties"]["revenue"]
    assert (revenue["type"], revenue["unit"], revenue["owner"]) == ("number", "US dollars", "Store systems")
    assert [one["version"] for one in owner.get("/plan/versions")["items"]] == [2, 1]
    changes = {one["path"]: one for one in owner.get("/plan/diff", before=1, after=2)["items"]}
    assert (changes["enforce"]["before"], changes["enforce"]["after"]) == (False, True)
    assert changes["events.order_submitted.properties.pay_with.allowed"]["after"] == [
        "wechat",
        "alipay",
        "card",
        "cash",
    ]
    assert changes["events.campaign_mailed.properties.campaign_type.allowed"]["breaking"] is True

    # Ever more kiosks have the broken release in the last three days; nobody else breaks the plan.
    growing = [0, 0, 0, 0, 1, 2, 4]
    assert {
        (one["source"], one["name"], one["property"], one["reason"]): one["trend"]
        for one in owner.get("/plan/violations")["items"]
    } == {
        ("store_kiosk", "products_searched", "results", "wrong_type"): [6 * one for one in growing],
        ("store_kiosk", "products_searched", "fps", "undeclared_property"): [6 * one for one in growing],
        ("store_kiosk", "products_searched", "screen", "missing_property"): growing,
        ("store_kiosk", "order_submitted", "pay_with", "not_allowed"): growing,
    }
    imported, stock = owner.get("/imports")["items"]
    assert [stock[name] for name in ("status", "rows", "events", "fresh", "bad")] == ["done", 360, 360, 360, 0]
    assert [imported[name] for name in ("status", "rows", "events", "fresh", "bad")] == ["done", 120, 115, 115, 5]
    assert [row["reason"] for row in owner.get(f"/imports/{imported['job_id']}/errors")["items"]] == [
        "row_key_missing",
        "row_time_unreadable",
        "row_number_unreadable",
        "row_value_unknown",
        "row_ragged",
    ]

    def problems() -> set[tuple[str, str, str]]:
        found = owner.get("/quality/problems")["items"]
        return {(one["source"], one["kind"], one["property"]) for one in found}

    assert eventually("the worker has looked at the data", problems, within=150, every=1) == {
        ("store_kiosk", "broken_plan", "pay_with"),
        ("store_kiosk", "broken_plan", "results"),
        ("store_kiosk", "broken_plan", "fps"),
        ("store_kiosk", "missing_required", "screen"),
        ("store_kiosk", "quarantine", "bad_amount"),
    }

    assert held(owner) == {
        "bad_amount": 21,
        "bad_time": 7,
        "no_identifier": 7,
        "not_allowed": 7,
        "bad_gzip": 1,
        "malformed_json": 1,
        "not_utf8": 1,
    }
    mended = {"source": "store_kiosk", "reason": "bad_amount"}
    mended["edits"] = [{"op": "number", "path": "properties.revenue"}]  # type: ignore[assignment]
    assert owner.post("/quarantine/preview", mended)["ready"] == 21
    replay = owner.post("/quarantine/replays", mended)["replay_id"]
    done = eventually(
        "the mended orders are stored",
        lambda: [one for one in [owner.get(f"/quarantine/replays/{replay}")] if one["status"] == "done"],
        within=120,
    )
    assert (done[0]["stored"], done[0]["still"]) == (21, 0)
    assert "bad_amount" not in held(owner)

    sources = {one["source"]: one for one in owner.get("/sources")["items"]}
    assert all(one["balanced"] for one in sources.values()), sources
    kiosk = sources["store_kiosk"]
    assert [kiosk[name] for name in ("made", "accepted", "duplicate", "quarantined")] == [True, 339, 0, 24]
    assert sources["journey.demo_member_file"]["made"] is True
    owner.post("/books/recount")
    recount = eventually(
        "the stores are recounted", lambda: [one for one in [owner.get("/books/recount")] if one["full_at"]], within=120
    )
    assert recount[0]["items"] == []


def test_a_visitor_finds_stock_with_shelves_that_are_empty_or_nearly(demo: tuple[Path, str]) -> None:
    owner, _ = owner_of(*demo)
    found = owner.get("/stock", state="reported", limit=100)["items"]
    assert [(one["stores"], bool(one["name"])) for one in found] == [(9, True)] * 40
    assert len(owner.get("/stock", state="out")["items"]) == 10
    assert len(owner.get("/stock", state="short")["items"]) == 25
    bananas = owner.get("/stock/stores", sku="1082185")["items"]
    assert len(bananas) == 9
    (source,) = [one for one in owner.get("/sources")["items"] if one["source"] == "journey.demo_stock_file"]
    assert [source[name] for name in ("made", "accepted", "stored", "quarantined")] == [True, 360, 360, 0]


def held(api: Api) -> dict[str, int]:
    """The kiosk's events in quarantine by reason."""
    groups = api.get("/quarantine/groups", source="store_kiosk")["items"]
    return {one["reason"]: one["events"] for one in groups}
