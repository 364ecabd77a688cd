"""The resolution once more, one link at a time, with sets and dictionaries: slow, short and obviously right."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from quanyu.identity.policies import PolicyBook

Node = tuple[str, str, int]  # namespace, issuer, rank (stands for the hash)


@dataclass(frozen=True)
class Link:
    """Evidence between two nodes."""

    a: Node
    b: Node
    strength: int
    first_at: int
    decision: int = 0


@dataclass
class Answer:
    """Which nodes make up people, and what became of each link."""

    people: set[frozenset[Node]]
    crowded: set[Node]
    flagged: set[Node]
    status: dict[tuple[frozenset[Node], int], str]


def settle(nodes: set[Node], links: list[Link], book: PolicyBook, blocked: frozenset[Node] = frozenset()) -> Answer:
    crowded, flagged = set(), set()
    for node in nodes:
        policy = book[node[0]]
        neighbours = set()
        for link in links:
            if link.decision == 0 and node in (link.a, link.b) and link.a != link.b:
                neighbours.add(link.b if link.a == node else link.a)
        kinds: dict[tuple[str, str], int] = {}
        for namespace, issuer, _ in neighbours:
            kinds[namespace, issuer] = kinds.get((namespace, issuer), 0) + 1
        sharing = 1
        for (namespace, _), count in kinds.items():
            limit = book[namespace].max_per_person
            if limit:
                sharing = max(sharing, ceil(count / limit))
        if len(neighbours) > policy.max_links or (sharing > policy.max_people and policy.over_limit == "demote"):
            crowded.add(node)
        elif sharing > policy.max_people and policy.over_limit == "flag":
            flagged.add(node)
    crowded -= blocked
    flagged -= blocked

    part: dict[Node, set[Node]] = {node: {node} for node in nodes}
    status: dict[tuple[frozenset[Node], int], str] = {}

    def place(link: Link) -> tuple[int, int, int, int, int]:
        low, high = sorted((link.a[2], link.b[2]))
        return (1 if link.decision == 1 else 0, -link.strength, link.first_at, low, high)

    for link in sorted(links, key=place):
        key = (frozenset((link.a, link.b)), link.strength)
        ends = {link.a, link.b}
        if link.decision == -1:
            status[key] = "denied"
            continue
        if ends & (crowded | blocked):
            status[key] = "demoted"
            continue
        left, right = part[link.a], part[link.b]
        if left is right:
            status[key] = "accepted"
            continue
        if link.decision != 1 and _too_many(left, right, book):
            status[key] = "refused"
            continue
        status[key] = "accepted"
        union = left | right
        for node in union:
            part[node] = union
    for link in links:
        key = (frozenset((link.a, link.b)), link.strength)
        if status[key] == "refused" and part[link.a] is part[link.b]:
            status[key] = "accepted"
    return Answer({frozenset(group) for group in part.values()}, crowded, flagged, status)


def _too_many(left: set[Node], right: set[Node], book: PolicyBook) -> bool:
    for namespace, issuer in {node[:2] for node in left} & {node[:2] for node in right}:
        limit = book[namespace].max_per_person
        held = sum(1 for node in left | right if node[:2] == (namespace, issuer))
        if limit and held > limit:
            return True
    return False
