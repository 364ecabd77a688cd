"""Audiences over both state stores: counts, versions, refreshing, scope, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyroaring import BitMap

import quanyu.commerce.api  # noqa: F401 - registers `bought`
from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope, system_caller
from quanyu.audiences.api import Audiences, group, rule
from quanyu.audiences.contracts import UsedBy
from quanyu.audiences.errors import TreeInvalid
from quanyu.audiences.options import FixedOptions
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import Conflict, NotFound, Stale
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.storage import outbox
from quanyu.storage.history import History
from quanyu.storage.state import State
from tests.unit.audiences.stores import Doors
from tests.unit.audiences.test_evaluator import engine_of
from tests.unit.audiences.worlds import AT, SCOPE, Person, World, event, event_table

DAY = timedelta(days=1)
VIEWED = rule("performed", event="product_viewed", within_days=30)
GOLD = rule("trait", trait="tier", operator="eq", value="gold")


class Fixture:
    def __init__(self, state: State, root: Path, ids: SeededIds) -> None:
        self.world = World(
            [
                Person(1, [event("product_viewed", AT - DAY)], {"tier": "gold"}, {"t1"}, set(), {("marketing", "sms")}),
                Person(2, [event("product_viewed", AT - 40 * DAY)], {"tier": "gold"}, {"t1"}),
                Person(3, [event("product_viewed", AT - 2 * DAY)], {}, set(), set(), {("marketing", "wecom")}),
                Person(4, [], {"tier": "silver", "age": "18"}),
            ]
        )
        self.clock = ManualClock(AT)
        self.state = state
        self.doors = Doors(state)
        self.doors.load(self.world, stores={1: "north", 2: "north", 3: "south"})
        self.engine = engine_of(self.world, root)
        self.history: History = self.engine._history
        self.audit = Audit(state, self.clock)
        self.door = Audiences(
            state,
            self.engine,
            self.clock,
            ids,
            self.audit,
            people=self.doors,
            profiles=self.doors,
            consents=self.doors,
            brand_scope=lambda brand_id: Scope(brand_id, "acme", time_zone="Asia/Shanghai"),
            options={"tags": FixedOptions({"t1": Label("会员", "Member")})},
        )
        self.caller = system_caller(SCOPE)
        self.north = Caller(
            "user", "u1", "North", Scope(1, "acme", time_zone="Asia/Shanghai", store_ids=frozenset({"north"}))
        )

    def happen(self, person_id: int, name: str, version: int) -> None:
        data = event_table(World([Person(person_id, [event(name, self.clock.now())])]))
        self.history.append("events", data, app="more", version=version)

    def make(self, tree: dict[str, Any], name: str = "A", refresh: Any = "manual") -> Any:
        return self.door.create_audience(self.caller, name, "", tree, refresh)

    def news(self) -> list[dict[str, Any]]:
        with self.state.write() as tx:
            return [n.payload for n in outbox.take(tx, "test", ("audience_changed",))]


@pytest.fixture
def there(state: State, tmp_path: Path, ids: SeededIds) -> Fixture:
    return Fixture(state, tmp_path, ids)


def test_a_count_says_how_many_in_words_and_whom_each_channel_reaches(there: Fixture) -> None:
    counted = there.door.count(group("and", VIEWED, group("not", rule("tag", tags=["t1"]))), SCOPE)
    assert (counted.count, counted.total, counted.errors) == (1, 4, ())
    assert counted.sentence.zh == "最近 30 天做过“浏览商品”至少 1 次 且 排除（有标签“会员”）"
    assert (
        counted.sentence.en
        == "did “Product viewed” at least 1 times in the last 30 days and none of (has the tag “Member”)"
    )
    assert {r.channel: r.count for r in counted.reachable if r.count} == {"wecom": 1}


def test_a_count_is_asked_once_and_again_when_something_happened(
    there: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Any] = []
    run = there.engine.run
    monkeypatch.setattr(there.engine, "run", lambda expression: runs.append(1) or run(expression))
    assert [there.door.count(VIEWED, SCOPE).count for _ in range(3)] == [2, 2, 2]
    assert len(runs) == 1
    there.happen(4, "product_viewed", 1)
    assert there.door.count(VIEWED, SCOPE).count == 3
    assert len(runs) == 2


def test_faults_of_a_tree_come_back_at_their_rules(there: Fixture) -> None:
    tree = {
        "type": "group",
        "id": "g",
        "op": "and",
        "children": [
            {"type": "rule", "id": "a", "predicate": "performed", "params": {"event": "x", "times": 0}},
            {"type": "rule", "id": "b", "predicate": "nonsense", "params": {}},
            {
                "type": "rule",
                "id": "c",
                "predicate": "trait",
                "params": {"trait": "age", "operator": "gt", "value": "old"},
            },
        ],
    }
    counted = there.door.count(tree, SCOPE)
    assert counted.count is None
    assert [(e.id, e.field) for e in counted.errors] == [("a", "times"), ("b", "predicate"), ("c", "")]
    gone = there.door.count(rule("tag", "r7", tags=["t1", "nope"]), SCOPE)
    assert [(e.id, e.field, e.message.zh) for e in gone.errors] == [("r7", "tags", "“nope”不存在或已删除")]


def test_a_version_says_who_entered_and_who_left(there: Fixture) -> None:
    made = there.make(VIEWED)
    assert (made.size, made.version) == (2, 1)
    there.happen(4, "product_viewed", 1)
    there.clock.advance(
        timedelta(days=27, hours=15)
    )  # now person 3's view lies on the 31st day back, person 1's on the 30th
    second = there.door.refresh(there.caller, made.audience_id)
    assert (second.version, second.size, second.entered, second.left) == (2, 2, 1, 1)
    with there.state.read() as tx:
        members = lambda **k: set(there.door.members(tx, SCOPE, made.audience_id, **k))  # noqa: E731
        assert members() == {1, 4}
        assert members(version=1) == {1, 3}
        assert members(change="entered") == {4}
        assert members(change="left") == {3}
    assert [(n["version"], n["entered"], n["left"]) for n in there.news()] == [(1, 2, 0), (2, 1, 1)]


def test_an_unchanged_set_makes_no_version_and_no_news(there: Fixture) -> None:
    made = there.make(VIEWED)
    there.news()
    assert there.door.refresh(there.caller, made.audience_id).version == 1
    assert there.news() == []
    assert [v.version for v in there.door.list_versions(SCOPE, made.audience_id)] == [1]


def test_policies_decide_what_is_due(there: Fixture) -> None:
    manual, daily, live = (there.make(VIEWED, n, n).audience_id for n in ("manual", "daily", "live"))
    while there.door.refresh_due():
        pass  # what they told each other by being made
    there.happen(4, "product_viewed", 1)
    assert there.door.refresh_due() == [(live, None)]
    there.clock.advance(timedelta(hours=14, minutes=29, seconds=59))  # one second before the brand's midnight
    assert there.door.refresh_due() == []
    there.clock.advance(timedelta(seconds=1))
    assert sorted(a for a, _ in there.door.refresh_due()) == sorted([daily, live])
    assert there.door.get_audience(SCOPE, manual).version == 1
    assert there.door.get_audience(SCOPE, daily).version == 2


def test_a_failing_audience_does_not_hold_up_the_others(there: Fixture) -> None:
    base = there.make(VIEWED, "base")
    child = there.make(rule("in_audience", audience_id=base.audience_id), "child", "daily")
    other = there.make(GOLD, "other", "daily")
    with there.state.write() as tx:
        from quanyu.audiences import store

        store.remove(tx, base.audience_id)
    there.clock.advance(DAY)
    done = dict(there.door.refresh_due())
    assert isinstance(done[child.audience_id], NotFound)
    assert done[other.audience_id] is None
    assert there.door.refresh_due() == []  # it rests before it is tried again
    there.clock.advance(timedelta(minutes=5))
    assert [audience_id for audience_id, _ in there.door.refresh_due()] == [child.audience_id]


def test_a_store_sees_only_its_own_people_in_every_number(there: Fixture) -> None:
    made = there.make(VIEWED)
    assert there.door.get_audience(there.north.scope, made.audience_id).size == 1
    assert [v.size for v in there.door.list_audiences(there.north.scope)] == [1]
    assert [(v.size, v.entered) for v in there.door.list_versions(there.north.scope, made.audience_id)] == [(1, 1)]
    page = there.door.list_people(there.north.scope, made.audience_id)
    assert (page.person_ids, page.total) == ((1,), 1)
    counted = there.door.count(group("not", GOLD), there.north.scope)
    assert (counted.count, counted.total) == (0, 2)
    assert there.door.count(group("not", GOLD), SCOPE).count == 2
    assert there.door.options.search("audiences", there.north.scope, "", {})[0].count is None


def test_what_happened_in_other_stores_does_not_count_for_a_store(there: Fixture) -> None:
    here, elsewhere, online = (
        event_table(World([Person(1, [event("order_paid", AT - DAY, store_id=store)])]))
        for store in ("north", "south", None)
    )
    bought = rule("performed", event="order_paid")
    for version, (data, expected) in enumerate([(elsewhere, (1, 0)), (online, (1, 1)), (here, (1, 1))], 1):
        there.history.append("events", data, app="stores", version=version)
        assert (there.door.count(bought, SCOPE).count, there.door.count(bought, there.north.scope).count) == expected
    where = rule("performed", event="order_paid", where=[{"property": "store_id", "operator": "eq", "value": "south"}])
    assert (there.door.count(where, SCOPE).count, there.door.count(where, there.north.scope).count) == (1, 0)


def test_another_brand_sees_nothing(there: Fixture) -> None:
    made = there.make(VIEWED)
    stranger = Scope(2, "other", time_zone="Asia/Shanghai")
    assert there.door.list_audiences(stranger) == []
    assert there.door.count(VIEWED, stranger).count == 0
    with pytest.raises(NotFound):
        there.door.list_people(stranger, made.audience_id)
    fault = there.door.count(rule("in_audience", audience_id=made.audience_id), stranger)
    assert fault.count is None
    assert fault.errors[0].field == "audience_id"


def test_a_person_s_audiences_are_those_whose_newest_version_holds_them(there: Fixture) -> None:
    there.make(VIEWED, "viewed")
    there.make(GOLD, "gold")
    own = lambda scope, person: {name for _, name in there.door.audiences_of(scope, person)}  # noqa: E731
    assert own(SCOPE, 1) == {"viewed", "gold"}
    assert own(SCOPE, 3) == {"viewed"}
    assert own(there.north.scope, 3) == set()


def test_people_come_in_pages(there: Fixture) -> None:
    made = there.make(group("not", rule("performed", event="never")))
    first = there.door.list_people(SCOPE, made.audience_id, limit=3)
    assert (first.person_ids, first.next_after, first.total) == ((1, 2, 3), 3, 4)
    rest = there.door.list_people(SCOPE, made.audience_id, after=first.next_after, limit=3)
    assert (rest.person_ids, rest.next_after) == ((4,), None)
    assert there.door.people_of_tree(VIEWED, SCOPE).person_ids == (1, 3)


def test_names_are_unique_and_edits_do_not_overwrite_each_other(there: Fixture) -> None:
    made = there.make(VIEWED)
    with pytest.raises(Conflict):
        there.make(GOLD)
    edit = lambda revision: there.door.update_audience(  # noqa: E731
        there.caller, made.audience_id, "B", "", GOLD, "manual", revision
    )
    changed = edit(made.revision)
    assert (changed.name, changed.size, changed.version) == ("B", 2, 2)
    with pytest.raises(Stale):
        edit(made.revision)


def test_an_audience_in_use_is_not_deleted(there: Fixture) -> None:
    base = there.make(VIEWED, "base")
    child = there.make(rule("in_audience", audience_id=base.audience_id), "child")
    assert child.size == 2
    assert there.door.get_audience(SCOPE, base.audience_id).used_by == (UsedBy("audience", child.audience_id, "child"),)
    with pytest.raises(Conflict):
        there.door.delete_audience(there.caller, base.audience_id)
    there.door.delete_audience(there.caller, child.audience_id)
    there.door.used_by(lambda tx, scope, audience_id: [UsedBy("journey", "j1", "Welcome")])
    with pytest.raises(Conflict) as caught:
        there.door.delete_audience(there.caller, base.audience_id)
    assert "Welcome" in str(caught.value)


def test_an_audience_cannot_rest_on_itself(there: Fixture) -> None:
    a = there.make(VIEWED, "a")
    b = there.make(rule("in_audience", audience_id=a.audience_id), "b")
    tree = group("or", GOLD, rule("in_audience", audience_id=b.audience_id))
    with pytest.raises(TreeInvalid) as caught:
        there.door.update_audience(there.caller, a.audience_id, "a", "", tree, "manual")
    assert caught.value.errors[0].id == "g1.2"
    assert there.door.get_audience(SCOPE, a.audience_id).revision == 1


def test_stored_sets_follow_people_who_moved(there: Fixture) -> None:
    made = there.make(GOLD)
    there.world.people[1].visible = False  # 2 was merged into 4, with what it had
    there.world.people[3].traits = {"tier": "gold"}
    there.doors.load(there.world)
    with there.state.write() as tx:
        outbox.publish(tx, "people_moved", {"brand_id": 1, "person_ids": [2, 4]}, AT)
    assert there.door.follow_people() == 2
    with there.state.read() as tx:
        assert there.door.members(tx, SCOPE, made.audience_id) == BitMap([1, 4])
    assert there.door.list_versions(SCOPE, made.audience_id)[0].version == 2
    assert there.door.follow_people() == 0


def test_what_changes_audiences_is_written_down(there: Fixture) -> None:
    made = there.make(VIEWED)
    there.door.refresh(there.caller, made.audience_id)
    there.door.delete_audience(there.caller, made.audience_id)
    actions = [entry.action for entry in there.audit.entries(SCOPE)]
    assert actions == ["audience_deleted", "audience_refreshed", "audience_created"]


def test_options_are_found_by_key_and_by_name(there: Fixture) -> None:
    search = lambda source, q: [o.value for o in there.door.options.search(source, SCOPE, q, {})]  # noqa: E731
    assert search("events", "浏览商品")[0] == "product_viewed"
    assert there.door.options.search("events", SCOPE, "product_viewed", {})[0].count == 3
    assert search("tags", "memb") == ["t1"]
    assert search("properties", "金额") == ["amount"]
    with pytest.raises(NotFound):
        search("nowhere", "")
