"""Routes of the quarantine: what is held and why, mending it, and replays, one by one or in bulk.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller
from quanyu.events import errors
from quanyu.events.api import Events, Held
from quanyu.events.checks import reason_label
from quanyu.events.mending import Edit
from quanyu.events.personal import mask
from quanyu.events.quarantine import Chosen
from quanyu.events.refusal_words import detail_in_chinese
from quanyu.events.routes import LabelOut
from quanyu.events.views import Preview, ReplayView
from quanyu.storage.state import State

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
    """A refused event with its raw text; reading it is audited. `masked` says that something personal is hidden in it
    from whoever may not reveal people; a masked text cannot be replayed rewritten.
    """

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


class GroupOut(BaseModel):
    """How much one source has in quarantine for one reason: items, and the events in them."""

    source: str
    reason: str
    reason_label: LabelOut
    items: int
    events: int
    first_at: datetime
    last_at: datetime


class GroupPage(BaseModel):
    """What is in quarantine by source and reason, most events first."""

    items: list[GroupOut]
    next_cursor: str | None = None
    total: int | None = None


class EditIn(BaseModel):
    """One edit of every chosen event: `rename` the member at `path` to `to`, `set` it to `value`, `remove` it, or read
    it as `text` or `number`. A path is written `properties.total` and goes into lists.
    """

    model_config = ConfigDict(extra="forbid")
    op: Literal["rename", "set", "remove", "text", "number"]
    path: str = Field(min_length=1, max_length=200)
    to: str = Field(default="", max_length=200)
    value: str | int | float | bool | None = None


class BulkIn(BaseModel):
    """Which held items to replay, and how each is mended before."""

    model_config = ConfigDict(extra="forbid")
    source: str | None = Field(default=None, max_length=64)
    reason: str | None = Field(default=None, max_length=64)
    since: datetime | None = None
    until: datetime | None = Field(default=None, description="Not included")
    edits: list[EditIn] = Field(default_factory=list, max_length=20)


class ReasonCount(BaseModel):
    """How many items one reason holds back."""

    reason: str
    reason_label: LabelOut
    items: int


class ExampleOut(BaseModel):
    """An item that would stay in quarantine; its text is masked."""

    quarantine_id: str
    reason: str
    reason_label: LabelOut
    where: str
    detail: str
    excerpt: str


class PreviewOut(BaseModel):
    """What a replay would do, judged on the newest `looked` of `total` items.

    `ready` counts items that would leave the quarantine, `stored` and `duplicate` the events in them.
    """

    total: int
    looked: int
    ready: int
    stored: int
    duplicate: int
    still: list[ReasonCount]
    examples: list[ExampleOut]


class BulkOut(BaseModel):
    """A replay in bulk: `total`, `done` and `still` count items, `stored` and `duplicate` events."""

    replay_id: str
    source: str | None
    reason: str | None
    since: datetime | None
    until: datetime | None
    edits: list[EditIn]
    status: Literal["running", "done", "stopped"]
    total: int
    done: int
    stored: int
    duplicate: int
    still: int
    made_at: datetime
    made_by: str
    ended_at: datetime | None


class BulkPage(BaseModel):
    """Replays in bulk, newest first."""

    items: list[BulkOut]
    next_cursor: str | None = None
    total: int | None = None


def router(events: Events, guard: Guard, audit: Audit, state: State) -> APIRouter:
    """The routes of the quarantine."""
    routes = APIRouter(tags=["events"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("sources.write"))

    @routes.get("/quarantine/groups", summary="What is in quarantine, by source and reason")
    def group_quarantine(
        caller: Annotated[Caller, reader], status: QuarantineStatus | None = "held", source: str | None = None
    ) -> GroupPage:
        found = events.quarantine.group(caller.scope, Chosen(source=source, status=status))
        items = [GroupOut(reason_label=_label(row["reason"]), **row) for row in found]
        return GroupPage(items=items, total=len(items))

    @routes.post("/quarantine/preview", summary="What a replay in bulk would do")
    def preview_replay(body: BulkIn, caller: Annotated[Caller, writer]) -> PreviewOut:
        return _preview_out(events.replays.preview(caller.scope, _chosen(body), _edits(body)), caller.language)

    @routes.get("/quarantine/replays", summary="Replays in bulk, newest first")
    def list_replays(caller: Annotated[Caller, reader]) -> BulkPage:
        items = [_bulk_out(view) for view in events.replays.list(caller.scope)]
        return BulkPage(items=items, total=len(items))

    @routes.post("/quarantine/replays", status_code=201, summary="Replay all held items that are chosen")
    def start_replay(body: BulkIn, caller: Annotated[Caller, writer]) -> BulkOut:
        with state.write() as tx:
            replay_id = events.replays.start(tx, caller, _chosen(body), _edits(body))
            facts = body.model_dump(mode="json", exclude_none=True)
            audit.record(caller, "replay_started", replay_id, facts, tx=tx)
        return _bulk_out(events.replays.get(caller.scope, replay_id))

    @routes.get("/quarantine/replays/{replay_id}", summary="How far a replay in bulk is")
    def read_replay(replay_id: str, caller: Annotated[Caller, reader]) -> BulkOut:
        return _bulk_out(events.replays.get(caller.scope, replay_id))

    @routes.post("/quarantine/replays/{replay_id}/stop", status_code=204, summary="End a replay in bulk")
    def stop_replay(replay_id: str, caller: Annotated[Caller, writer]) -> None:
        with state.write() as tx:
            events.replays.stop(tx, caller.scope, replay_id)
            audit.record(caller, "replay_stopped", replay_id, {}, tx=tx)

    @routes.get("/quarantine", summary="Refused events, newest first")
    def list_quarantine(
        caller: Annotated[Caller, reader],
        source: str | None = None,
        reason: str | None = None,
        status: QuarantineStatus | None = None,
        since: datetime | None = None,
        until: Annotated[datetime | None, Query(description="Not included")] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> QuarantinePage:
        found, total = events.quarantine.list(
            caller.scope, Chosen(source, reason, status, since, until), before=_before(cursor), limit=limit
        )
        more = f"{found[-1].seq}-{found[-1].quarantine_id}" if len(found) == limit else None
        return QuarantinePage(
            items=[QuarantinedOut(**_held_fields(item, caller.language)) for item in found],
            next_cursor=more,
            total=total,
        )

    @routes.get("/quarantine/{quarantine_id}", summary="A refused event with its raw text (audited)")
    def read_quarantined(quarantine_id: str, caller: Annotated[Caller, reader]) -> QuarantinedRaw:
        item, raw = events.quarantine.read(caller.scope, quarantine_id)
        text, masked = _shown(caller, raw)
        with state.write() as tx:
            audit.record(caller, "quarantine_read", quarantine_id, {"source": item.source, "masked": masked}, tx=tx)
        return QuarantinedRaw(raw=text, masked=masked, **_held_fields(item, caller.language))

    @routes.post("/quarantine/{quarantine_id}/replay", summary="Try a refused event again, mended or as it is")
    def replay_quarantined(quarantine_id: str, body: ReplayIn, caller: Annotated[Caller, writer]) -> ReplayOut:
        given = body.body.encode() if body.body is not None else None
        if given is not None and _shown(caller, events.quarantine.read(caller.scope, quarantine_id)[1])[1]:
            raise errors.quarantined_masked()
        with state.write() as tx:
            done = events.quarantine.replay(tx, caller, quarantine_id, given)
            audit.record(
                caller,
                "quarantine_replayed",
                quarantine_id,
                {"outcome": done.outcome, "mended": given is not None},
                tx=tx,
            )
        label = reason_label(done.reason).as_dict() if done.reason else None
        return ReplayOut.model_validate(
            {
                "outcome": done.outcome,
                "reason": done.reason,
                "reason_label": label,
                "detail": _detail(done.detail, caller.language),
            }
        )

    @routes.post("/quarantine/{quarantine_id}/discard", status_code=204, summary="Give a refused event up")
    def discard_quarantined(quarantine_id: str, body: DiscardIn, caller: Annotated[Caller, writer]) -> None:
        with state.write() as tx:
            events.quarantine.discard(tx, caller, quarantine_id, body.reason)
            audit.record(caller, "quarantine_discarded", quarantine_id, {"reason": body.reason}, tx=tx)

    return routes


def _detail(detail: str, language: str) -> str:
    return detail if language == "en" else detail_in_chinese(detail)


def _held_fields(item: Held, language: str) -> dict[str, Any]:
    label = reason_label(item.reason)
    return {
        "quarantine_id": item.quarantine_id,
        "source": item.source,
        "received_at": item.received_at,
        "reason": item.reason,
        "reason_label": LabelOut(zh=label.zh, en=label.en),
        "detail": _detail(item.detail, language),
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


def _label(reason: str) -> LabelOut:
    label = reason_label(reason)
    return LabelOut(zh=label.zh, en=label.en)


def _chosen(body: BulkIn) -> Chosen:
    return Chosen(source=body.source, reason=body.reason, since=body.since, until=body.until)


def _edits(body: BulkIn) -> list[Edit]:
    return [Edit(one.op, one.path, one.to, one.value) for one in body.edits]


def _preview_out(found: Preview, language: str) -> PreviewOut:
    return PreviewOut(
        total=found.total,
        looked=found.looked,
        ready=found.ready,
        stored=found.stored,
        duplicate=found.duplicate,
        still=[ReasonCount(reason=reason, reason_label=_label(reason), items=n) for reason, n in found.still],
        examples=[
            ExampleOut(
                quarantine_id=one.quarantine_id,
                reason=one.reason,
                reason_label=_label(one.reason),
                where=one.where,
                detail=_detail(one.detail, language),
                excerpt=one.excerpt,
            )
            for one in found.examples
        ],
    )


def _bulk_out(view: ReplayView) -> BulkOut:
    return BulkOut(
        replay_id=view.replay_id,
        source=view.chosen.source,
        reason=view.chosen.reason,
        since=view.chosen.since,
        until=view.chosen.until,
        edits=[EditIn(op=one.op, path=one.path, to=one.to, value=one.value) for one in view.edits],
        status=view.status,  # type: ignore[arg-type]
        total=view.total,
        done=view.done,
        stored=view.stored,
        duplicate=view.duplicate,
        still=view.still,
        made_at=view.made_at,
        made_by=view.made_by,
        ended_at=view.ended_at,
    )


def _shown(caller: Caller, raw: bytes) -> tuple[str, bool]:
    """The raw text as the caller may see it, and whether that hides something."""
    text = raw.decode("utf-8", "backslashreplace")
    seen = text if caller.may("people.reveal") else mask(text)
    return seen, seen != text
