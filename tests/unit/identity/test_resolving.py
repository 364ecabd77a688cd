"""Micro-batches against the oracle: whatever the order and the cut into batches, the same people."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from quanyu.identity.api import Identity
from quanyu.identity.contracts import Home
from quanyu.identity.policies import Policy, PolicyBook
from quanyu.identity.tables import identifier, link, person
from quanyu.kernel.clock import ManualClock, micros
from quanyu.kernel.errors import NotFound
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import same
from quanyu.storage.outbox import take
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity import oracle
from tests.unit.identity.support import Event, Id, batch, caller, door, load, partition, people

TIGHT = PolicyBook(
    [
        Policy("member_no", same("m"), 100, 1, 1, "refuse", True),
        Policy("openid", same("o"), 90, 1, 1, "refuse", True, issuer=True),
        Policy("phone", same("p"), 70, 2, 1, "demote", True),
        Policy("anonymous_id", same("a"), 10, 3, 1, "demote", False, max_links=4),
    ]
)
BRANDS = itertools.count(100)
POOL: list[Id] = [
    *(("member_no", f"m{i}") for i in range(4)),
    *(("openid", f"wx{i % 2}:o{i}") for i in range(4)),
    *(("phone", f"+861391234000{i}") for i in range(4)),
    *(("anonymous_id", f"c{i}") for i in range(5)),
]


@pytest.fixture
def identity(state: State, vault: Vault, clock: ManualClock, ids: SeededIds) -> Identity:
    return door(state, vault, clock, ids)


events_strategy = st.lists(
    st.lists(st.sampled_from(POOL), min_size=1, max_size=3, unique=True), min_size=1, max_size=14
).map(lambda found: [Event(1000 + i, tuple(one)) for i, one in enumerate(found)])


def expected(events: list[Event], vault: Vault, brand_id: int, book: PolicyBook) -> set[frozenset[Id]]:
    nodes: dict[Id, oracle.Node] = {}
    for namespace, value in {one for event in events for one in event.identifiers}:
        issuer = value.split(":")[0] if namespace == "openid" else ""
        nodes[namespace, value] = (namespace, issuer, int(vault.index(brand_id, namespace, value)[:16], 16))
    first: dict[frozenset[Id], int] = {}
    for event in events:
        ordered = sorted(event.identifiers, key=lambda one: (-book[one[0]].strength, nodes[one][2]))
        for other in ordered[1:]:
            pair = frozenset((ordered[0], other))
            first[pair] = min(first.get(pair, event.at), event.at)
    links = []
    for pair, at in first.items():
        a, b = sorted(pair)
        links.append(oracle.Link(nodes[a], nodes[b], min(book[a[0]].strength, book[b[0]].strength), at))
    names = {node: name for name, node in nodes.items()}
    answer = oracle.settle(set(nodes.values()), links, book)
    return {frozenset(names[node] for node in group) for group in answer.people}


@given(events_strategy, st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=25)
def test_any_order_in_any_batches_gives_the_oracle_s_people(
    state: State,
    vault: Vault,
    clock: ManualClock,
    ids: SeededIds,
    events: list[Event],
    shuffle: random.Random,
    size: int,
) -> None:
    brand_id = next(BRANDS)
    vault.prepare(brand_id, ("index", "seal"))
    identity = Identity(state, vault, clock, ids, door(state, vault, clock, ids)._audit, book=TIGHT)
    arriving = events[:]
    shuffle.shuffle(arriving)
    load(identity, arriving, brand_id, size)
    assert partition(state, vault, POOL, brand_id) == expected(events, vault, brand_id, TIGHT)
    with state.read() as tx:
        held = set(
            tx.execute(
                sa.select(identifier.c.person_id).where(identifier.c.brand_id == brand_id, identifier.c.person_id > 0)
            ).scalars()
        )
        active = set(
            tx.execute(sa.select(person.c.person_id).where(person.c.brand_id == brand_id, person.c.active)).scalars()
        )
    assert active == held
    everything = identity.preview_policies(caller(brand_id).scope, [])
    assert (everything.merged, everything.split, everything.demoted) == (0, 0, 0)
    assert everything.people_before == everything.people_after == len(held)


@given(events_strategy, st.data())
@settings(max_examples=15)
def test_merge_then_deny_leaves_every_identifier_with_the_person_it_had(
    state: State, vault: Vault, clock: ManualClock, ids: SeededIds, events: list[Event], data: st.DataObject
) -> None:
    brand_id = next(BRANDS)
    vault.prepare(brand_id, ("index", "seal"))
    identity = Identity(state, vault, clock, ids, door(state, vault, clock, ids)._audit, book=TIGHT)
    load(identity, events, brand_id)
    with state.read() as tx:
        everybody = list(
            tx.execute(sa.select(person.c.public_id).where(person.c.brand_id == brand_id, person.c.active)).scalars()
        )
    if len(everybody) < 2:
        return
    start = people(state, brand_id)
    chosen = data.draw(st.lists(st.sampled_from(everybody), min_size=2, max_size=2, unique=True))
    who = caller(brand_id)
    merged = identity.merge(who, chosen, "same person")
    assert (merged.people_before, merged.people_after) == (2, 1)
    assert len(people(state, brand_id).keys() - {0}) == len(start.keys() - {0}) - 1
    undone = identity.deny(who, merged.link_id, "not the same")
    assert sorted(undone.people) == sorted(chosen)
    assert people(state, brand_id) == start


def test_an_event_gets_the_person_of_its_strongest_identifier(identity: Identity) -> None:
    events = [
        Event(1, (("anonymous_id", "c1"), ("phone", "139 0000 0001"))),
        Event(2, (("anonymous_id", "c1"),)),
        Event(3, ()),
        Event(4, (("phone", "null"),)),
        Event(5, (("phone", "+86-13900000001"), ("member_no", "A1"))),
    ]
    with identity.state.write() as tx:
        resolved = identity.resolve(tx, batch(events))
        names = dict(tx.execute(sa.select(identifier.c.identifier_id, identifier.c.namespace)).all())
        masked = set(tx.execute(sa.select(identifier.c.masked)).scalars())
    person_id = resolved.person_id[0]
    assert person_id > 0
    assert resolved.person_id.tolist() == [person_id, person_id, 0, 0, person_id]
    assert [names.get(number, "-") for number in resolved.anchor_id.tolist()] == [
        "phone",
        "anonymous_id",
        "-",
        "-",
        "member_no",
    ]
    assert [len(found) for found in resolved.identifiers.to_pylist()] == [2, 1, 0, 0, 2]
    assert resolved.refused == {("phone", "blocked"): 1}
    assert resolved.people == BitMap([person_id])
    assert "139****0001" in masked


def test_people_who_merge_are_told_and_only_history_that_rests_on_them_is_overridden(
    identity: Identity, clock: ManualClock
) -> None:
    load(identity, [Event(1, (("phone", "13900000001"),)), Event(2, (("anonymous_id", "c1"),))], size=1)
    with identity.state.write() as tx:
        resolved = identity.resolve(tx, batch([Event(3, (("phone", "13900000001"), ("anonymous_id", "c1")))]))
        assert [news.payload["person_ids"] for news in take(tx, "test", ("people_moved",))] == [[1, 2]]
    assert resolved.moved_people == BitMap([1, 2])
    assert identity.moved().to_pylist() == [{"moved_anchor": 2, "moved_person": 1}]


def test_repeated_evidence_is_counted_and_nobody_moves(identity: Identity, state: State) -> None:
    pair = (("phone", "13900000001"), ("anonymous_id", "c1"))
    load(identity, [Event(5, pair, name="identified", event_id="first")])
    with state.write() as tx:
        day = 86_400_000_000
        again = [Event(7, pair), Event(day + 6, pair), Event(day + 7, pair), Event(3, pair, event_id="earlier")]
        resolved = identity.resolve(tx, batch(again))
        row = tx.execute(sa.select(link)).one()
    assert not resolved.moved_people
    assert not resolved.new_people
    assert row.days == 2
    assert (micros(row.first_at), micros(row.last_at)) == (3, day + 7)
    assert (row.source, row.event_id, row.event_name) == ("web", "first", "identified")
    assert resolved.person_id.tolist() == [1, 1, 1, 1]


def test_a_store_phone_that_grows_past_its_limit_lets_its_people_go(identity: Identity, state: State) -> None:
    shop = ("phone", "13900009999")
    events = [Event(10 + i, (("member_no", f"M{i}"), shop, ("anonymous_id", f"c{i}"))) for i in range(5)]
    load(identity, events[:3], size=1)
    # Member numbers are unique, so the phone stays with the oldest; the cookies follow their members.
    assert sorted(len(members) for members in people(state).values()) == [2, 2, 3]
    load(identity, events[3:], size=1)
    found = people(state)
    assert [name.split("=")[0] for name in found[0]] == ["phone"]
    assert sorted(len(members) for number, members in found.items() if number) == [2] * 5
    with state.write() as tx:
        resolved = identity.resolve(tx, batch([Event(90, (shop,))]))
        statuses = {
            tuple(row) for row in tx.execute(sa.select(link.c.status, link.c.because).where(link.c.status != 1))
        }
    assert resolved.person_id.tolist() == [0]
    assert statuses == {(3, "phone")}


def test_what_an_event_unbinds_is_cut_loose_until_seen_together_again(identity: Identity, state: State) -> None:
    pair = (("user_id", "u-1"), ("phone", "13900000001"))
    cut = Event(20, (), "identifier_unbound", traits={"unbind": [{"namespace": "phone", "value": "13900000001"}]})
    load(identity, [Event(10, pair)])
    assert len(people(state)) == 1
    load(identity, [cut])
    assert len(people(state)) == 2
    load(identity, [Event(15, pair)])  # late evidence from before the cut changes nothing
    assert len(people(state)) == 2
    load(identity, [Event(30, pair)])
    assert len(people(state)) == 1


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_an_unbinding_holds_whatever_arrives_first_and_in_one_batch(
    identity: Identity, state: State, size: int, order: tuple[int, ...]
) -> None:
    phone = ("phone", "13900000001")
    said = {"unbind": [{"namespace": "phone", "value": phone[1]}]}
    events = [
        Event(10, (("user_id", "u-1"), phone)),
        Event(20, (phone,), "identifier_unbound", traits=said),
        Event(30, (("user_id", "u-1"), ("member_no", "M1"))),
    ]
    load(identity, [events[i] for i in order], size=size)
    found = sorted(sorted(name.split("=")[0] for name in members) for members in people(state).values())
    assert found == [["member_no", "user_id"], ["phone"]]


def test_two_brands_share_nothing(identity: Identity, state: State) -> None:
    pair = (("phone", "13900000001"), ("member_no", "A1"))
    load(identity, [Event(1, pair)], brand_id=1)
    load(identity, [Event(2, pair)], brand_id=2)
    assert set(people(state, 1)) == {1}
    assert set(people(state, 2)) == {2}
    assert not set.intersection(*(next(iter(people(state, brand).values())) for brand in (1, 2)))


def test_a_batch_of_two_brands_is_resolved_brand_by_brand(identity: Identity, state: State) -> None:
    import pyarrow as pa

    one = batch([Event(1, (("phone", "13900000001"),))], 1)
    two = batch([Event(2, (("phone", "13900000001"),))], 2)
    with state.write() as tx:
        resolved = identity.resolve(tx, pa.concat_tables([one, two, one]))
    assert resolved.person_id.tolist() == [1, 2, 1]


def test_a_policy_change_is_previewed_with_counts_and_examples_and_writes_nothing(
    identity: Identity, state: State
) -> None:
    shared = ("phone", "13912340009")
    load(identity, [Event(i, (("member_no", f"M{i}"), shared)) for i in range(1, 4)])
    before = people(state)
    scope = caller().scope
    wider = identity.preview_policies(scope, [replace(identity.policy("member_no"), max_per_person=3)])
    assert (wider.people_before, wider.people_after, wider.merged, wider.split) == (3, 1, 2, 0)
    assert len(wider.merged_examples) == 3
    tighter = identity.preview_policies(scope, [replace(identity.policy("phone"), max_people=2)])
    assert (tighter.people_after, tighter.demoted, tighter.merged) == (3, 1, 0)
    assert people(state) == before
    assert identity.preview_policies(caller(2).scope, []).people_before == 0


def test_a_home_that_is_as_it_was_is_not_written_again(identity: Identity, state: State) -> None:
    load(identity, [Event(1, (("member_no", "M1"),))])
    written: list[int] = []

    def count(_connection: object, cursor: sa.CursorResult[object], statement: str, *_: object) -> None:
        if statement.startswith("UPDATE person"):
            written.append(cursor.rowcount)

    sa.event.listen(state._writing, "after_cursor_execute", count)
    for value, at in (("G1", 5), ("G1", 7), ("G2", 9), ("G2", 9)):
        with state.write() as tx:
            identity.set_homes(tx, [Home(1, "staff", value, at, True)], {1: 1})
    with state.read() as tx:
        assert tx.execute(sa.select(person.c.owner_staff)).scalar_one() == "G2"
    assert written == [1, 0, 1]  # the last one says what is known, and nobody asks whose home it is


def test_a_guide_decides_only_about_people_they_own(identity: Identity, state: State) -> None:
    shared = ("phone", "13912340009")
    load(identity, [Event(i, (("member_no", f"M{i}"), shared)) for i in (1, 2)])
    with state.write() as tx:
        identity.set_homes(tx, [Home(1, "staff", "G1", 5, True)], {1: 1})
        refused = tx.execute(sa.select(link.c.link_id).where(link.c.status == 2)).scalar_one()
        publics = list(tx.execute(sa.select(person.c.public_id).order_by(person.c.person_id)).scalars())
    guide = caller(staff_id="G1")
    assert identity.person_of(publics[0], guide.scope).owner_staff == "G1"
    with pytest.raises(NotFound):
        identity.accept(guide, refused, "mine now")
    with pytest.raises(NotFound):
        identity.merge(guide, publics, "mine now")
    assert identity.accept(caller(), refused, "one household").people_after == 1
