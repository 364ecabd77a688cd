"""Replays in bulk: previewed first, each item once, whoever races and wherever a kill falls; on both databases."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from quanyu.access.contracts import system_caller
from quanyu.events.contracts import FrameHeader
from quanyu.events.mending import Edit, check, mend
from quanyu.events.quarantine import Chosen
from quanyu.events.replays import Replays
from quanyu.events.tables import quarantine
from quanyu.kernel.clock import from_micros
from quanyu.kernel.errors import Conflict, Invalid, NotFound
from tests.unit.events.conftest import World

NOW = 1_790_000_000_000_000
MENDED = [Edit("rename", "when", "timestamp"), Edit("set", "event", value="E")]


def call(n: object, **more: object) -> dict[str, object]:
    """A call without a name: refused until it is given one."""
    return {"type": "track", "userId": "u", "messageId": f"m{n}", "timestamp": "2026-09-21T14:13:10Z", **more}


def send(world: World, calls: list[dict[str, object]], *, at: int = NOW, source: str = "web") -> None:
    body = json.dumps({"batch": calls, "sentAt": "2026-09-21T14:13:20Z"}).encode()
    world.events.log.append_now([(FrameHeader(at, "segment", source, len(calls), "batch"), body)])
    world.drain()


def start(world: World, chosen: Chosen = Chosen(), edits: list[Edit] = MENDED) -> str:  # noqa: B008
    with world.state.write() as tx:
        return world.events.replays.start(tx, system_caller(world.brand.scope()), chosen, edits)


def work(world: World, replays: Replays | None = None) -> None:
    """Take turns like the lanes of a worker until nothing runs any more."""
    replays = replays or world.events.replays
    for _ in range(100):
        more = replays.step()
        batch = world.drain()
        if not more and batch.empty and all(one.status != "running" for one in replays.list(world.brand.scope())):
            return
    raise AssertionError("the replay did not end")


def books(world: World) -> tuple[int, int, int, int]:
    found = world.books()
    return found["accepted"], found["stored"], found["duplicate"], found["quarantined"]


def test_a_preview_says_what_the_replay_then_does(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call(n) for n in range(20)])
    send(world, [call(3, event="E"), call(4, event="E")])  # came again by themselves, whole
    send(world, [call("x", timestamp="never"), call("y", timestamp="never"), call("z", userId=None, event="E")])
    before = books(world)
    found = world.events.replays.preview(world.brand.scope(), Chosen(), MENDED)
    assert (found.total, found.looked, found.ready) == (23, 23, 20)
    assert (found.stored, found.duplicate) == (18, 2)
    assert dict(found.still) == {"bad_time": 2, "no_identifier": 1}
    assert sorted(example.reason for example in found.examples) == ["bad_time", "bad_time", "no_identifier"]
    assert all("never" in example.excerpt for example in found.examples if example.reason == "bad_time")
    assert books(world) == before, "a preview changes nothing"
    replay_id = start(world)
    work(world)
    done = world.events.replays.get(world.brand.scope(), replay_id)
    assert (done.status, done.total, done.done, done.still) == ("done", 23, 20, 3)
    assert (done.stored, done.duplicate) == (18, 2)
    assert books(world) == (25, 20, 2, 3)
    held, _ = world.events.quarantine.list(world.brand.scope(), Chosen(status="held"))
    assert sorted(item.reason for item in held) == ["bad_time", "bad_time", "no_identifier"]


def test_nothing_is_mended_without_edits_and_the_reason_stays(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call(1)])
    replay_id = start(world, edits=[])
    work(world)
    done = world.events.replays.get(world.brand.scope(), replay_id)
    assert (done.done, done.still) == (0, 1)
    assert world.reasons() == ["name_missing"]
    assert books(world) == (1, 0, 0, 1)


def test_a_filter_takes_what_it_names_and_nothing_else(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call(1)])
    send(world, [call(2)], source="other")
    send(world, [call(3)], at=NOW + 3_600_000_000)
    send(world, [call(4, userId=None, event="E")])
    chosen = Chosen(
        source="web", reason="name_missing", since=from_micros(NOW), until=from_micros(NOW) + timedelta(minutes=1)
    )
    assert world.events.replays.preview(world.brand.scope(), chosen, MENDED).total == 1
    replay_id = start(world, chosen)
    work(world)
    assert world.events.replays.get(world.brand.scope(), replay_id).total == 1
    held, total = world.events.quarantine.list(world.brand.scope(), Chosen(status="held"))
    assert total == 3
    assert {item.source for item in held} == {"web", "other"}


def test_two_replays_of_the_same_items_share_them(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call(n) for n in range(10)])
    first = start(world, Chosen(reason="name_missing"))
    with pytest.raises(Conflict):
        start(world)
    send(world, [call(n) for n in range(10, 15)])
    second = start(world)
    # Two workers at once, each with its own idea of what it wrote.
    other = _another(world)
    for _ in range(20):
        other.step()
        world.events.replays.step()
        world.drain()
    done = [world.events.replays.get(world.brand.scope(), one) for one in (first, second)]
    assert [(one.status, one.total, one.stored, one.duplicate) for one in done] == [
        ("done", 10, 10, 0),
        ("done", 5, 5, 0),
    ]
    assert books(world) == (15, 15, 0, 0)


def _another(world: World) -> Replays:
    """What a second process would have: nothing remembered."""
    mine = world.events.replays
    return Replays(mine._state, mine._vault, mine._clock, mine._ids, mine._trials, mine._keys, mine._log)


class Killed(Exception):
    pass


@pytest.mark.parametrize("moment", ["before the log", "after the log"])
@pytest.mark.parametrize("without_ids", [False, True])
def test_a_kill_in_the_middle_repeats_nothing(both_worlds: World, moment: str, without_ids: bool) -> None:
    world = both_worlds
    calls = [call(n) for n in range(8)]
    if without_ids:  # then an event is named by its place in the log, and only the item keeps it single
        calls = [{"type": "track", "userId": f"u{n}"} for n in range(8)]
    send(world, calls)
    replay_id = start(world)

    def write(real: Callable[[Any], None]) -> Callable[[Any], None]:
        def killed(frames: Any) -> None:
            if moment == "after the log":
                real(frames)
            raise Killed

        return killed

    dying = _another(world)
    dying._write = write(dying._write)  # type: ignore[assignment, method-assign]
    with pytest.raises(Killed):
        dying.step()
    # The next worker does not know whether the log has them.
    after = _another(world)
    after.step()
    work(world, after)
    done = after.get(world.brand.scope(), replay_id)
    assert (done.status, done.done, done.stored, done.duplicate) == ("done", 8, 8, 0)
    assert books(world) == (8, 8, 0, 0)


def test_a_replay_written_twice_counts_once_also_when_it_was_decoded_ahead(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call(1)])
    start(world)
    world.events.replays.step()
    ahead = world.events.decode(world.events.read())  # decoded, not yet committed
    again = _another(world)
    again.step()
    world.drain()
    with world.state.write() as tx:
        assert not world.events.commit_books(tx, world.events.deduplicate(ahead))
    assert books(world) == (1, 1, 0, 0)


def test_what_was_stopped_stays_held(both_worlds: World) -> None:
    world = both_worlds
    send(world, [call(n) for n in range(4)])
    replay_id = start(world)
    scope = world.brand.scope()
    with world.state.write() as tx:
        world.events.replays.stop(tx, scope, replay_id)
    assert not world.events.replays.step()
    assert world.events.replays.get(scope, replay_id).status == "stopped"
    assert world.events.quarantine.list(scope, Chosen(status="held"))[1] == 4
    with world.state.write() as tx, pytest.raises(Conflict):
        world.events.replays.stop(tx, scope, replay_id)
    with pytest.raises(NotFound):
        world.events.replays.get(scope, "rp_nope")
    second = start(world)
    work(world)
    assert world.events.replays.get(scope, second).stored == 4


def test_many_items_go_in_sets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quanyu.events.replays._SET_ITEMS", 300)
    send(world, [call(n % 900) for n in range(1000)])  # a hundred came twice
    replay_id = start(world)
    work(world)
    done = world.events.replays.get(world.brand.scope(), replay_id)
    assert (done.done, done.stored, done.duplicate) == (1000, 900, 100)
    assert books(world) == (1000, 900, 100, 0)
    with world.state.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).where(quarantine.c.settled.is_(False))).scalar_one() == 0


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (Edit("rename", "properties.price", "total"), {"properties": {"price": 1}}, {"properties": {"total": 1}}),
        (Edit("set", "context.app", value="x"), {"context": {}}, {"context": {"app": "x"}}),
        (Edit("remove", "properties.note"), {"properties": {"note": 1, "b": 2}}, {"properties": {"b": 2}}),
        (Edit("text", "userId"), {"userId": 12}, {"userId": "12"}),
        (Edit("number", "a"), {"a": "¥1,299.50"}, {"a": 1299.5}),
        (Edit("number", "items.price"), {"items": [{"price": "3元"}, {}]}, {"items": [{"price": 3}, {}]}),
    ],
)
def test_an_edit_changes_just_what_it_names(edit: Edit, before: object, after: object) -> None:
    assert json.loads(mend(json.dumps(before).encode(), [edit])) == after
    whole = json.loads(mend(json.dumps({"batch": [before, before]}).encode(), [edit]))
    assert whole == {"batch": [after, after]}


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a. .b"])
def test_a_path_with_a_name_missing_is_refused_before_anything_is_taken(world: World, path: str) -> None:
    send(world, [call(1)])
    edits = [*MENDED, Edit("set", path, value=1)]
    for door in (
        lambda: world.events.replays.preview(world.brand.scope(), Chosen(), edits),
        lambda: start(world, edits=edits),
    ):
        with pytest.raises(Invalid) as refused:
            door()
        assert refused.value.code == "edit_invalid"
        assert refused.value.detail is not None
        assert refused.value.detail.zh.startswith(f"第 3 条：路径“{path}”")
        assert refused.value.detail.en.startswith(f'Rule 3: the path "{path}"')
    assert start(world), "the item is still free"


@pytest.mark.parametrize("to", ["", " ", "properties.total"])
def test_a_new_name_is_one_name(to: str) -> None:
    with pytest.raises(Invalid) as refused:
        check([Edit("rename", "properties.price", to)])
    assert refused.value.detail is not None
    assert f'the new name "{to}"' in refused.value.detail.en


@pytest.mark.parametrize("raw", [b"{nonsense", b"\xff\xfe", b"", b'{"a": 1}', b"[" * 5000])
def test_an_edit_that_finds_nothing_leaves_the_very_bytes(raw: bytes) -> None:
    assert mend(raw, [Edit("remove", "b.c")]) == raw
