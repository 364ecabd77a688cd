"""Quarantined events can be read by whoever may, mended, replayed once, or given up; the books follow."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from quanyu.access.api import Access
from quanyu.access.contracts import system_caller
from quanyu.events.contracts import EVENT_SCHEMA, FrameHeader
from quanyu.events.quarantine import Chosen
from quanyu.events.reconcile import Reconciliation
from quanyu.events.routes import router
from quanyu.events.routes_quarantine import router as quarantine_router
from quanyu.http import problems
from quanyu.kernel.clock import SystemClock
from quanyu.kernel.errors import Conflict, NotFound
from quanyu.kernel.ids import SystemIds
from quanyu.kernel.label import Label
from quanyu.storage.history import History
from tests.unit.events.conftest import World

NOW = 1_790_000_000_000_000


def refuse(world: World, **more: object) -> str:
    call = {"type": "track", "event": "E", "userId": "u", "messageId": "m", "timestamp": "never", **more}
    body = json.dumps({"batch": [call], "sentAt": "2026-09-21T14:13:20Z"}).encode()
    world.events.log.append_now([(FrameHeader(NOW, "segment", "web", 1, "batch"), body)])
    world.drain()
    (item,), _ = world.events.quarantine.list(world.brand.scope(), Chosen(status="held"))
    return item.quarantine_id


def replay(world: World, quarantine_id: str, body: bytes | None = None) -> tuple[str, str | None]:
    with world.state.write() as tx:
        done = world.events.quarantine.replay(tx, system_caller(world.brand.scope()), quarantine_id, body)
    return done.outcome, done.reason


def mended(**more: object) -> bytes:
    return json.dumps({"type": "track", "event": "E", "userId": "u", "messageId": "m", **more}).encode()


def test_replaying_what_is_still_wrong_changes_nothing(both_worlds: World) -> None:
    world = both_worlds
    quarantine_id = refuse(world)
    assert replay(world, quarantine_id) == ("quarantined", "bad_time")
    assert replay(world, quarantine_id, b"{nonsense") == ("quarantined", "malformed_json")
    assert world.drain().empty
    assert world.books()["quarantined"] == 1


def test_a_mended_event_is_stored_once_at_its_own_time_and_the_books_follow(both_worlds: World) -> None:
    world = both_worlds
    quarantine_id = refuse(world)
    body = mended(timestamp="2026-09-21T14:13:10Z")
    assert replay(world, quarantine_id, body) == ("stored", None)
    with pytest.raises(Conflict):
        replay(world, quarantine_id, body)
    (row,) = world.drain().table.to_pylist()
    # Received when it was first received, so the envelope's sentAt corrects it as it would have then.
    assert row["received_at"] == NOW
    assert NOW - row["occurred_at"] == 10_000_000
    assert world.books() == {"accepted": 1, "stored": 1, "duplicate": 0, "quarantined": 0, "pending": 0}
    assert world.events.quarantine.list(world.brand.scope(), Chosen(status="held"))[1] == 0


def test_an_event_that_came_again_by_itself_is_a_duplicate(world: World) -> None:
    quarantine_id = refuse(world)
    header = FrameHeader(NOW, "segment", "web", 1, "track")
    world.events.log.append_now([(header, mended())])
    world.drain()
    assert replay(world, quarantine_id, mended()) == ("duplicate", None)
    assert world.drain().table.num_rows == 0
    assert world.books() == {"accepted": 2, "stored": 1, "duplicate": 1, "quarantined": 0, "pending": 0}


def test_a_whole_body_that_was_mended_counts_all_its_events(world: World) -> None:
    header = FrameHeader(NOW, "segment", "web", 1, "batch", reason="malformed_json", detail="x")
    world.events.log.append_now([(header, b'{"batch":[')])
    world.drain()
    (item,), _ = world.events.quarantine.list(world.brand.scope())
    calls = [json.loads(mended(messageId=str(n))) for n in range(3)]
    assert replay(world, item.quarantine_id, json.dumps({"batch": calls}).encode())[0] == "stored"
    assert world.drain().table.num_rows == 3
    assert world.books() == {"accepted": 3, "stored": 3, "duplicate": 0, "quarantined": 0, "pending": 0}


def test_a_replay_repeated_by_a_crash_is_settled_once(world: World) -> None:
    quarantine_id = refuse(world)

    class Crash(Exception):
        pass

    def crashing() -> None:
        with world.state.write() as tx:
            world.events.quarantine.replay(tx, system_caller(world.brand.scope()), quarantine_id, mended())
            raise Crash

    with pytest.raises(Crash):
        crashing()
    assert replay(world, quarantine_id, mended())[0] == "stored"
    assert world.drain().table.num_rows == 1
    assert world.books() == {"accepted": 1, "stored": 1, "duplicate": 0, "quarantined": 0, "pending": 0}


def test_a_discarded_event_stays_in_the_books_and_cannot_be_replayed(both_worlds: World) -> None:
    world = both_worlds
    quarantine_id = refuse(world)
    with world.state.write() as tx:
        world.events.quarantine.discard(tx, system_caller(world.brand.scope()), quarantine_id, "test traffic")
    (item,), _ = world.events.quarantine.list(world.brand.scope(), Chosen(status="discarded"))
    assert item.note == "test traffic"
    with pytest.raises(Conflict):
        replay(world, quarantine_id, mended())
    assert world.books()["quarantined"] == 1


def test_another_brand_sees_nothing(world: World) -> None:
    from quanyu.access.api import Brands

    quarantine_id = refuse(world)
    other = Brands(world.state, SystemClock()).create(
        key="other", name=Label("别家", "Other"), currency="CNY", time_zone="Asia/Shanghai"
    )
    scope = other.scope()
    assert world.events.quarantine.list(scope) == ([], 0)
    assert world.events.list_sources(scope) == []
    with pytest.raises(NotFound):
        world.events.quarantine.read(scope, quarantine_id)
    with world.state.write() as tx, pytest.raises(NotFound):
        world.events.quarantine.replay(tx, system_caller(scope), quarantine_id, None)
    with world.state.write() as tx, pytest.raises(NotFound):
        world.events.quarantine.discard(tx, system_caller(scope), quarantine_id, "x")


def test_pages_follow_each_other_without_gap_or_repetition(both_worlds: World) -> None:
    world = both_worlds
    calls = [{"type": "track", "event": "E", "messageId": str(n)} for n in range(25)]
    for part in (calls[:10], calls[10:]):
        body = json.dumps({"batch": part}).encode()
        world.events.log.append_now([(FrameHeader(NOW, "segment", "web", len(part), "batch"), body)])
    world.drain()
    seen: list[str] = []
    before = None
    while True:
        items, total = world.events.quarantine.list(world.brand.scope(), before=before, limit=10)
        assert total == 25
        seen += [item.quarantine_id for item in items]
        if len(items) < 10:
            break
        before = items[-1].seq, items[-1].quarantine_id
    assert len(seen) == len(set(seen)) == 25


# ---------------------------------------------------------------------------------------------------------- routes
@pytest.fixture
def access(world: World) -> Access:
    return Access(world.state, SystemClock(), SystemIds())


@pytest.fixture
def app(world: World, access: Access) -> FastAPI:
    made = FastAPI()
    problems.install(made)
    history = History(world.folder / "history")
    history.declare("events", EVENT_SCHEMA)
    recount = Reconciliation(world.state, history, SystemClock(), "ingest")
    rest = (access.guard, access.audit, world.state)
    made.include_router(router(world.events, recount, *rest), prefix="/api/v1")
    made.include_router(quarantine_router(world.events, *rest), prefix="/api/v1")
    return made


def client(app: FastAPI, world: World, access: Access, *permissions: str) -> TestClient:
    with world.state.write() as tx:
        _, key = access.clients.create(tx, name="test", permissions=list(permissions), brands=["acme"])
    return TestClient(app, headers={"Authorization": f"Bearer {key}"})


def test_routes_of_sources(world: World, access: Access, app: FastAPI) -> None:
    api = client(app, world, access, "sources.read", "sources.write")
    made = api.post("/api/v1/sources", json={"source": "shop", "name": {"zh": "商城", "en": "Shop"}, "kind": "sdk"})
    assert made.status_code == 201
    key = made.json()["write_key"]
    assert key.startswith("wk_")
    again = api.post("/api/v1/sources", json={"source": "shop", "name": {"zh": "商城", "en": "Shop"}, "kind": "sdk"})
    assert again.status_code == 409
    refuse(world)
    listed = {item["source"]: item for item in api.get("/api/v1/sources").json()["items"]}
    assert listed["shop"]["write_key"] != key
    assert key not in json.dumps(listed)
    assert listed["web"] | {"write_key": "", "last_event_at": None} == {
        "source": "web",
        "name": {"zh": "web", "en": "web"},
        "kind": "sdk",
        "protocol": ["segment", "sensors"],
        "brand": "acme",
        "channel": None,
        "write_key": "",
        "accepted": 1,
        "stored": 0,
        "duplicate": 0,
        "quarantined": 1,
        "damaged": 0,
        "pending": 0,
        "balanced": True,
        "last_event_at": None,
        "made": False,
    }
    hours = api.get("/api/v1/sources/web/books", params={"from": "2026-09-21", "to": "2026-09-21"}).json()["items"]
    assert hours == [
        {"hour_at": "2026-09-21T14:00:00Z", "accepted": 1, "stored": 0, "duplicate": 0, "quarantined": 1, "damaged": 0}
    ]
    assert api.get("/api/v1/sources/nope/books").status_code == 404


def test_routes_of_the_quarantine(world: World, access: Access, app: FastAPI) -> None:
    quarantine_id = refuse(world, properties={"note": "call 13800138000"})
    api = client(app, world, access, "sources.read", "sources.write")
    (item,) = api.get("/api/v1/quarantine", params={"reason": "bad_time"}).json()["items"]
    assert item["reason_label"] == {"zh": "时间无法解析", "en": "The time cannot be read"}
    assert item["where"] == "timestamp"
    assert "13800138000" not in json.dumps(item)
    raw = api.get(f"/api/v1/quarantine/{quarantine_id}").json()
    assert raw["masked"]
    assert "13800138000" not in json.dumps(raw)
    revealing = client(app, world, access, "sources.read", "people.reveal")
    raw = revealing.get(f"/api/v1/quarantine/{quarantine_id}").json()
    assert "13800138000" in raw["raw"]
    assert [entry.action for entry in access.audit.entries(world.brand.scope(), limit=10)].count("quarantine_read") == 2
    assert revealing.post(f"/api/v1/quarantine/{quarantine_id}/replay", json={}).status_code == 403
    still = api.post(f"/api/v1/quarantine/{quarantine_id}/replay", json={}).json()
    assert (still["outcome"], still["reason"]) == ("quarantined", "bad_time")
    refused = api.post(f"/api/v1/quarantine/{quarantine_id}/replay", json={"body": mended().decode()})
    assert (refused.status_code, refused.json()["code"]) == (403, "quarantine_masked")  # it would store the mask
    whole = client(app, world, access, "sources.read", "sources.write", "people.reveal")
    done = whole.post(f"/api/v1/quarantine/{quarantine_id}/replay", json={"body": mended().decode()}).json()
    assert done["outcome"] == "stored"
    assert api.post(f"/api/v1/quarantine/{quarantine_id}/discard", json={"reason": "x"}).status_code == 409
    assert api.get("/api/v1/quarantine/q_nope").status_code == 404


def test_a_text_in_which_nothing_is_hidden_is_mended_by_anybody_who_may_write(
    world: World, access: Access, app: FastAPI
) -> None:
    quarantine_id = refuse(world, properties={"note": "nothing personal"})
    api = client(app, world, access, "sources.read", "sources.write")
    assert not api.get(f"/api/v1/quarantine/{quarantine_id}").json()["masked"]
    done = api.post(f"/api/v1/quarantine/{quarantine_id}/replay", json={"body": mended().decode()}).json()
    assert done["outcome"] == "stored"


def test_routes_of_a_replay_in_bulk(world: World, access: Access, app: FastAPI) -> None:
    refuse(world)
    api = client(app, world, access, "sources.read", "sources.write")
    (group,) = api.get("/api/v1/quarantine/groups").json()["items"]
    assert (group["source"], group["reason"], group["items"], group["events"]) == ("web", "bad_time", 1, 1)
    chosen = {"source": "web", "reason": "bad_time", "edits": [{"op": "remove", "path": "timestamp"}]}
    preview = api.post("/api/v1/quarantine/preview", json={**chosen, "edits": []}).json()
    assert (preview["ready"], preview["still"][0]["reason_label"]["zh"]) == (0, "时间无法解析")
    preview = api.post("/api/v1/quarantine/preview", json=chosen).json()
    assert (preview["total"], preview["ready"], preview["stored"], preview["still"]) == (1, 1, 1, [])
    reading = client(app, world, access, "sources.read")
    assert reading.post("/api/v1/quarantine/replays", json=chosen).status_code == 403
    assert api.post("/api/v1/quarantine/replays", json={"edits": [{"op": "eval", "path": "x"}]}).status_code == 422
    made = api.post("/api/v1/quarantine/replays", json=chosen).json()
    assert (made["status"], made["total"], made["edits"][0]["op"]) == ("running", 1, "remove")
    assert api.post("/api/v1/quarantine/replays", json=chosen).status_code == 409
    for _ in range(3):
        world.events.replays.step()
        world.drain()
    done = api.get(f"/api/v1/quarantine/replays/{made['replay_id']}").json()
    assert (done["status"], done["stored"]) == ("done", 1)
    assert api.get("/api/v1/quarantine/replays").json()["items"] == [done]
    assert api.post(f"/api/v1/quarantine/replays/{made['replay_id']}/stop").status_code == 409
    assert api.get("/api/v1/quarantine/groups").json()["items"] == []


def test_routes_of_the_recount(world: World, access: Access, app: FastAPI) -> None:
    api = client(app, world, access, "sources.read", "sources.write")
    assert api.get("/api/v1/books/recount").json() == {"checked_at": None, "full_at": None, "counted": 0, "items": []}
    assert api.post("/api/v1/books/recount").status_code == 202
