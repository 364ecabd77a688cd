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


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A demonstration in English that has said `ready`: its folder and address."""
    folder, port, log = tmp_path / "demo", free_port(), tmp_path / "demo.log"
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
        eventually("the demo is ready", ready, within=600, every=0.5)
        yield folder, f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def numbers(api: Api, journey: str) -> dict[str, Any]:
    """The sums over a journey's nodes, and what stopped sends."""
    found = api.get(f"/journeys/{journey}/report")
    sums: dict[str, Any] = {name: sum(node[name] for node in found["nodes"]) for name in LIVE}
    sums["reasons"] = {item["reason"] for node in found["nodes"] for item in node["suppressed"]}
    return sums


def test_a_visitor_finds_it_alive_named_and_private(demo: tuple[Path, str]) -> None:
    folder, base = demo
    login = json.loads((folder / "demo-login.json").read_text(encoding="utf-8"))
    owner = Api(base, language="en")
    owner.sign_in(login["username"], login["password"])
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
