"""The resolution kernel against its oracle, and the promises of OneID on random evidence."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.identity import resolution
from quanyu.identity.policies import POLICIES, Policy, PolicyBook
from quanyu.identity.resolution import Evidence, Kinds, Settled, settle
from quanyu.kernel.label import same
from tests.unit.identity import oracle
from tests.unit.identity.oracle import Link, Node

BOOK = PolicyBook()
# Tight limits, so that small random graphs run into every one of them.
TIGHT = PolicyBook(
    [
        Policy("member_no", same("m"), 100, 1, 1, "refuse", True),
        Policy("openid", same("o"), 90, 1, 1, "refuse", True, issuer=True),
        Policy("phone", same("p"), 70, 2, 1, "demote", True),
        Policy("household", same("h"), 50, 2, 2, "flag", False),
        Policy("anonymous_id", same("a"), 10, 3, 1, "demote", False, max_links=4),
    ]
)
STATUS = {1: "accepted", 2: "refused", 3: "demoted", 4: "denied"}


def kernel(
    nodes: Sequence[Node], links: Sequence[Link], book: PolicyBook, blocked: frozenset[Node] = frozenset()
) -> tuple[oracle.Answer, Settled]:
    kinds = sorted({node[:2] for node in nodes})
    at = {node: i for i, node in enumerate(nodes)}
    evidence = Evidence(
        kind=np.array([kinds.index(node[:2]) for node in nodes], np.int32),
        rank=np.array([node[2] for node in nodes], np.uint64),
        blocked=np.array([node in blocked for node in nodes], np.bool_),
        a=np.array([min(at[link.a], at[link.b]) for link in links], np.int64),
        b=np.array([max(at[link.a], at[link.b]) for link in links], np.int64),
        strength=np.array([link.strength for link in links], np.int32),
        first_at=np.array([link.first_at for link in links], np.int64),
        decision=np.array([link.decision for link in links], np.int8),
        half=np.zeros(0, np.int64),
        half_kind=np.zeros(0, np.int32),
        half_key=np.zeros(0, np.int64),
    )
    codes = np.array([book.code[namespace] for namespace, _ in kinds], np.int32)
    settled = settle(evidence, Kinds.of(book, codes))
    groups: dict[int, set[Node]] = {}
    for i, node in enumerate(nodes):
        groups.setdefault(int(settled.part[i]), set()).add(node)
    answer = oracle.Answer(
        people={frozenset(group) for group in groups.values()},
        crowded={node for i, node in enumerate(nodes) if settled.state[i] == 1},
        flagged={node for i, node in enumerate(nodes) if settled.state[i] == 3},
        status={
            (frozenset((link.a, link.b)), link.strength): STATUS[int(settled.status[i])] for i, link in enumerate(links)
        },
    )
    return answer, settled


@st.composite
def graphs(draw: st.DrawFn, decisions: bool = True) -> tuple[list[Node], list[Link], frozenset[Node]]:
    namespaces = ["member_no", "phone", "anonymous_id", "household", "openid"]
    count = draw(st.integers(2, 16))
    nodes: list[Node] = []
    for rank in range(count):
        namespace = draw(st.sampled_from(namespaces))
        issuer = draw(st.sampled_from(["wx1", "wx2"])) if namespace == "openid" else ""
        nodes.append((namespace, issuer, rank * 7919 % 65537))
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda p: p[0] != p[1]),
            max_size=30,
            unique_by=frozenset,
        )
    )
    links = []
    for i, j in pairs:
        a, b = nodes[i], nodes[j]
        strength = min(TIGHT[a[0]].strength, TIGHT[b[0]].strength)
        decision = draw(st.sampled_from([0, 0, 0, 0, 1, -1])) if decisions else 0
        links.append(Link(a, b, strength, draw(st.integers(0, 5)), decision))
    blocked = frozenset(draw(st.lists(st.sampled_from(nodes), max_size=1)))
    return nodes, links, blocked


@given(graphs())
@settings(max_examples=400)
def test_kernel_equals_the_oracle(graph: tuple[list[Node], list[Link], frozenset[Node]]) -> None:
    nodes, links, blocked = graph
    answer, _ = kernel(nodes, links, TIGHT, blocked)
    expected = oracle.settle(set(nodes), links, TIGHT, blocked)
    assert answer == expected


@given(graphs(), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_order_of_arrival_never_matters(
    graph: tuple[list[Node], list[Link], frozenset[Node]], shuffle: random.Random
) -> None:
    nodes, links, blocked = graph
    answer, _ = kernel(nodes, links, TIGHT, blocked)
    nodes, links = nodes[:], links[:]
    shuffle.shuffle(nodes)
    shuffle.shuffle(links)
    assert kernel(nodes, links, TIGHT, blocked)[0] == answer


@given(graphs())
@settings(max_examples=200)
def test_no_person_ever_holds_more_than_the_policy_allows_unless_somebody_decided_so(
    graph: tuple[list[Node], list[Link], frozenset[Node]],
) -> None:
    nodes, links, blocked = graph
    links = [link for link in links if link.decision != 1]
    answer, _ = kernel(nodes, links, TIGHT, blocked)
    for person in answer.people:
        for namespace, issuer, _ in person:
            limit = TIGHT[namespace].max_per_person
            held = sum(1 for node in person if node[:2] == (namespace, issuer))
            assert limit is None or held <= limit


@given(graphs())
@settings(max_examples=200)
def test_clusters_are_settled_alone_as_within_the_whole(
    graph: tuple[list[Node], list[Link], frozenset[Node]],
) -> None:
    """What makes the incremental speed legal: a cluster and its halves hold all that decides it."""
    nodes, links, blocked = graph
    whole, settled = kernel(nodes, links, TIGHT, blocked)
    barred = {node for i, node in enumerate(nodes) if settled.state[i] in (1, 2)}
    cluster_of = {node: int(settled.cluster[i]) for i, node in enumerate(nodes)}
    kinds = sorted({node[:2] for node in nodes})
    codes = np.array([TIGHT.code[namespace] for namespace, _ in kinds], np.int32)
    for cluster in {cluster_of[node] for node in nodes if node not in barred}:
        members = [node for node in nodes if cluster_of[node] == cluster]
        at = {node: i for i, node in enumerate(members)}
        inside = [link for link in links if link.a in at and link.b in at]
        halves = [
            (at[near], far)
            for link in links
            if link.decision == 0
            for near, far in ((link.a, link.b), (link.b, link.a))
            if near in at and far not in at
        ]
        alone = settle(
            Evidence(
                kind=np.array([kinds.index(node[:2]) for node in members], np.int32),
                rank=np.array([node[2] for node in members], np.uint64),
                blocked=np.zeros(len(members), np.bool_),
                a=np.array([at[link.a] for link in inside], np.int64),
                b=np.array([at[link.b] for link in inside], np.int64),
                strength=np.array([link.strength for link in inside], np.int32),
                first_at=np.array([link.first_at for link in inside], np.int64),
                decision=np.array([link.decision for link in inside], np.int8),
                half=np.array([near for near, _ in halves], np.int64),
                half_kind=np.array([kinds.index(far[:2]) for _, far in halves], np.int32),
                half_key=np.array([nodes.index(far) for _, far in halves], np.int64),
            ),
            Kinds.of(TIGHT, codes),
        )
        groups: dict[int, set[Node]] = {}
        for i, node in enumerate(members):
            groups.setdefault(int(alone.part[i]), set()).add(node)
        assert {frozenset(group) for group in groups.values()} <= whole.people
        assert not set(np.flatnonzero(alone.state == 1))


@given(graphs(decisions=False), st.data())
@settings(max_examples=200)
def test_merge_then_deny_equals_the_start(
    graph: tuple[list[Node], list[Link], frozenset[Node]], data: st.DataObject
) -> None:
    nodes, links, blocked = graph
    start, _ = kernel(nodes, links, TIGHT, blocked)
    a, b = data.draw(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)).filter(lambda p: p[0] != p[1]))
    merged = Link(a, b, 1000, 9, 1)
    together, _ = kernel(nodes, [*links, merged], TIGHT, blocked)
    if not {a, b} & (together.crowded | blocked):
        assert any({a, b} <= person for person in together.people)
    undone, _ = kernel(nodes, [*links, Link(a, b, 1000, 9, -1)], TIGHT, blocked)
    assert undone.people == start.people
    del undone.status[frozenset((a, b)), 1000]
    assert undone.status == start.status


def test_a_junk_identifier_never_glues_people() -> None:
    shop_phone: Node = ("phone", "", 1)
    members: list[Node] = [("member_no", "", 100 + i) for i in range(2000)]
    links = [Link(member, shop_phone, 70, i) for i, member in enumerate(members)]
    answer, settled = kernel([shop_phone, *members], links, BOOK)
    assert answer.people == {frozenset([node]) for node in [shop_phone, *members]}
    assert answer.crowded == {shop_phone}
    assert int(settled.people[0]) == 2000
    assert set(answer.status.values()) == {"demoted"}


def test_a_conflict_of_unique_identifiers_refuses_the_weaker_link_and_names_the_kind() -> None:
    phone: Node = ("phone", "", 1)
    first: Node = ("member_no", "", 2)
    second: Node = ("member_no", "", 3)
    links = [Link(second, phone, 70, 20), Link(first, phone, 70, 10)]
    answer, settled = kernel([phone, first, second], links, BOOK)
    assert answer.people == {frozenset([phone, first]), frozenset([second])}
    assert answer.status[frozenset([second, phone]), 70] == "refused"
    assert answer.status[frozenset([first, phone]), 70] == "accepted"
    kinds = sorted({node[:2] for node in [phone, first, second]})
    assert kinds[int(settled.because[0])] == ("member_no", "")


def test_openids_of_two_apps_are_one_person_and_two_of_one_app_are_not() -> None:
    union: Node = ("unionid", "", 1)
    shop: Node = ("openid", "wx1", 2)
    game: Node = ("openid", "wx2", 3)
    other: Node = ("openid", "wx1", 4)
    links = [Link(union, shop, 90, 1), Link(union, game, 90, 2), Link(union, other, 90, 3)]
    answer, _ = kernel([union, shop, game, other], links, BOOK)
    assert answer.people == {frozenset([union, shop, game]), frozenset([other])}


def test_every_namespace_of_the_design_has_a_policy() -> None:
    assert {policy.namespace for policy in POLICIES} == {
        "member_no",
        "unionid",
        "openid",
        "external_userid",
        "user_id",
        "platform_buyer",
        "card",
        "phone",
        "email",
        "household",
        "anonymous_id",
    }


@given(graphs(), st.integers(5, 40))
@settings(max_examples=150)
def test_joining_in_turns_changes_nothing(graph: tuple[list[Node], list[Link], frozenset[Node]], counters: int) -> None:
    nodes, links, blocked = graph
    at_once, _ = kernel(nodes, links, TIGHT, blocked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolution, "_COUNTERS", counters)
        assert kernel(nodes, links, TIGHT, blocked)[0] == at_once
