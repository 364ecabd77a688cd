"""Routes of journeys: drafts, publishing, pausing, the report, and the people behind its numbers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.audiences.contracts import PersonCards
from quanyu.journeys.api import Journeys
from quanyu.journeys.contracts import JourneyView
from quanyu.journeys.graph import Draft, JourneySettings
from quanyu.journeys.nodes import Fault
from quanyu.journeys.report import NodeState
from quanyu.journeys.routes_report import JourneyReport, report_out
from quanyu.kernel.errors import BadRequest
from quanyu.kernel.label import Label

Status = Literal["draft", "running", "paused", "ended"]


class JourneyIn(BaseModel):
    """A new journey: empty, from a graph, or from a starter."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(default="", max_length=200)
    graph: Draft | None = None
    settings: JourneySettings | None = None
    template: Literal["cart", "welcome", "winback"] | None = None


class JourneyDraft(BaseModel):
    """What the canvas saves."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    graph: Draft
    settings: JourneySettings


class JourneyOut(BaseModel):
    """A journey with its draft and, once published, what runs."""

    journey_id: str
    name: str
    status: Status
    pause_mode: Literal["stop_entry", "freeze", "hold_sends"] | None
    version: int | None
    graph: dict[str, Any]
    settings: dict[str, Any]
    live_graph: dict[str, Any] | None
    has_draft_changes: bool
    updated_at: datetime
    published_at: datetime | None


class JourneyItem(BaseModel):
    """A journey in the list."""

    journey_id: str
    name: str
    status: Status
    version: int | None
    entered: int
    active: int
    converted: int
    updated_at: datetime


class JourneyList(BaseModel):
    """The brand's journeys."""

    items: list[JourneyItem]
    next_cursor: str | None = None
    total: int | None = None


class FaultText(BaseModel):
    """A sentence in both languages."""

    zh: str
    en: str


class FaultOut(BaseModel):
    """One thing that is wrong or odd."""

    node_id: str | None
    field: str | None
    code: str
    message: FaultText


class Validation(BaseModel):
    """What stops publishing, and what does not."""

    errors: list[FaultOut]
    warnings: list[FaultOut]


class PauseIn(BaseModel):
    """How to pause."""

    model_config = ConfigDict(extra="forbid")
    mode: Literal["stop_entry", "freeze", "hold_sends"] = "stop_entry"


class JourneyPersonTag(BaseModel):
    """A person's tag."""

    tag_id: str
    name: Any


class JourneyPersonStore(BaseModel):
    """A person's home store."""

    store_id: str
    name: Any


class JourneyPerson(BaseModel):
    """A person in a list, masked."""

    person_id: str
    name: str | None
    phone: str | None
    home_store: JourneyPersonStore | None
    owner_staff: str | None
    tags: list[JourneyPersonTag]
    identifiers: int
    orders: int
    amount: int
    currency: str
    last_seen_at: str | None
    made: bool


class JourneyPeople(BaseModel):
    """The people behind a number."""

    items: list[JourneyPerson]
    next_cursor: str | None
    total: int | None


def router(journeys: Journeys, guard: Guard, cards: PersonCards) -> APIRouter:
    """The routes of journeys; `cards` shows people, masked."""
    routes = APIRouter(tags=["journeys"])
    _drafts(routes, journeys, guard)
    _running(routes, journeys, guard)
    _numbers(routes, journeys, guard, cards)
    return routes


def _drafts(routes: APIRouter, journeys: Journeys, guard: Guard) -> None:
    @routes.get("/journeys", summary="The brand's journeys")
    def list_journeys(caller: Annotated[Caller, Depends(guard.permit("journeys.read"))]) -> JourneyList:
        found = journeys.list_journeys(caller.scope)
        return JourneyList(
            items=[JourneyItem.model_validate(each, from_attributes=True) for each in found], total=len(found)
        )

    @routes.post("/journeys", status_code=201, summary="Make a journey")
    def create_journey(
        body: JourneyIn, response: Response, caller: Annotated[Caller, Depends(guard.permit("journeys.write"))]
    ) -> JourneyOut:
        graph = body.graph.model_dump(mode="json", by_alias=True) if body.graph else None
        settings = body.settings.model_dump(mode="json", by_alias=True) if body.settings else None
        name = body.name or ("" if body.template else Label("未命名旅程", "Untitled journey").text(caller.language))
        return _tagged(response, journeys.create(caller, name, graph, settings, body.template))

    @routes.get("/journeys/{journey_id}", summary="One journey")
    def read_journey(
        journey_id: str, response: Response, caller: Annotated[Caller, Depends(guard.permit("journeys.read"))]
    ) -> JourneyOut:
        return _tagged(response, journeys.get(caller.scope, journey_id))

    @routes.put("/journeys/{journey_id}", summary="Save a journey's draft")
    def save_journey(
        journey_id: str,
        body: JourneyDraft,
        response: Response,
        caller: Annotated[Caller, Depends(guard.permit("journeys.write"))],
        if_match: Annotated[str | None, Header(description="The ETag that was read")] = None,
    ) -> JourneyOut:
        view = journeys.save(
            caller,
            journey_id,
            body.name,
            body.graph.model_dump(mode="json", by_alias=True),
            body.settings.model_dump(mode="json", by_alias=True),
            _revision(if_match),
        )
        return _tagged(response, view)

    @routes.post("/journeys/{journey_id}/validation", summary="Say what is wrong with a draft")
    def validate_journey(
        journey_id: str, caller: Annotated[Caller, Depends(guard.permit("journeys.read"))]
    ) -> Validation:
        checked = journeys.check(caller.scope, journey_id)
        return Validation(
            errors=[_fault(each) for each in checked.errors], warnings=[_fault(each) for each in checked.warnings]
        )


def _running(routes: APIRouter, journeys: Journeys, guard: Guard) -> None:
    @routes.post("/journeys/{journey_id}/publish", summary="Publish a draft: people enter it from now on")
    def publish_journey(
        journey_id: str, response: Response, caller: Annotated[Caller, Depends(guard.permit("journeys.publish"))]
    ) -> JourneyOut:
        return _tagged(response, journeys.publish(caller, journey_id))

    @routes.post("/journeys/{journey_id}/pause", summary="Pause a journey")
    def pause_journey(
        journey_id: str,
        body: PauseIn,
        response: Response,
        caller: Annotated[Caller, Depends(guard.permit("journeys.publish"))],
    ) -> JourneyOut:
        return _tagged(response, journeys.pause(caller, journey_id, body.mode))

    @routes.post("/journeys/{journey_id}/resume", summary="Go on after a pause")
    def resume_journey(
        journey_id: str, response: Response, caller: Annotated[Caller, Depends(guard.permit("journeys.publish"))]
    ) -> JourneyOut:
        return _tagged(response, journeys.resume(caller, journey_id))

    @routes.post("/journeys/{journey_id}/end", summary="End a journey for good")
    def end_journey(
        journey_id: str, response: Response, caller: Annotated[Caller, Depends(guard.permit("journeys.publish"))]
    ) -> JourneyOut:
        return _tagged(response, journeys.end(caller, journey_id))


def _numbers(routes: APIRouter, journeys: Journeys, guard: Guard, cards: PersonCards) -> None:
    @routes.get("/journeys/{journey_id}/report", summary="The numbers of a journey, and its lift over the holdout")
    def report_journey(
        journey_id: str, caller: Annotated[Caller, Depends(guard.permit("journeys.read"))]
    ) -> JourneyReport:
        view, report = journeys.report(caller.scope, journey_id)
        return report_out(view, report, journeys.reason_labels)

    @routes.get("/journeys/{journey_id}/people", summary="The people behind a number of a journey")
    def list_journey_people(
        journey_id: str,
        caller: Annotated[Caller, Depends(guard.permit("journeys.read", "people.read"))],
        state: NodeState = "entered",
        node_id: str | None = None,
        reason: str | None = None,
        cursor: Annotated[str | None, Query(pattern=r"^\d+$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> JourneyPeople:
        after = int(cursor) if cursor else None
        ids, more, total = journeys.list_people(caller.scope, journey_id, state, node_id, reason, after, limit)
        shown = cards.list_people(caller.scope, ids)
        return JourneyPeople(
            items=[JourneyPerson.model_validate(card, from_attributes=True) for card in shown],
            next_cursor=None if more is None else str(more),
            total=total,
        )


def _tagged(response: Response, view: JourneyView) -> JourneyOut:
    response.headers["ETag"] = f'"{view.revision}"'
    return JourneyOut.model_validate(view, from_attributes=True)


def _fault(fault: Fault) -> FaultOut:
    message = FaultText(zh=fault.message.zh, en=fault.message.en)
    return FaultOut(node_id=fault.node_id, field=fault.field, code=fault.code, message=message)


def _revision(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = if_match.strip().removeprefix("W/").strip('"')
    if not found.isdigit():
        raise BadRequest("if_match_invalid", Label("If-Match 不对", "If-Match is wrong"))
    return int(found)
