"""Routes of data quality (数据治理): what is wrong, in words; sources at a glance; muting; asking for a check.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller
from quanyu.events.quality import Quality
from quanyu.events.routes import LabelOut
from quanyu.kernel.clock import Clock
from quanyu.storage.state import State


class ProblemOut(BaseModel):
    """Something that is wrong with the data, what to do about it, and where its events are."""

    problem_id: str
    kind: str
    severity: Literal["high", "medium", "low"]
    source: str
    source_name: LabelOut
    name: str
    property: str
    title: LabelOut
    advice: LabelOut
    facts: dict[str, Any]
    first_at: datetime
    last_at: datetime
    muted_until: datetime | None
    begins_on: date
    ends_on: date


class ProblemPage(BaseModel):
    """What is wrong, worst first. `checked_at` is when the data was last looked at."""

    items: list[ProblemOut]
    checked_at: datetime | None
    next_cursor: str | None = None
    total: int | None = None


class SourceHealthOut(BaseModel):
    """A source at a glance: the last 24 hours, the same 24 hours a week before, and the last 14 days."""

    source: str
    name: LabelOut
    last_event_at: datetime | None
    events: int
    week_before: int
    with_person: int
    accepted: int
    quarantined: int
    broken: int
    days: list[int]
    problems: int


class SourceHealthPage(BaseModel):
    """The brand's sources at a glance."""

    items: list[SourceHealthOut]
    next_cursor: str | None = None
    total: int | None = None


class MuteIn(BaseModel):
    """For how many days a problem is hidden; 0 shows it again."""

    model_config = ConfigDict(extra="forbid")
    days: int = Field(ge=0, le=365)


def router(quality: Quality, guard: Guard, audit: Audit, state: State, clock: Clock) -> APIRouter:
    """The routes of data quality."""
    routes = APIRouter(tags=["data quality"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("sources.write"))

    @routes.get("/quality/problems", summary="What is wrong with the data, worst first")
    def list_problems(caller: Annotated[Caller, reader], muted: bool = False) -> ProblemPage:
        found = quality.problems(caller.scope, muted=muted)
        items = [ProblemOut.model_validate(one, from_attributes=True) for one in found]
        return ProblemPage(items=items, checked_at=quality.checked_at(caller.scope.brand_id), total=len(items))

    @routes.get("/quality/sources", summary="Sources at a glance")
    def list_source_health(caller: Annotated[Caller, reader]) -> SourceHealthPage:
        items = [SourceHealthOut.model_validate(one, from_attributes=True) for one in quality.sources(caller.scope)]
        return SourceHealthPage(items=items, total=len(items))

    @routes.post("/quality/problems/{problem_id}/mute", status_code=204, summary="Hide a problem for some days")
    def mute_problem(problem_id: str, body: MuteIn, caller: Annotated[Caller, writer]) -> None:
        until = clock.now() + timedelta(days=body.days) if body.days else None
        with state.write() as tx:
            quality.mute(tx, caller.scope, problem_id, until)
            audit.record(caller, "problem_muted", problem_id, {"days": body.days}, tx=tx)

    @routes.post("/quality/check", status_code=202, summary="Ask the worker to check the data now")
    def ask_check(caller: Annotated[Caller, writer]) -> None:
        with state.write() as tx:
            quality.ask(tx, caller.scope.brand_id)
            audit.record(caller, "quality_check_asked", "quality", {}, tx=tx)

    return routes
