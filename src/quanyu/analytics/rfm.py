"""RFM: the scoring as a pure function, and its eight segments as sets that conditions can name.

R: days from the day after the period's end back to the last paid order (1 is the last day itself). F: paid orders.
M: their amount. Each is cut into quintiles by rank, equal values ranked in ascending order of person number, so that
the same data always gives the same segments. There is no one standard of RFM; this is ours, shown beside the numbers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.analytics.definitions import ORDER, RFM_DAYS
from quanyu.analytics.rows import within
from quanyu.audiences.api import (
    Choice,
    Condition,
    FormField,
    Names,
    Predicate,
    SetMember,
    Some,
    from_ids,
    local,
    predicate,
)
from quanyu.kernel.label import Label
from quanyu.storage.engine import Engine

LIST = "rfm"
HIGH = 4
SegmentKey = Literal[
    "champions", "drifting", "promising", "at_risk", "regular", "regular_drifting", "newcomers", "sleeping"
]
# By (R high, F high, M high), from the top of the pyramid to its foot.
SEGMENTS: dict[tuple[bool, bool, bool], tuple[SegmentKey, Label]] = {
    (True, True, True): ("champions", Label("重要价值客户", "Champions")),
    (False, True, True): ("drifting", Label("重要保持客户", "Drifting champions")),
    (True, False, True): ("promising", Label("重要发展客户", "Promising big spenders")),
    (False, False, True): ("at_risk", Label("重要挽留客户", "Big spenders at risk")),
    (True, True, False): ("regular", Label("一般价值客户", "Regulars")),
    (False, True, False): ("regular_drifting", Label("一般保持客户", "Drifting regulars")),
    (True, False, False): ("newcomers", Label("一般发展客户", "Newcomers")),
    (False, False, False): ("sleeping", Label("一般挽留客户", "Sleeping")),
}
SEGMENT_LABELS: dict[str, Label] = dict(SEGMENTS.values())
_KEPT = 16

Ints = npt.NDArray[np.int64]


def quintiles(values: Ints) -> Ints:
    """1 to 5 by rank, ascending; equal values keep their order, so pass them in the order that breaks ties.

    The border of quintile k is rank 1 + k/5 · (n - 1), as pandas' `qcut` of ranks has it.
    """
    n = values.size
    if n <= 1:
        return np.full(n, 5, dtype=np.int64)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(n)
    return np.maximum(-(-rank * 5 // (n - 1)), 1)


def scores(recency: Ints, frequency: Ints, monetary: Ints) -> tuple[Ints, Ints, Ints]:
    """(R, F, M) scores 1 to 5, 5 the best; rows in the order that breaks ties. A recent last order scores high."""
    return quintiles(-recency), quintiles(frequency), quintiles(monetary)


@dataclass(frozen=True, slots=True)
class Scored:
    """Everybody who bought in the year before a day, in ascending `person_id`, with amounts and segments."""

    person_id: Ints
    amount: Ints
    segment: npt.NDArray[np.int8]  # position in SEGMENTS

    def members(self, key: str) -> BitMap:
        """The people of a segment."""
        return from_ids(self.person_id[self.segment == _position(key)])


class Rfm:
    """Scores buyers as of a day: a whole brand's once per state of the data, or those of a narrower scope.

    Quintiles are drawn among the buyers whom the caller sees, by the orders that they see: a store's pyramid says
    nothing about customers of other stores.
    """

    def __init__(self, engine: Engine, visible: Callable[[Scope], BitMap]) -> None:
        self._engine = engine
        self._visible = visible
        self._kept: OrderedDict[tuple[str, date, str], Scored] = OrderedDict()
        self._lock = threading.Lock()

    def scored(self, scope: Scope, last: date) -> Scored:
        """The scope's buyers of the `RFM_DAYS` days up to and including `last`."""
        if not scope.whole_brand:
            return self._compute(scope, last)
        key = (scope.brand, last, self._engine.watermark())
        with self._lock:
            known = self._kept.get(key)
        if known is None:
            known = self._compute(scope, last)
            with self._lock:
                self._kept[key] = known
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return known

    def _compute(self, scope: Scope, last: date) -> Scored:
        table = self._engine.run(self.expression(scope, last)).sort_by("person_id")
        person = table.column("person_id").to_numpy().astype(np.int64)
        amount = table.column("amount").to_numpy().astype(np.int64)
        bought = table.column("last_day").to_pylist()
        ordinal = np.fromiter((date.fromisoformat(day).toordinal() for day in bought), np.int64, len(bought))
        r, f, m = scores(last.toordinal() + 1 - ordinal, table.column("orders").to_numpy().astype(np.int64), amount)
        segment = np.zeros(person.size, dtype=np.int8)
        for position, (high_r, high_f, high_m) in enumerate(SEGMENTS):
            hit = ((r >= HIGH) == high_r) & ((f >= HIGH) == high_f) & ((m >= HIGH) == high_m)
            segment[hit] = position
        return Scored(person, amount, segment)

    def expression(self, scope: Scope, last: date) -> Any:
        """Per buyer: `person_id, orders, amount, last_day`."""
        events = within(self._engine, scope, None if scope.whole_brand else self._visible(scope))
        first = last - timedelta(days=RFM_DAYS - 1)
        orders = events.filter(
            (events.name == ORDER)
            & (events.day >= first.isoformat())
            & (events.day <= last.isoformat())
            & (events.person_id > 0)
        )
        return orders.group_by("person_id").aggregate(
            orders=orders.count(), amount=orders.amount.sum().coalesce(0), last_day=orders.day.max()
        )

    def members(self, scope: Scope, keys: tuple[str, ...], at: datetime) -> BitMap:
        """The people of segment `keys[0]` as of day `keys[1]`, or as of today at `at` if that is empty."""
        segment, day = keys
        last = date.fromisoformat(day) if day else local(at, scope).date()
        return self.scored(scope, last).members(segment)


def _position(key: str) -> int:
    return [segment for segment, _ in SEGMENTS.values()].index(key)  # type: ignore[arg-type]


@predicate("rfm")
class RfmSegment(Predicate):
    """People of RFM segments, scored over the year up to `as_of` (today if left out)."""

    label = Label("RFM 分层", "RFM segment")
    group = Label("消费", "Purchases")
    form = (
        FormField(
            "segments",
            "multiselect",
            Label("分层", "Segments"),
            choices=tuple(Choice(key, label) for key, label in SEGMENTS.values()),
            multiple=True,
        ),
        FormField("as_of", "text", Label("截至日期", "As of (date)"), required=False),
    )

    segments: Annotated[tuple[SegmentKey, ...], Field(min_length=1, max_length=8)]
    as_of: date | None = None

    def lower(self, at: datetime) -> Condition:  # noqa: ARG002 - the list gets the instant itself
        day = self.as_of.isoformat() if self.as_of else ""
        return Some(tuple(SetMember("list", (LIST, key, day)) for key in sorted(set(self.segments))))

    def sentence(self, names: Names) -> Label:  # noqa: ARG002
        labels = [SEGMENT_LABELS[key] for key in self.segments]
        zh, en = "、".join(label.zh for label in labels), ", ".join(label.en for label in labels)
        if self.as_of is None:
            return Label(f"RFM 分层为{zh}", f"is in the RFM segment {en}")
        return Label(f"截至 {self.as_of} RFM 分层为{zh}", f"was in the RFM segment {en} as of {self.as_of}")
