"""Routes of events under /api/v1: data sources with their books, and the quarantine.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller, Scope
from quanyu.events.api import Events, Held, SourceView
from quanyu.events.checks import reason_label
from quanyu.events.personal import mask
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
    """One hour of a source's books: accepted = stored + duplicate + quarantined."""

    hour_at: datetime
    accepted: int
    stored: int
    duplicate: int
    quarantined: int


class BookPage(BaseModel):
    """A source's books, newest hour first."""

    items: list[BookOut]
    next_cursor: str | None = None
    total: int | None = None


QuarantineStatus = Literal["held", "replayed", "discarded"]


class QuarantinedOut(BaseModel):
    """A refused event; its excerpt is masked."""

    quarantine_id: str
    source: str
    received_at: datetime
    reason: str
    reason_label: LabelOut
    detail: str
    where: str
    count: int
    excerpt: str
    status: QuarantineStatus
    note: str | None


class QuarantinePage(BaseModel):
    """Refused events, newest first."""

    items: list[QuarantinedOut]
    next_cursor: str | None
    total: int


class QuarantinedRaw(QuarantinedOut):
    """A refused event with its raw text, masked for whoever may not reveal people; reading it is audited."""

    raw: str
    masked: bool


class ReplayIn(BaseModel):
    """What to replay instead of the raw text; nothing means the raw text as it is."""

    model_config = ConfigDict(extra="forbid")
    body: str | None = Field(default=None, max_length=2_000_000)


class ReplayOut(BaseModel):
    """What became of the replay."""

    outcome: Literal["stored", "duplicate", "quarantined"]
    reason: str | None
    reason_label: LabelOut | None
    detail: str


class DiscardIn(BaseModel):
    """Why the event is given up."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


def router(events: Events, guard: Guard, audit: Audit, state: State) -> APIRouter:
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

    @routes.get("/quarantine", summary="Refused events, newest first")
    def list_quarantine(
        caller: Annotated[Caller, reader],
        source: str | None = None,
        reason: str | None = None,
        status: QuarantineStatus | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> QuarantinePage:
        found, total = events.list_quarantine(
            caller.scope, source=source, reason=reason, status=status, before=_before(cursor), limit=limit
        )
        more = f"{found[-1].seq}-{found[-1].quarantine_id}" if len(found) == limit else None
        return QuarantinePage(
            items=[QuarantinedOut(**_held_fields(item)) for item in found], next_cursor=more, total=total
        )

    @routes.get("/quarantine/{quarantine_id}", summary="A refused event with its raw text (audited)")
    def read_quarantined(quarantine_id: str, caller: Annotated[Caller, reader]) -> QuarantinedRaw:
        item, raw = events.read_quarantined(caller.scope, quarantine_id)
        masked = not caller.may("people.reveal")
        with state.write() as tx:
            audit.record(caller, "quarantine_read", quarantine_id, {"source": item.source, "masked": masked}, tx=tx)
        text = raw.decode("utf-8", "backslashreplace")
        return QuarantinedRaw(raw=mask(text) if masked else text, masked=masked, **_held_fields(item))

    @routes.post("/quarantine/{quarantine_id}/replay", summary="Try a refused event again, mended or as it is")
    def replay_quarantined(quarantine_id: str, body: ReplayIn, caller: Annotated[Caller, writer]) -> ReplayOut:
        with state.write() as tx:
            given = body.body.encode() if body.body is not None else None
            done = events.replay(tx, caller, quarantine_id, given)
            audit.record(
                caller,
                "quarantine_replayed",
                quarantine_id,
                {"outcome": done.outcome, "mended": given is not None},
                tx=tx,
            )
        label = reason_label(done.reason).as_dict() if done.reason else None
        return ReplayOut.model_validate(
            {"outcome": done.outcome, "reason": done.reason, "reason_label": label, "detail": done.detail}
        )

    @routes.post("/quarantine/{quarantine_id}/discard", status_code=204, summary="Give a refused event up")
    def discard_quarantined(quarantine_id: str, body: DiscardIn, caller: Annotated[Caller, writer]) -> None:
        with state.write() as tx:
            events.discard(tx, caller, quarantine_id, body.reason)
            audit.record(caller, "quarantine_discarded", quarantine_id, {"reason": body.reason}, tx=tx)

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
        pending=view.pending,
        balanced=view.balanced,
        last_event_at=view.last_event_at,
        made=source.made,
    )


def _held_fields(item: Held) -> dict[str, Any]:
    label = reason_label(item.reason)
    return {
        "quarantine_id": item.quarantine_id,
        "source": item.source,
        "received_at": item.received_at,
        "reason": item.reason,
        "reason_label": LabelOut(zh=label.zh, en=label.en),
        "detail": item.detail,
        "where": item.where,
        "count": item.count,
        "excerpt": item.excerpt,
        "status": item.status,
        "note": item.note,
    }


def _before(cursor: str | None) -> tuple[int, str] | None:
    """Where the last page ended; a cursor that is none begins at the first page."""
    seq, dash, quarantine_id = (cursor or "").partition("-")
    return (int(seq), quarantine_id) if dash and seq.isdigit() else None
