"""Sources and replays as the console sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quanyu.events.contracts import Source
from quanyu.events.sources import KINDS


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with its books. `accepted` counts everything acknowledged, so also what is `pending` in the log."""

    source: Source
    protocols: tuple[str, ...]
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    pending: int
    balanced: bool
    last_event_at: datetime | None

    @classmethod
    def of(cls, source: Source, last: datetime | None, totals: Mapping[str, int], pending: int) -> SourceView:
        """From the books' totals and the backlog."""
        stored, duplicate, quarantined = (totals.get(name, 0) for name in ("stored", "duplicate", "quarantined"))
        booked = totals.get("accepted", 0)
        return cls(
            source,
            KINDS[source.kind],
            booked + pending,
            stored,
            duplicate,
            quarantined,
            pending,
            booked == stored + duplicate + quarantined,
            last,
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay: `stored`, `duplicate`, or `quarantined` again with its reason."""

    outcome: str
    reason: str | None = None
    detail: str = ""
