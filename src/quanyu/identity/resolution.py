"""The pure heart of OneID: from identifiers and links to people, as arrays, with no database in sight.

What it decides is a function of the *set* of links alone: never of the order in which they arrived, of row numbers
or of what was decided before. Three steps, each over the whole evidence that it is given:

1. `crowded`: identifiers that too many people would share are demoted (or flagged); they glue nobody.
2. `clusters`: connected parts of the links that are left. Only identifiers of one cluster can influence each other,
   so a micro-batch needs to look again at the clusters it touches and at nothing else.
3. `join`: the links of a cluster in canonical order (strength, then age, then hashes); a link that would give a
   person more identifiers of a kind than its policy allows is refused. What somebody decided by hand comes last and
   joins whole people, so that it never changes which evidence holds.

Tables and ids of people are `ledger`'s business. Measured: `reference/engines.md` D (union-find on dense ids).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quanyu.identity.policies import PolicyBook
from quanyu.storage.compiled import compiled

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

# identifier.state
ACTIVE, CROWDED, BLOCKED, FLAGGED = 0, 1, 2, 3
# link.status
ACCEPTED, REFUSED, DEMOTED, DENIED = 1, 2, 3, 4
# link.decision: what a person decided, 0 if nobody did
UNDECIDED, ACCEPT, DENY = 0, 1, -1

_COUNTERS = 1 << 26  # 256 MB of them at a time


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of identifiers: a namespace, or one issuer within it. Arrays are indexed by kind.

    `namespace` is the policy's code; `cap` how many a person may hold (0: no limit); `max_people`, `max_links`
    and `demotes` (1 demote, 2 flag, 0 refuse) are the policy's.
    """

    namespace: I32
    strength: I32
    cap: I32
    max_people: I32
    max_links: I32
    demotes: I8

    @classmethod
    def of(cls, book: PolicyBook, namespaces: I32) -> Kinds:
        """Kinds whose policies have the codes `namespaces`."""
        policies = [book.policies[int(code)] for code in namespaces]
        modes = {"refuse": 0, "demote": 1, "flag": 2}
        return cls(
            namespaces.astype(np.int32),
            np.array([policy.strength for policy in policies], np.int32),
            np.array([policy.max_per_person or 0 for policy in policies], np.int32),
            np.array([policy.max_people for policy in policies], np.int32),
            np.array([policy.max_links for policy in policies], np.int32),
            np.array([modes[policy.over_limit] for policy in policies], np.int8),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Identifiers (`kind`, `rank`, `blocked`) and links between them, by position.

    `rank` orders equal links: 64 bits of the identifier's keyed hash, so that it means the same in every
    installation state. `a`, `b` are positions of identifiers; `first_at` microseconds; `decision` as above.
    Halves are links to identifiers that are not loaded (demoted ones, or ones beyond a denied link): they count
    when an identifier's neighbours are counted and join nobody; `half_key` tells the distant ends apart.
    """

    kind: I32
    rank: npt.NDArray[np.uint64]
    blocked: Bools
    a: I64
    b: I64
    strength: I32
    first_at: I64
    decision: I8
    half: I64
    half_kind: I32
    half_key: I64


@dataclass(frozen=True, slots=True)
class Settled:
    """What follows: per identifier its `state`, `cluster` and `part` (the smallest position in each), and the
    `people` that seem to share it; per link its `status` and `because` (the kind that refused it, else -1).
    """

    state: I8
    cluster: I64
    part: I64
    people: I64
    status: I8
    because: I32


def settle(evidence: Evidence, kinds: Kinds) -> Settled:
    """Decide every link and every part of `evidence`."""
    n = evidence.kind.size
    state, people = crowded(evidence, kinds)
    barred = (state == CROWDED) | (state == BLOCKED)
    a, b = evidence.a, evidence.b
    denied = evidence.decision == DENY
    usable = ~denied & ~barred[a] & ~barred[b]
    cluster = clusters(n, a[usable], b[usable])

    order = canonical_order(evidence, usable)
    part, accepted, because = _join_in_turn(cluster, order, evidence, kinds)
    status = np.full(a.size, DEMOTED, np.int8)
    status[denied] = DENIED
    status[order] = np.where(accepted, ACCEPTED, REFUSED)
    reason = np.full(a.size, -1, np.int32)
    reason[order] = because
    # A demoted link names the kind of the end that is too crowded.
    lost = (status == DEMOTED) & ~denied
    reason[lost] = np.where(barred[a[lost]], evidence.kind[a[lost]], evidence.kind[b[lost]])
    return Settled(state, cluster, part, people, status, reason)


def crowded(evidence: Evidence, kinds: Kinds) -> tuple[I8, I64]:
    """State of each identifier, and how many people seem to share it.

    People are told apart by what a person may hold only so many of: a phone seen with four member numbers
    (one per person) has four people; a tablet's cookie seen with 40 phones (three per person) has fourteen.
    Links that a person decided do not count.
    """
    n = evidence.kind.size
    state = np.where(evidence.blocked, BLOCKED, ACTIVE).astype(np.int8)
    people = np.ones(n, np.int64)
    if n == 0:
        return state, people
    free = evidence.decision == UNDECIDED
    a, b = evidence.a[free], evidence.b[free]
    # Distant ends get positions after the loaded ones.
    distant, distant_at = np.unique(evidence.half_key, return_inverse=True)
    span = n + distant.size
    node = np.concatenate([a, b, evidence.half])
    neighbour = np.concatenate([b, a, n + distant_at])
    # Whoever has one link has one neighbour: most identifiers need no counting.
    several = np.bincount(node, minlength=n)[node] > 1
    pairs = np.unique(node[several] * span + neighbour[several])
    node, neighbour = pairs // span, pairs % span
    kind_of = np.concatenate([evidence.kind, np.zeros(distant.size, np.int32)])
    kind_of[n + distant_at] = evidence.half_kind
    total = np.bincount(node, minlength=n)
    width = kinds.cap.size
    groups, counts = np.unique(node * width + kind_of[neighbour], return_counts=True)
    cap = kinds.cap[groups % width]
    capped = cap > 0
    shares = -(-counts[capped] // cap[capped])
    np.maximum.at(people, groups[capped] // width, shares)
    over = people > kinds.max_people[evidence.kind]
    mode = kinds.demotes[evidence.kind]
    junk = (over & (mode == 1)) | (total > kinds.max_links[evidence.kind])
    state[over & (mode == 2) & (state == ACTIVE)] = FLAGGED
    state[junk & (state != BLOCKED)] = CROWDED
    return state, people


def canonical_order(evidence: Evidence, usable: Bools) -> I64:
    """Positions of the usable links: the strongest, the oldest, the smallest hashes first; decided ones last."""
    at = np.flatnonzero(usable)
    left, right = evidence.rank[evidence.a[at]], evidence.rank[evidence.b[at]]
    keys = (
        np.maximum(left, right),
        np.minimum(left, right),
        evidence.first_at[at],
        -evidence.strength[at].astype(np.int64),
        evidence.decision[at] == ACCEPT,
    )
    return at[np.lexsort(keys)]


def _join_in_turn(cluster: I64, order: I64, evidence: Evidence, kinds: Kinds) -> tuple[I64, Bools, I32]:
    """`join`, some whole clusters at a time: its counters are a table of identifiers by kinds."""
    n = cluster.size
    slot, cap, kind = _slots(evidence.kind, kinds)
    a, b, forced = evidence.a[order], evidence.b[order], evidence.decision[order] == ACCEPT
    if n * max(cap.size, 1) <= _COUNTERS:
        return join(n, a, b, forced, slot, cap, kind)
    turn_of_position = np.arange(n) * cap.size // _COUNTERS
    turn = turn_of_position[cluster]  # clusters are named for their smallest position, so none is torn apart
    part, accepted, because = np.arange(n), np.ones(a.size, np.bool_), np.full(a.size, -1, np.int32)
    local = np.empty(n, np.int64)
    link_turn = turn[a]
    for number in range(int(turn_of_position[-1]) + 1):
        members = np.flatnonzero(turn == number)
        local[members] = np.arange(members.size)
        mine = np.flatnonzero(link_turn == number)
        found = join(members.size, local[a[mine]], local[b[mine]], forced[mine], slot[members], cap, kind)
        part[members] = members[found[0]]
        accepted[mine], because[mine] = found[1], found[2]
    return part, accepted, because


def _slots(kind: I32, kinds: Kinds) -> tuple[I32, I32, I32]:
    """Per identifier the column in which its kind is counted (-1: not limited), and per column its cap and kind."""
    limited = np.flatnonzero(kinds.cap > 0)
    # The strongest kind comes first, so that it is the one named when several would refuse.
    limited = limited[np.lexsort((limited, -kinds.strength[limited]))]
    column = np.full(kinds.cap.size, -1, np.int32)
    column[limited] = np.arange(limited.size, dtype=np.int32)
    return column[kind], kinds.cap[limited], limited.astype(np.int32)


@compiled
def _find(parent: I64, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@compiled
def clusters(n: int, a: I64, b: I64) -> I64:
    """Connected parts of the links (a, b) over `n` positions: for each the smallest position in its part."""
    parent = np.arange(n)
    for i in range(a.size):
        x, y = _find(parent, a[i]), _find(parent, b[i])
        if x < y:
            parent[y] = x
        elif y < x:
            parent[x] = y
    for i in range(n):
        parent[i] = _find(parent, i)
    return parent


@compiled
def join(n: int, a: I64, b: I64, forced: Bools, slot: I32, cap: I32, kind: I32) -> tuple[I64, Bools, I32]:
    """Take the links in the order given; refuse those whose union would exceed a cap.

    A forced link (somebody accepted it by hand) joins whatever the caps say; a refused one whose ends it brought
    into one part holds after all. Returns the smallest position of each part, whether each link holds, and the kind
    that refused it (-1 where none did).
    """
    parent = np.arange(n)
    held = np.zeros((n, cap.size), np.int32)
    for i in range(n):
        if slot[i] >= 0:
            held[i, slot[i]] = 1
    accepted = np.ones(a.size, np.bool_)
    because = np.full(a.size, -1, np.int32)
    for i in range(a.size):
        x, y = _find(parent, a[i]), _find(parent, b[i])
        if x == y:
            continue
        if not forced[i]:
            for c in range(cap.size):
                if held[x, c] > 0 and held[y, c] > 0 and held[x, c] + held[y, c] > cap[c]:
                    accepted[i] = False
                    because[i] = kind[c]
                    break
        if accepted[i]:
            if y < x:
                x, y = y, x
            parent[y] = x
            for c in range(cap.size):
                held[x, c] += held[y, c]
    for i in range(n):
        parent[i] = _find(parent, i)
    for i in range(a.size):
        if not accepted[i] and parent[a[i]] == parent[b[i]]:
            accepted[i] = True
            because[i] = -1
    return parent, accepted, because
