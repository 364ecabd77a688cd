"""Routes of events under /api/v1: data sources with their books. The quarantine has a file of its own.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller, Scope
from quanyu.events.api import Events, SourceView
from quanyu.events.reconcile import Reconciliation
from quanyu.kernel.label import Label
from quanyu.storage.state import State


class LabelOut(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class LabelIn(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(extra="forbid")
    zh: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=100)


_DAMAGED = (
    "Events in frames of the log whose bytes rotted on disk after they were acknowledged and before they were stored: "
    "they cannot be read again. Counted from the frame's header where that could be read; a frame whose header could "
    "not counts as 0 here and is named by the alarm of the log with its file, place and size"
)


class SourceOut(BaseModel):
    """A data source with its books."""

    source: str
    name: LabelOut
    kind: str
    protocol: list[str]
    brand: str
    channel: str | None
    write_key: str | None
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    damaged: int = Field(description=_DAMAGED)
    pending: int
    balanced: bool
    last_event_at: datetime | None
    made: bool


class SourcePage(BaseModel):
    """The brand's data sources."""

    items: list[SourceOut]
    next_cursor: str | None = None
    total: int | None = None


class SourceIn(BaseModel):
    """A new data source."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(pattern=r"^[a-z][a-z0-9_.-]{1,63}$", description="Its key, for ever")
    name: LabelIn
    kind: Literal["sdk", "file"]
    channel: str | None = None


class BookOut(BaseModel):
    """One hour of a source's books: accepted = stored + duplicate + quarantined + damaged."""

    hour_at: datetime
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    damaged: int = Field(description=_DAMAGED)


class BookPage(BaseModel):
    """A source's books, newest hour first."""

    items: list[BookOut]
    next_cursor: str | None = None
    total: int | None = None


class DiscrepancyOut(BaseModel):
    """An hour whose books do not fit what the stores hold: history should have `stored - removed` events."""

    source: str
    hour_at: datetime
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    removed: int
    found_stored: int
    found_quarantined: int
    found_at: datetime
    seen_at: datetime


class RecountOut(BaseModel):
    """The last recount of the stores and what it found. `full_at` is when everything was last counted."""

    checked_at: datetime | None
    full_at: datetime | None
    counted: int
    items: list[DiscrepancyOut]


def router(events: Events, reconciliation: Reconciliation, guard: Guard, audit: Audit, state: State) -> APIRouter:
    """The routes of events."""
    routes = APIRouter(tags=["events"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("sources.write"))

    @routes.get("/sources", summary="Data sources with their books")
    def list_sources(caller: Annotated[Caller, reader]) -> SourcePage:
        items = [_source_out(view, caller.scope) for view in events.list_sources(caller.scope)]
        return SourcePage(items=items, total=len(items))

    @routes.post("/sources", status_code=201, summary="Make a data source; its write key is shown once")
    def create_source(body: SourceIn, caller: Annotated[Caller, writer]) -> SourceOut:
        with state.write() as tx:
            source, key = events.create_source(
                tx,
                caller.scope,
                source=body.source,
                name=Label(body.name.zh, body.name.en),
                kind=body.kind,
                channel=body.channel,
            )
            audit.record(caller, "source_made", source.source, {"kind": source.kind}, tx=tx)
        made = _source_out(SourceView.of(source, None, {}, 0), caller.scope)
        return made.model_copy(update={"write_key": key})

    @routes.get("/sources/{source}/books", summary="A source's books by hour")
    def list_source_books(
        source: str,
        caller: Annotated[Caller, reader],
        from_: Annotated[date | None, Query(alias="from", description="First day, brand-local")] = None,
        to: Annotated[date | None, Query(description="Last day, brand-local")] = None,
    ) -> BookPage:
        zone = ZoneInfo(caller.scope.time_zone)
        last = to or datetime.now(zone).date()
        first = from_ or last - timedelta(days=6)
        found = events.read_books(
            caller.scope,
            source,
            datetime.combine(first, time(), zone).astimezone(UTC),
            datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC),
        )
        return BookPage(items=[BookOut.model_validate(row, from_attributes=True) for row in found], total=len(found))

    @routes.get("/books/recount", summary="Whether the books fit what the stores hold")
    def read_recount(caller: Annotated[Caller, reader]) -> RecountOut:
        health = reconciliation.health()
        return RecountOut(
            checked_at=health.checked_at,
            full_at=health.full_at,
            counted=health.counted,
            items=[
                DiscrepancyOut.model_validate(row, from_attributes=True)
                for row in reconciliation.wrong(caller.scope.brand_id)
            ],
        )

    @routes.post("/books/recount", status_code=202, summary="Ask the worker to recount everything now")
    def ask_recount(caller: Annotated[Caller, writer]) -> None:
        with state.write() as tx:
            reconciliation.ask(tx)
            audit.record(caller, "recount_asked", "books", {}, tx=tx)

    return routes


def _source_out(view: SourceView, scope: Scope) -> SourceOut:
    source = view.source
    return SourceOut(
        source=source.source,
        name=LabelOut(zh=source.name.zh, en=source.name.en),
        kind=source.kind,
        protocol=list(view.protocols),
        brand=scope.brand,
        channel=source.channel,
        write_key=source.key_hint,
        accepted=view.accepted,
        stored=view.stored,
        duplicate=view.duplicate,
        quarantined=view.quarantined,
        damaged=view.damaged,
        pending=view.pending,
        balanced=view.balanced,
        last_event_at=view.last_event_at,
        made=source.made,
    )
