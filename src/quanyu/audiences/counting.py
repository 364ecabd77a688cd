"""The live count: how many people a tree means while the operator is still editing it.

Answers are kept per tree, scope, brand-local day and watermark of what they rest on, so asking again costs nothing
and nothing stale is told. Equal questions that arrive together are computed once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences.evaluator import Cancelled, Evaluator, StateSets, local, never
from quanyu.audiences.primitives import SetMember
from quanyu.audiences.tree import Node, canonical
from quanyu.kernel.label import Label

_KEPT = 512


@dataclass(slots=True)
class _Once:
    """One computation that several askers may wait for."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """A counted set: its size, how many are visible at all, and how many each channel reaches."""

    count: int
    total: int
    reachable: Mapping[str, int]


class LiveCount:
    """Counts trees, each question once per state of the data."""

    def __init__(
        self,
        evaluator: Evaluator,
        state_sets: StateSets,
        watermark: Callable[[Node], str],
        channels: Mapping[str, Label],
        purpose: str,
    ) -> None:
        self._evaluator = evaluator
        self._state_sets = state_sets
        self._watermark = watermark
        self._channels = channels
        self._purpose = purpose
        self._kept: OrderedDict[Hashable, Number] = OrderedDict()
        self._running: dict[Hashable, _Once] = {}
        self._lock = threading.Lock()

    def count(self, tree: Node, scope: Scope, at: datetime, cancelled: Cancelled = never) -> Number:
        """The tree's number. Raises TreeInvalid; CountCancelled when `cancelled()` says so between steps."""
        key = (scope, canonical(tree), local(at, scope).date(), self._watermark(tree))
        with self._lock:
            known = self._recall(key)
            if known is not None:
                return known
            once = self._running.setdefault(key, _Once())
            once.waiting += 1
        try:
            with once.lock:
                with self._lock:
                    known = self._recall(key)
                if known is None:
                    known = self._compute(tree, scope, at, cancelled)
                    self._remember(key, known)
                return known
        finally:
            with self._lock:
                once.waiting -= 1
                if not once.waiting:
                    self._running.pop(key, None)

    def _compute(self, tree: Node, scope: Scope, at: datetime, cancelled: Cancelled) -> Number:
        found = self._evaluator.evaluate(tree, at, scope, cancelled=cancelled)
        return Number(len(found), len(self._state_sets.visible(scope)), self.reachable(found, scope, at))

    def reachable(self, found: BitMap, scope: Scope, at: datetime) -> dict[str, int]:
        """How many of a set may be contacted through each channel."""
        wanted: Any = [SetMember("consent", (self._purpose, channel)) for channel in self._channels]
        allowed = self._state_sets.answer(scope, wanted, None, at)
        return {w.keys[1]: found.intersection_cardinality(allowed[w]) for w in wanted}

    def _recall(self, key: Hashable) -> Number | None:
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
        return known

    def _remember(self, key: Hashable, number: Number) -> None:
        with self._lock:
            self._kept[key] = number
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
