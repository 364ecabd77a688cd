"""Routes of the tracking plan: reading, publishing, versions and their differences, YAML, learning, what broke it.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller
from quanyu.events import plan as documents
from quanyu.events.checks import reason_label
from quanyu.events.contracts import event_label
from quanyu.events.plan_diff import diff
from quanyu.events.plan_learning import Learning
from quanyu.events.plans import Plans
from quanyu.events.routes import LabelOut
from quanyu.storage.state import State

_strict = ConfigDict(extra="forbid")


class PropertyBody(BaseModel):
    """What the plan says of a property. `sources` limits it to these; `personal` values are stored as hashes only."""

    model_config = _strict
    type: Literal["any", "text", "number", "integer", "boolean", "list", "object", "time"] = "any"
    description: str = Field(default="", max_length=1000)
    unit: str = Field(default="", max_length=50)
    allowed: list[str | int] = Field(default_factory=list, max_length=1000)
    minimum: int | float | None = None
    maximum: int | float | None = None
    required: bool = False
    personal: bool = False
    owner: str = Field(default="", max_length=100)
    sources: list[str] = Field(default_factory=list, max_length=100)
    rule: Literal["keep", "drop", "quarantine"] | None = None


class EventBody(BaseModel):
    """What the plan says of an event, and what happens to properties that are not listed."""

    model_config = _strict
    description: str = Field(default="", max_length=1000)
    owner: str = Field(default="", max_length=100)
    sources: list[str] = Field(default_factory=list, max_length=100)
    rule: Literal["keep", "drop", "quarantine"] = "keep"
    undeclared: Literal["allow", "keep", "drop", "quarantine"] = "allow"
    properties: dict[str, PropertyBody] = Field(default_factory=dict)


class PlanBody(BaseModel):
    """A whole plan. Without `enforce` it watches and counts; personal values are hashed in any case."""

    model_config = _strict
    enforce: bool = False
    undeclared: Literal["allow", "keep", "quarantine"] = "allow"
    events: dict[str, EventBody] = Field(default_factory=dict)


class PlanOut(BaseModel):
    """The newest version; `version` is 0 before the first."""

    version: int
    plan: PlanBody
    labels: dict[str, LabelOut]


class PublishIn(BaseModel):
    """A new version of the plan, as an object or as YAML. `after` is the version that was edited."""

    model_config = _strict
    plan: PlanBody | None = None
    yaml: str | None = Field(default=None, max_length=5_000_000)
    after: int | None = Field(default=None, ge=0)
    note: str = Field(default="", max_length=500)


class VersionOut(BaseModel):
    """One version of the plan."""

    version: int
    note: str
    made_at: datetime
    made_by: str
    events: int
    properties: int
    enforce: bool


class VersionPage(BaseModel):
    """The plan's versions, newest first."""

    items: list[VersionOut]
    next_cursor: str | None = None
    total: int | None = None


class ChangeOut(BaseModel):
    """One difference; `breaking` when what was right before may now break the plan."""

    kind: Literal["added", "removed", "changed"]
    path: str
    before: Any
    after: Any
    breaking: bool


class DiffOut(BaseModel):
    """What differs, and whether any of it is breaking."""

    breaking: bool
    items: list[ChangeOut]


class ProposalOut(BaseModel):
    """Something that traffic has and the plan does not: an event (`property` is empty) or a property of one."""

    name: str
    name_label: LabelOut
    property: str
    sources: list[str]
    types: list[str]
    count: int
    first_at: datetime
    last_at: datetime
    example: str
    suggestion: PropertyBody | None


class ProposalPage(BaseModel):
    """What could be added to the plan, most frequent first."""

    items: list[ProposalOut]
    next_cursor: str | None = None
    total: int | None = None


class ViolationOut(BaseModel):
    """What broke the plan in the time asked for. `trend` counts by hour (or day, when the time is long)."""

    source: str
    name: str
    name_label: LabelOut
    property: str
    reason: str
    reason_label: LabelOut
    rule: Literal["keep", "drop", "quarantine"]
    count: int
    example: str
    first_at: datetime
    last_at: datetime
    trend: list[int]


class ViolationPage(BaseModel):
    """What broke the plan, most frequent first; `starts` are the beginnings of the trends' steps."""

    items: list[ViolationOut]
    starts: list[datetime]
    next_cursor: str | None = None
    total: int | None = None


def router(plans: Plans, learning: Learning, guard: Guard, audit: Audit, state: State) -> APIRouter:
    """The routes of the tracking plan."""
    routes = APIRouter(tags=["tracking plan"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("sources.write"))

    @routes.get("/plan", summary="The tracking plan")
    def read_plan(caller: Annotated[Caller, reader], version: Annotated[int | None, Query(ge=0)] = None) -> PlanOut:
        at, plan = plans.current(caller.scope.brand_id)
        if version is not None and version != at:
            at, plan = version, plans.get(caller.scope.brand_id, version)
        labels = {name: LabelOut(**event_label(name).as_dict()) for name in plan.events}
        return PlanOut(version=at, plan=PlanBody.model_validate(msgspec.to_builtins(plan)), labels=labels)

    @routes.get("/plan/yaml", summary="The tracking plan as YAML", response_class=PlainTextResponse)
    def export_plan(caller: Annotated[Caller, reader], version: Annotated[int | None, Query(ge=0)] = None) -> Response:
        at, plan = plans.current(caller.scope.brand_id)
        if version is not None:
            at, plan = version, plans.get(caller.scope.brand_id, version)
        name = f"tracking-plan-{caller.scope.brand}-v{at}.yaml"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return PlainTextResponse(documents.dump(plan), media_type="application/yaml", headers=headers)

    @routes.post("/plan", status_code=201, summary="Publish a new version of the plan")
    def publish_plan(body: PublishIn, caller: Annotated[Caller, writer]) -> PlanOut:
        plan = _given(body)
        with state.write() as tx:
            version = plans.publish(tx, caller, plan, body.note, after=body.after)
            audit.record(caller, "plan_published", f"plan/{version}", {"note": body.note}, tx=tx)
        return read_plan(caller)

    @routes.post("/plan/diff", summary="What a new version would change")
    def preview_plan(body: PublishIn, caller: Annotated[Caller, reader]) -> DiffOut:
        return _diff_out(plans.current(caller.scope.brand_id)[1], _given(body))

    @routes.get("/plan/versions", summary="The plan's versions, newest first")
    def list_plan_versions(caller: Annotated[Caller, reader]) -> VersionPage:
        items = [VersionOut.model_validate(one, from_attributes=True) for one in plans.versions(caller.scope.brand_id)]
        return VersionPage(items=items, total=len(items))

    @routes.get("/plan/diff", summary="What differs between two versions")
    def compare_plans(
        caller: Annotated[Caller, reader],
        before: Annotated[int, Query(ge=0)],
        after: Annotated[int, Query(ge=0)],
    ) -> DiffOut:
        brand_id = caller.scope.brand_id
        return _diff_out(plans.get(brand_id, before), plans.get(brand_id, after))

    @routes.get("/plan/proposals", summary="What traffic has and the plan does not")
    def list_plan_proposals(caller: Annotated[Caller, reader]) -> ProposalPage:
        _, plan = plans.current(caller.scope.brand_id)
        found = learning.proposals(caller.scope.brand_id, plan)
        items = [
            ProposalOut(
                name=one.name,
                name_label=LabelOut(**event_label(one.name).as_dict()),
                property=one.property,
                sources=list(one.sources),
                types=list(one.types),
                count=one.count,
                first_at=one.first_at,
                last_at=one.last_at,
                example=one.example,
                suggestion=PropertyBody.model_validate(msgspec.to_builtins(one.suggestion)) if one.suggestion else None,
            )
            for one in found
        ]
        return ProposalPage(items=items, total=len(items))

    @routes.get("/plan/violations", summary="What broke the plan, with trends and examples")
    def list_plan_violations(
        caller: Annotated[Caller, reader],
        hours: Annotated[int, Query(ge=1, le=24 * 60)] = 24 * 7,
        name: str | None = None,
        source: str | None = None,
    ) -> ViolationPage:
        starts, found = learning.violations(caller.scope.brand_id, hours=hours, name=name, source=source)
        items = [
            ViolationOut(
                reason_label=LabelOut(**reason_label(one["reason"]).as_dict()),
                name_label=LabelOut(**event_label(one["name"]).as_dict()),
                **one,
            )
            for one in found
        ]
        return ViolationPage(items=items, starts=starts, total=len(items))

    return routes


def _given(body: PublishIn) -> documents.Plan:
    if body.yaml is not None:
        return documents.load(body.yaml)
    return documents.from_json((body.plan or PlanBody()).model_dump_json())


def _diff_out(before: documents.Plan, after: documents.Plan) -> DiffOut:
    changes = diff(before, after)
    return DiffOut(
        breaking=any(one.breaking for one in changes),
        items=[ChangeOut.model_validate(one, from_attributes=True) for one in changes],
    )
