"""The evaluator: any condition tree to the set of people it means, the same for counts, lists and branches.

State conditions are SQL over state. History conditions are Ibis over history (`history_sets`: any condition), or
kernels over column streams where those can answer (`fast_sets`: the same answers, sooner). All become bitmaps of
`person_id` and are combined here. Nothing leaves that the caller may not see: the answer, and what `not` takes away
from, is the set of people within the caller's scope.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import fast_sets, history_sets
from quanyu.audiences.errors import CountCancelled, RuleError, TreeInvalid
from quanyu.audiences.predicate import Predicate, Registry, read_rule, registry
from quanyu.audiences.primitives import (
    Condition,
    EventAggregate,
    Every,
    Except,
    Primitive,
    SetMember,
    Some,
    TraitCompare,
    primitives,
)
from quanyu.audiences.tree import Group, Node, Rule
from quanyu.kernel.label import Label
from quanyu.storage.engine import Engine
from quanyu.storage.streams import EventStreams


class StateSets(Protocol):
    """Sets of people that state knows: what the evaluator needs of the stores below it."""

    def visible(self, scope: Scope) -> BitMap:
        """Everybody within the scope."""
        ...

    def answer(
        self, scope: Scope, wanted: Sequence[TraitCompare | SetMember], within: BitMap | None, at: datetime
    ) -> dict[TraitCompare | SetMember, BitMap]:
        """The people of each condition in the scope's brand; with `within`, at least those of them.

        State is as it is now; `at` is for lists that are computed.
        """
        ...


# The kernels release the interpreter's lock: two conditions use two cores.
_POOL = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="audiences")
Cancelled = Callable[[], bool]


def never() -> bool:
    """A count that nobody cancels."""
    return False


@dataclass(frozen=True, slots=True)
class Lowered:
    """A tree whose rules have been read and lowered: node ids to conditions, and the whole."""

    whole: Condition
    rules: dict[str, Predicate]


class Evaluator:
    """Evaluates trees. Thread-safe: it holds nothing but its stores."""

    def __init__(
        self,
        engine: Engine,
        state_sets: StateSets,
        within: Registry = registry,
        streams: EventStreams | None = None,
    ) -> None:
        """Without `streams` every history condition is answered by the general evaluator."""
        self._engine = engine
        self._streams = streams
        self._state_sets = state_sets
        self._registry = within

    def evaluate(
        self,
        tree: Node,
        at: datetime,
        scope: Scope,
        within: BitMap | None = None,
        cancelled: Cancelled = never,
    ) -> BitMap:
        """The people of `tree` at the instant `at` whom `scope` may see, and who are in `within` if that is given.

        Raises TreeInvalid for a rule that cannot be read, CountCancelled when `cancelled()` says so between steps.
        """
        condition = lower(tree, local(at, scope), self._registry).whole
        visible = self._state_sets.visible(scope)
        base = visible if within is None else visible & within
        if not base:
            return BitMap()
        found = self._answers(set(primitives(condition)), at, scope, None if within is None else base, cancelled)
        return combine(condition, found, base)

    def _answers(
        self, wanted: set[Primitive], at: datetime, scope: Scope, within: BitMap | None, cancelled: Cancelled
    ) -> dict[Primitive, BitMap]:
        found: dict[Primitive, BitMap] = {}
        ordered = sorted(wanted, key=repr)
        of_state = [p for p in ordered if isinstance(p, TraitCompare | SetMember)]
        if of_state:
            found.update(dict[Primitive, BitMap](self._state_sets.answer(scope, of_state, within, at).items()))
        of_history = [p for p in ordered if isinstance(p, EventAggregate)]
        if self._streams is not None:
            found.update(_fast(self._streams, of_history, scope, cancelled))
            of_history = [p for p in of_history if p not in found]
        for aggregates in history_sets.together(of_history):
            if cancelled():
                raise CountCancelled(title=Label("已取消", "Cancelled"))
            scanned = history_sets.people(self._engine, scope, aggregates, within)
            found.update(dict[Primitive, BitMap](scanned.items()))
        if cancelled():
            raise CountCancelled(title=Label("已取消", "Cancelled"))
        return found


def _fast(
    streams: EventStreams, wanted: Sequence[EventAggregate], scope: Scope, cancelled: Cancelled
) -> dict[Primitive, BitMap]:
    """What streams can answer, each condition on a thread of its own."""
    if not wanted or cancelled() or not streams.follow():
        return {}
    answers = _POOL.map(lambda aggregate: fast_sets.people(streams, scope, aggregate), wanted)
    return {p: members for p, members in zip(wanted, answers, strict=True) if members is not None}


def local(at: datetime, scope: Scope) -> datetime:
    """The instant on the brand's own clock: whose midnight begins a day."""
    return at.astimezone(ZoneInfo(scope.time_zone))


def lower(tree: Node, at: datetime, within: Registry = registry) -> Lowered:
    """The tree as one condition, `at` on the brand's clock. Raises TreeInvalid with every rule that is wrong."""
    read: dict[str, Predicate] = {}
    errors: list[RuleError] = []
    whole = _lower(tree, at, within, read, errors)
    if errors:
        raise TreeInvalid(errors)
    return Lowered(whole, read)


def _lower(
    node: Node, at: datetime, within: Registry, read: dict[str, Predicate], errors: list[RuleError]
) -> Condition:
    if isinstance(node, Rule):
        given = read_rule(node.id, node.predicate, node.params, within)
        if isinstance(given, list):
            errors += given
            return Every(())
        read[node.id] = given
        return given.lower(at)
    parts = tuple(_lower(child, at, within, read, errors) for child in node.children)
    return _combined(node, parts)


def _combined(node: Group, parts: tuple[Condition, ...]) -> Condition:
    if node.op == "and":
        return Every(parts)
    if node.op == "or":
        return Some(parts, 1)
    if node.op == "not":
        return Except(Some(parts, 1))
    return Some(parts, node.k or 1)


def combine(condition: Condition, found: dict[Primitive, BitMap], base: BitMap) -> BitMap:
    """The set of a condition inside `base`, from the sets of its primitives."""
    if isinstance(condition, Except):
        return base - combine(condition.part, found, base)
    if isinstance(condition, Every):
        whole = base
        for part in condition.parts:
            whole = whole & combine(part, found, base)
        return whole
    if isinstance(condition, Some):
        return at_least(condition.k, [combine(part, found, base) for part in condition.parts])
    return found[condition] & base


def at_least(k: int, sets: Iterable[BitMap]) -> BitMap:
    """The members of at least `k` of the sets."""
    reached: list[BitMap] = [BitMap() for _ in range(k)]  # reached[i]: in at least i + 1 of the sets so far
    for members in sets:
        for i in range(k - 1, 0, -1):
            reached[i] |= reached[i - 1] & members
        reached[0] |= members
    return reached[-1]
