"""Routes of retention (数据治理 · 保留期限): how long each kind of event stays, what a change would take, changing it.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller
from quanyu.events import errors
from quanyu.events.contracts import event_label
from quanyu.events.retention import LONGEST_DAYS, Keep, Kind, Retention, Rule
from quanyu.events.routes import LabelOut
from quanyu.storage.state import State

Event = Annotated[str, Field(min_length=1, max_length=128, description="Its name; * for all without a rule")]
Days = Annotated[int | None, Field(ge=1, le=LONGEST_DAYS, description="With `keep` = days")]


class RuleOut(BaseModel):
    """For how many days events stay (null: for ever), since when, and when that is first carried out."""

    days: int | None
    set_by: str | None
    set_at: datetime | None
    from_at: datetime | None


class KindOut(BaseModel):
    """A kind of event: how long it stays, what history holds of it, when the next events go, what went last.

    `days` is what holds, of the rule of its own or of all others (`keep`). A `next_at` in the past: they go now.
    """

    event: str
    label: LabelOut
    keep: Keep
    days: int | None
    set_by: str | None
    set_at: datetime | None
    events: int
    begins_on: date | None
    ends_on: date | None
    next_at: datetime | None
    removed: int
    removed_on: date | None
    removed_at: datetime | None


class KindPage(BaseModel):
    """The brand's kinds of events, most events first, and the rule of those without one of their own."""

    items: list[KindOut]
    others: RuleOut
    next_cursor: str | None = None
    total: int | None = None


class RemovedKindOut(BaseModel):
    """How many events of a kind would go."""

    event: str
    label: LabelOut
    events: int


class RetentionPreviewOut(BaseModel):
    """What a rule would take when it is first carried out, at `from_at`: everything before the day `before_on`."""

    events: int
    kinds: list[RemovedKindOut]
    begins_on: date | None
    ends_on: date | None
    before_on: date | None
    from_at: datetime | None


class RetentionIn(BaseModel):
    """For how long events stay: for ever, for `days` days, or as all others. `confirm` lets events be removed."""

    model_config = ConfigDict(extra="forbid")
    event: Event
    keep: Keep
    days: Days = None
    confirm: bool = False


def router(retention: Retention, guard: Guard, audit: Audit, state: State) -> APIRouter:
    """The routes of retention."""
    routes = APIRouter(tags=["data quality"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("settings.write"))

    @routes.get("/retention", summary="How long each kind of event stays, and what history holds of it")
    def list_retention(caller: Annotated[Caller, reader]) -> KindPage:
        kinds = [_kind_out(one) for one in retention.kinds(caller.scope)]
        return KindPage(items=kinds, others=_rule_out(retention.general(caller.scope)), total=len(kinds))

    @routes.get("/retention/preview", summary="What a rule would remove, before it is set")
    def preview_retention(
        caller: Annotated[Caller, reader],
        event: Annotated[str, Query(min_length=1, max_length=128, description="A kind, or * for all without a rule")],
        keep: Keep = "days",
        days: Annotated[int | None, Query(ge=1, le=LONGEST_DAYS)] = None,
    ) -> RetentionPreviewOut:
        found = retention.preview(caller.scope, event, keep, days)
        return RetentionPreviewOut(
            events=found.events,
            kinds=[
                RemovedKindOut(event=name, label=_label(name), events=events) for name, events in found.kinds.items()
            ],
            begins_on=found.begins_on,
            ends_on=found.ends_on,
            before_on=found.before_on,
            from_at=found.from_at,
        )

    @routes.put("/retention", status_code=204, summary="Say how long a kind of event stays")
    def set_retention(body: RetentionIn, caller: Annotated[Caller, writer]) -> None:
        # Counted before the transaction: a large history takes its time, and nothing may wait for it.
        found = retention.preview(caller.scope, body.event, body.keep, body.days)
        if found.events and not body.confirm:
            raise errors.retention_unconfirmed(found.events, str(found.begins_on), str(found.before_on))
        with state.write() as tx:
            if retention.set(tx, caller.scope, body.event, body.keep, body.days, caller.name):
                detail = {"keep": body.keep, "days": body.days, "removes": found.events}
                audit.record(caller, "retention_set", body.event, detail, tx=tx)

    return routes


def _label(name: str) -> LabelOut:
    found = event_label(name)
    return LabelOut(zh=found.zh, en=found.en)


def _rule_out(rule: Rule) -> RuleOut:
    return RuleOut(days=rule.days, set_by=rule.set_by, set_at=rule.set_at, from_at=rule.from_at)


def _kind_out(kind: Kind) -> KindOut:
    own = kind.own
    return KindOut(
        event=kind.name,
        label=_label(kind.name),
        keep="others" if own is None else "forever" if own.days is None else "days",
        days=kind.holds.days,
        set_by=own.set_by if own else None,
        set_at=own.set_at if own else None,
        events=kind.events,
        begins_on=kind.begins_on,
        ends_on=kind.ends_on,
        next_at=kind.next_at,
        removed=kind.removed,
        removed_on=kind.removed_on,
        removed_at=kind.removed_at,
    )
