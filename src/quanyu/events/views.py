"""Sources and replays as the console sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quanyu.events.contracts import Source
from quanyu.events.mending import Edit
from quanyu.events.quarantine import Chosen
from quanyu.events.sources import KINDS


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with its books. `accepted` counts everything acknowledged, so also what is `pending` in the log.

    `damaged` were acknowledged, and the log's bytes rotted before they were stored.
    """

    source: Source
    protocols: tuple[str, ...]
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    damaged: int
    pending: int
    balanced: bool
    last_event_at: datetime | None

    @classmethod
    def of(
        cls,
        source: Source,
        last: datetime | None,
        totals: Mapping[str, int],
        pending: int,
        *,
        proven: bool = True,
        damaged: int = 0,
    ) -> SourceView:
        """From the books' totals and the backlog; `proven` says that the stores were found to hold as much."""
        stored, duplicate, quarantined = (totals.get(name, 0) for name in ("stored", "duplicate", "quarantined"))
        booked = totals.get("accepted", 0)
        return cls(
            source,
            KINDS[source.kind],
            booked + damaged + pending,
            stored,
            duplicate,
            quarantined,
            damaged,
            pending,
            proven and booked == stored + duplicate + quarantined,
            last,
        )


@dataclass(frozen=True, slots=True)
class BookHour:
    """One hour of a source's books: accepted = stored + duplicate + quarantined + damaged."""

    hour_at: datetime
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    damaged: int

    @classmethod
    def of(cls, hour_at: datetime, booked: Any, damaged: int) -> BookHour:
        """From the hour's row, if there is one, and the events that were lost to damage before they were booked."""
        if booked is None:
            return cls(hour_at, damaged, 0, 0, 0, damaged)
        counts = (booked.stored, booked.duplicate, booked.quarantined)
        return cls(hour_at, booked.accepted + damaged, *counts, damaged)


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
