"""Events and their properties as options: what has really happened in this brand, with how often."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from quanyu.access.contracts import Scope
from quanyu.audiences.history_sets import EVENT_COLUMNS
from quanyu.audiences.options import Option, contains
from quanyu.events.contracts import EVENT_LABELS, event_label
from quanyu.kernel.label import Label, same
from quanyu.storage.engine import Engine

_LOOKED_AT = 2_000
ANY = Label("任意事件", "Any event")

COLUMN_LABELS: dict[str, Label] = {
    "amount": Label("金额（分）", "Amount (minor units)"),
    "channel": Label("渠道", "Channel"),
    "store_id": Label("门店", "Store"),
    "staff_id": Label("导购", "Guide"),
    "touchpoint": Label("触点", "Touchpoint"),
    "order_id": Label("订单号", "Order"),
    "effect_id": Label("来源触达", "Caused by send"),
    "session_id": Label("会话", "Session"),
    "source": Label("数据源", "Source"),
    "currency": Label("币种", "Currency"),
    "event_id": Label("事件编号", "Event id"),
}
assert set(COLUMN_LABELS) == EVENT_COLUMNS


class EventOptions:
    """Names of events with how many of them the brand has; kept until new events arrive."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[str, tuple[str, list[tuple[str, int]]]] = {}
        self._lock = threading.Lock()

    def counts(self, brand: str) -> list[tuple[str, int]]:
        """(name, events) of the brand, most first."""
        mark = self._engine.watermark()
        with self._lock:
            known = self._kept.get(brand)
        if known is None or known[0] != mark:
            events = self._engine.events()
            mine = events.filter(events.brand == brand)
            rows = self._engine.run(mine.group_by("name").aggregate(n=mine.count())).to_pylist()
            known = (mark, sorted(((row["name"], row["n"]) for row in rows), key=lambda row: (-row[1], row[0])))
            with self._lock:
                self._kept[brand] = known
        return known[1]

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Events that happened, most first, then the standard ones that have not happened yet.

        Numbers are of the whole brand, so a narrower scope gets none.
        """
        found = dict(self.counts(scope.brand))
        options = [Option(name, event_label(name), n if scope.whole_brand else None) for name, n in found.items()]
        options.append(Option("*", ANY))
        options += [Option(name, label) for name, label in EVENT_LABELS.items() if name not in found]
        return [o for o in options if contains(q, o.value, o.label)][:limit]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:  # noqa: ARG002
        """The labels of events; every name has one."""
        return {key: ANY if key == "*" else event_label(key) for key in keys}


class PropertyOptions:
    """Properties of an event (`about["event"]`): its columns, then what its newest rows carry."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:
        """Columns first, then properties by how often they occur in a sample."""
        seen = Counter(key for row in self._sample(scope, about.get("event", "")) for key in row)
        options = [Option(key, label) for key, label in COLUMN_LABELS.items()]
        options += [Option(key, same(key), n) for key, n in seen.most_common() if key not in COLUMN_LABELS]
        return [o for o in options if contains(q, o.value, o.label)][:limit]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:  # noqa: ARG002
        """The labels of columns; a property is its own name."""
        return {key: COLUMN_LABELS.get(key, same(key)) for key in keys}

    def _sample(self, scope: Scope, event: str) -> list[dict[str, Any]]:
        events = self._engine.events()
        mine = events.filter((events.brand == scope.brand) & events.properties.notnull())
        if event and event != "*":
            mine = mine.filter(mine.name == event)
        rows = self._engine.run(mine.select("properties").limit(_LOOKED_AT)).column(0).to_pylist()
        decoded = (json.loads(row) for row in rows)
        return [row for row in decoded if isinstance(row, dict)]
