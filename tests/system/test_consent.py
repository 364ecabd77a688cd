"""Who has withdrawn is not written to: before the wish to send, and while sends go out.

That no submission commits after a withdrawal's commit, 1,000 against 10,000 on both databases, is proved in
tests/unit/messaging/test_race.py through the doors of the whole product. Here the same is looked at from outside:
on the phone.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.harness import CORP_ID, Api, Installation, eventually
from tests.system.shop import prepare, userid

CUSTOMERS = 120
BEFORE = range(30)
RACING = range(30, 90)


def withdraw(owner: Api, number: int) -> datetime:
    """Withdraw by a customer's WeCom id; the instant at which the product had answered that it is done."""
    identifier = {"namespace": "external_userid", "value": f"{CORP_ID}:{userid(number)}"}
    owner.post(
        "/consent", {"identifier": identifier, "purpose": "marketing", "channel": "wecom", "status": "withdrawn"}
    )
    return datetime.now(UTC)


@pytest.mark.slow
def test_the_phone_of_whoever_withdrew_stays_silent(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.init()
    try:
        place.start("server", "worker")
        owner, key, journey = prepare(place, CUSTOMERS)
        for number in BEFORE:
            withdraw(owner, number)
        withdrawn: dict[int, datetime] = {}

        def race() -> None:
            for number in RACING:
                withdrawn[number] = withdraw(owner, number)

        racer = threading.Thread(target=race)
        racer.start()
        for number in reversed(range(CUSTOMERS)):  # from the other end: some are written to first, some not
            call = {"userId": f"c{number}", "messageId": f"a{number}", "event": "Product Added"}
            httpx.post(f"{place.base}/v1/track", json=call, auth=(key, ""), timeout=60).raise_for_status()
        racer.join()
        assert len(withdrawn) == len(RACING)

        def ended() -> list[dict[str, Any]] | None:
            found = owner.get("/sends", journey_id=journey, limit=200)["items"]
            open_ones = [one for one in found if one["status"] not in ("accepted", "suppressed")]
            return found if len(found) == CUSTOMERS and not open_ones else None

        sends = eventually("every send has an end", ended, within=120) or []
        owners = {_person(owner, number): number for number in range(CUSTOMERS)}
        accepted = {owners[one["person"]["person_id"]]: one for one in sends if one["status"] == "accepted"}

        def shown() -> set[str]:
            found = httpx.get(f"{place.sandbox}/sandbox/messages", params={"limit": 1000}, timeout=60).json()["items"]
            return {one["external_userid"] for one in found}

        wanted = {userid(number) for number in accepted}
        eventually("the phones show what was accepted", lambda: shown() >= wanted, within=120)
        assert shown() == wanted, "a phone shows what was never accepted"
        assert not set(accepted) & set(BEFORE)
        assert set(accepted) >= set(range(90, CUSTOMERS)), "who agreed is written to: silence would prove nothing"
        late = [
            number
            for number, at in withdrawn.items()
            if number in accepted and datetime.fromisoformat(accepted[number]["submitted_at"]) > at
        ]
        assert late == [], "submitted after the withdrawal had been acknowledged"
        stopped = {one["reason"] for one in sends if one["status"] == "suppressed"}
        assert stopped
        assert all("consent" in str(reason) for reason in stopped)
    finally:
        place.stop()


def _person(owner: Api, number: int) -> str:
    (found,) = owner.post("/people/search", {"q": f"c{number}"})["items"]
    return str(found["person_id"])
