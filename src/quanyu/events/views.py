"""Sources and replays as the console sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quanyu.events.contracts import Source
from quanyu.events.mending import Edit
from quanyu.events.quarantine import Chosen
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
    def of(
        cls, source: Source, last: datetime | None, totals: Mapping[str, int], pending: int, *, proven: bool = True
    ) -> SourceView:
        """From the books' totals and the backlog; `proven` says that the stores were found to hold as much."""
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
            proven and booked == stored + duplicate + quarantined,
            last,
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay: `stored`, `duplicate`, or `quarantined` again with its reason."""

    outcome: str
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """An item that would stay in quarantine, masked, and one that would be stored, as it would be sent."""

    quarantine_id: str
    reason: str
    where: str
    detail: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do, judged on the newest `looked` of `total` items."""

    total: int
    looked: int
    ready: int
    stored: int
    duplicate: int
    still: tuple[tuple[str, int], ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ReplayView:
    """A replay in bulk: `total` and `done` and `still` count items, `stored` and `duplicate` events."""

    replay_id: str
    chosen: Chosen
    edits: tuple[Edit, ...]
    status: str
    total: int
    done: int
    stored: int
    duplicate: int
    still: int
    made_at: datetime
    made_by: str
    ended_at: datetime | None
