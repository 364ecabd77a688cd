"""Who answers for consent can check its ledger over HTTP, and finds the row that somebody changed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from quanyu.app import web
from quanyu.consent.tables import consent_entry
from tests.unit.messaging.composed import Composed

PASSWORD = "a long enough password"


@pytest.fixture
def world(installed_url: str, tmp_path: Path) -> Iterator[Composed]:
    made = Composed(tmp_path, installed_url)
    yield made
    made.close()


def ask(world: Composed, role: str, path: str, stores: list[str] | None = None) -> Any:
    """GET as a user of a role."""
    users, name = world.product.access.users, f"{role}{len(world.product.access.users.list())}"
    users.create(username=name, name=name, role=role, brands=["b"], password=PASSWORD, stores=stores)
    session = users.sign_in(name, PASSWORD)
    http = TestClient(web(world.product))
    return http.get(f"/api/v1{path}", headers={"Cookie": f"quanyu_session={session.token}"})


def test_the_compliance_officer_finds_a_changed_line(world: Composed) -> None:
    world.grow(4)
    world.withdraw(2)
    whole = ask(world, "compliance", "/consent/ledger/verification")
    assert (whole.status_code, whole.json()) == (200, {"intact": True, "entries": 5, "broken_at": None})
    lines = ask(world, "compliance", "/consent/ledger").json()["items"]
    assert [line["status"] for line in lines] == ["denied", "granted", "granted", "granted", "granted"]

    # What an intruder with the database in hand would do: turn the withdrawal into a grant.
    with world.product.state.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("ALTER TABLE consent_entry DISABLE TRIGGER ALL"))
        else:
            tx.execute(sa.text("DROP TRIGGER consent_entry_no_update"))
        tx.execute(sa.update(consent_entry).where(consent_entry.c.seq == 5).values(status="granted"))
    broken = ask(world, "compliance", "/consent/ledger/verification").json()
    assert broken == {"intact": False, "entries": 5, "broken_at": 5}


@pytest.mark.parametrize(("role", "stores"), [("analyst", None), ("compliance", ["S1"]), ("owner", ["S1"])])
def test_whoever_does_not_answer_for_the_brand_is_refused(world: Composed, role: str, stores: list[str] | None) -> None:
    for path in ("/consent/ledger/verification", "/audit", "/audit/verification"):
        answer = ask(world, role, path, stores)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
        assert "audit.read" in answer.json()["detail"]
        assert ("整个品牌" in answer.json()["detail"]) is (stores is not None)


def test_the_installations_numbers_are_for_whoever_has_every_brand(world: Composed) -> None:
    told = ask(world, "owner", "/status").json()
    assert (told["worker"]["backlog_events"], told["stores"]["history_rows"]) == (0, 0)
    world.product.access.brands.create(
        key="c", name=world.product.access.brands.get("b").name, currency="CNY", time_zone="UTC"
    )
    kept = ask(world, "owner", "/status").json()
    assert kept["worker"]["backlog_events"] is kept["worker"]["backlog_bytes"] is None
    assert kept["stores"]["history_rows"] is kept["stores"]["history_bytes"] is None
    assert kept["worker"]["alive"] is told["worker"]["alive"] is False
