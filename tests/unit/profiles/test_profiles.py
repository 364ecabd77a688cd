"""Profiles over real batches: totals, homes, tags and pages follow merges and splits, and stay within the scope."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.api import Access
from quanyu.access.contracts import Scope
from quanyu.identity.api import Identity
from quanyu.identity.tables import identifier, person
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import BadRequest, Conflict, Invalid, NotFound
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.profiles.api import Profiles
from quanyu.profiles.contracts import PersonCard
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity.support import Event, Id, batch, caller, door

HOUR = 3_600_000_000
PHONE: Id = ("phone", "13912340001")
MEMBER: Id = ("member_no", "M1")


@pytest.fixture
def identity(state: State, vault: Vault, clock: ManualClock, ids: SeededIds) -> Identity:
    return door(state, vault, clock, ids)


@pytest.fixture
def profiles(state: State, identity: Identity, vault: Vault, clock: ManualClock, ids: SeededIds) -> Profiles:
    return Profiles(
        state,
        identity,
        vault,
        clock,
        ids,
        Access(state, clock, ids).audit,
        made_sources=lambda: {"made"},
        store_names=lambda _: {"S1": Label("一店", "Store one")},
        evaluate=lambda _tree, _scope: BitMap([1, 3]),
    )


def take_in(profiles: Profiles, *events: Event) -> None:
    with profiles.state.write() as tx:
        table = batch(events)
        profiles.apply(tx, table, profiles.identity.resolve(tx, table))


def order(at: int, *identifiers: Id, amount: int = 1000, store: str = "S1", **more: Any) -> Event:
    return Event(at * HOUR, identifiers, "order_paid", more={"amount": amount, "store_id": store} | more)


def card(profiles: Profiles, number: int, scope: Scope | None = None) -> PersonCard:
    (found,) = profiles.list_people(scope or caller().scope, [number])
    return found


def public_ids(profiles: Profiles) -> list[str]:
    with profiles.state.read() as tx:
        return list(tx.execute(sa.select(person.c.public_id).order_by(person.c.person_id)).scalars())


def test_a_card_says_what_is_known_masked(profiles: Profiles) -> None:
    take_in(
        profiles,
        order(1, PHONE, MEMBER, amount=1500),
        order(3, MEMBER, amount=2500, store="S2"),
        Event(4 * HOUR, (MEMBER,), "order_refunded", more={"amount": 500}),
        Event(5 * HOUR, (PHONE,), "identified", traits={"set": {"name": "李雷", "level": "gold", "home_store": "S1"}}),
        Event(9 * HOUR, (MEMBER,), "message_delivered"),
    )
    found = card(profiles, 1)
    assert (found.name, found.phone, found.identifiers) == ("李*", "139****0001", 2)
    assert (found.orders, found.amount, found.currency) == (2, 3500, "CNY")
    assert found.home_store is not None
    assert (found.home_store.store_id, found.home_store.name.en) == ("S1", "Store one")
    assert found.last_seen_at == "1970-01-01T05:00:00.000Z"  # what the brand did is no sign of life
    assert not found.made


def test_nothing_personal_is_in_clear_in_the_database(profiles: Profiles, state: State) -> None:
    take_in(profiles, Event(1, (PHONE,), "identified", traits={"set": {"name": "欧阳海", "address": "南京西路1266号"}}))
    with state.read() as tx:
        texts = [
            str(row)
            for name in ("trait", "identifier", "link", "outbox")
            for row in tx.execute(sa.text(f"SELECT * FROM {name}"))
        ]
    joined = "\n".join(texts)
    assert "欧*" in joined
    for secret in ("欧阳海", "南京西路1266号", "13912340001"):
        assert secret not in joined
        assert secret.encode() not in b"".join(
            bytes(value) for row in _rows(state) for value in row if isinstance(value, bytes | memoryview)
        )


def _rows(state: State) -> list[Any]:
    with state.read() as tx:
        return [row for name in ("trait", "identifier") for row in tx.execute(sa.text(f"SELECT * FROM {name}"))]


def test_totals_traits_tags_and_homes_follow_a_merge_and_come_back(profiles: Profiles, identity: Identity) -> None:
    take_in(
        profiles,
        order(1, MEMBER, amount=1000),
        Event(2 * HOUR, (MEMBER,), "identified", traits={"set": {"level": "gold"}, "increment": {"visits": 2}}),
        order(1, ("member_no", "M2"), amount=70, store="S9"),
        Event(
            3 * HOUR,
            (("member_no", "M2"),),
            "identified",
            traits={"set": {"level": "silver", "owner_staff": "G7"}, "increment": {"visits": 5}},
        ),
    )
    one, two = public_ids(profiles)
    gold = profiles.create_tag(caller(), Label("高价值", "High value"), Label("价值", "Value"))
    profiles.change_tags(caller(), two, [gold.tag_id], [])
    scope = caller().scope
    before = [card(profiles, 1), card(profiles, 2)]
    merged = identity.merge(caller(), [one, two], "same")
    both = card(profiles, 1)
    assert (both.orders, both.amount) == (2, 1070)
    assert [tag.name.en for tag in both.tags] == ["High value"]
    assert both.owner_staff == "G7"
    with profiles.state.read() as tx:
        traits = {view.name: view.value for view in profiles.traits_of(tx, identity.person_of(two, scope, tx))}
        assert set(tx.execute(profiles.tagged_people(scope, [gold.tag_id])).scalars()) == {1}
    assert traits == {"level": "silver", "visits": "7"}
    assert profiles.list_people(scope, [2]) == []
    identity.deny(caller(), merged.link_id, "no")
    assert [card(profiles, 1), card(profiles, 2)] == before


def test_delete_takes_everything_of_the_person_away(profiles: Profiles, identity: Identity) -> None:
    take_in(profiles, Event(1, (MEMBER, PHONE), "identified", traits={"set": {"level": "gold", "city": "上海"}}))
    take_in(profiles, Event(2, (PHONE,), "profile_updated", traits={"delete": True}))
    (one,) = public_ids(profiles)
    with profiles.state.read() as tx:
        assert profiles.traits_of(tx, identity.person_of(one, caller().scope, tx)) == []


def test_scopes_see_only_their_own(profiles: Profiles, identity: Identity) -> None:
    take_in(
        profiles,
        order(1, MEMBER),
        order(1, ("member_no", "M2"), store="S2"),
        Event(1, (("member_no", "M3"),), "contact_added", more={"staff_id": "G1"}),
    )
    everybody = caller().scope
    store, guide = caller(store_ids=frozenset({"S2"})).scope, caller(staff_id="G1").scope
    nothing = caller(store_ids=frozenset()).scope
    assert [len(profiles.search(scope).items) for scope in (everybody, store, guide, nothing)] == [3, 1, 1, 0]
    assert [profiles.search(scope).total for scope in (everybody, store, guide, nothing)] == [3, 1, 1, 0]
    assert profiles.search(caller(2).scope).total == 0
    assert profiles.search(store, q="M1").items == ()
    assert len(profiles.search(store, q="M2").items) == 1
    assert profiles.list_people(guide, [1, 2, 3]) == profiles.list_people(everybody, [3])
    one, two, three = public_ids(profiles)
    for public_id, scope in ((one, store), (two, guide), (three, caller(2).scope)):
        with pytest.raises(NotFound):
            identity.person_of(public_id, scope)
    assert identity.person_of(two, store).person_id == 2
    made = profiles.create_tag(caller(), Label("新客", "New"), Label("阶段", "Stage"))
    with profiles.state.write() as tx:
        numbers = list(tx.execute(sa.select(identifier.c.identifier_id)).scalars())
        profiles.assign_tags(tx, [(made.tag_id, number) for number in numbers], "test")
    assert [profiles.all_tags(scope)[0].people for scope in (everybody, store, guide, nothing)] == [3, 1, 1, 0]


def test_people_are_found_exactly_by_what_they_gave(profiles: Profiles) -> None:
    take_in(
        profiles,
        Event(1, (PHONE, MEMBER), "identified", traits={"set": {"name": "Li Lei"}}),
        Event(2, (("email", "Han@Example.com"),)),
    )
    scope = caller().scope
    (one, two) = public_ids(profiles)
    queries = {"139 1234 0001": one, "M1": one, "li  lei": one, one: one, "han@example.com": two}
    for query, expected in queries.items():
        assert [found.person_id for found in profiles.search(scope, q=query).items] == [expected]
    for query in ("1391234", "M", "Li", "%", "13912340002"):
        assert profiles.search(scope, q=query).items == ()


def test_pages_follow_one_another_without_gaps(profiles: Profiles) -> None:
    take_in(profiles, *(Event(i, (("member_no", f"M{i}"),)) for i in range(7)))
    scope = caller().scope
    cursor, seen = None, []
    while True:
        page = profiles.search(scope, cursor=cursor, limit=3)
        seen += [one.person_id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == list(reversed(public_ids(profiles)))
    tree = profiles.search(scope, tree={"type": "group"}, limit=1)
    assert tree.total == 2
    rest = profiles.search(scope, tree={"type": "group"}, limit=1, cursor=tree.next_cursor)
    assert [*tree.items, *rest.items] == profiles.list_people(scope, [3, 1])
    assert rest.next_cursor is None
    with pytest.raises(BadRequest):
        profiles.search(scope, cursor="abc")


def test_made_data_is_marked_only_when_everything_is_made(profiles: Profiles) -> None:
    take_in(
        profiles,
        Event(1, (MEMBER,), source="made"),
        Event(2, (("member_no", "M2"),), source="made"),
        Event(3, (("member_no", "M2"), PHONE)),
    )
    assert [card(profiles, number).made for number in (1, 2)] == [True, False]


def test_tags_of_other_brands_do_not_exist_and_names_are_unique(profiles: Profiles) -> None:
    take_in(profiles, Event(1, (MEMBER,)))
    (one,) = public_ids(profiles)
    foreign = profiles.create_tag(caller(2), Label("甲", "A"), Label("组", "G"))
    with pytest.raises(Invalid):
        profiles.change_tags(caller(), one, [foreign.tag_id], [])
    profiles.create_tag(caller(), Label("甲", "A"), Label("组", "G"))
    with pytest.raises(Conflict):
        profiles.create_tag(caller(), Label("甲", "A"), Label("组", "G"))


def test_late_orders_count_and_the_earliest_decides_the_home(profiles: Profiles) -> None:
    take_in(profiles, order(5, MEMBER, amount=100, store="S5"))
    take_in(profiles, order(2, MEMBER, amount=40, store="S2"))
    found = card(profiles, 1)
    assert (found.orders, found.amount) == (2, 140)
    assert found.home_store is not None
    assert found.home_store.store_id == "S2"  # the earliest order, however late it came
