"""Routes of audiences: predicates and their options, live counts, audiences, versions, people, export."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller
from quanyu.audiences.api import Audiences
from quanyu.audiences.contracts import PersonCards
from quanyu.audiences.exporting import csv_lines
from quanyu.audiences.predicate import registry
from quanyu.audiences.routes_models import (
    AudienceIn,
    AudienceLabel,
    AudienceList,
    AudienceOut,
    AudiencePeopleIn,
    AudienceVersionList,
    AudienceVersionOut,
    CountIn,
    CountOut,
    OptionList,
    PredicateList,
    audience_out,
    count_out,
    option_out,
    predicate_out,
    version_out,
)
from quanyu.kernel.errors import BadRequest
from quanyu.kernel.label import Label

_POLL_SECONDS = 0.1
_EXPORT_PAGE = 1_000
_COLUMNS = (
    ("person_id", Label("客户编号", "Person id")),
    ("name", Label("姓名", "Name")),
    ("phone", Label("手机号", "Phone")),
    ("home_store", Label("归属门店", "Home store")),
    ("owner_staff", Label("归属导购", "Guide")),
    ("tags", Label("标签", "Tags")),
    ("orders", Label("订单数", "Orders")),
    ("amount", Label("消费金额（分）", "Amount (minor units)")),
    ("currency", Label("币种", "Currency")),
    ("last_seen_at", Label("最近活跃", "Last seen")),
)


class AudienceStore(BaseModel):
    """A person's home store."""

    store_id: str
    name: AudienceLabel


class AudienceTag(BaseModel):
    """A person's tag."""

    tag_id: str
    name: AudienceLabel


class AudiencePerson(BaseModel):
    """A person in a list, masked."""

    person_id: str
    name: str | None
    phone: str | None
    home_store: AudienceStore | None
    owner_staff: str | None
    tags: list[AudienceTag]
    identifiers: int
    orders: int
    amount: int
    currency: str
    last_seen_at: str | None
    made: bool


class AudiencePeople(BaseModel):
    """One page of people; `total` counts all of them."""

    items: list[AudiencePerson]
    next_cursor: str | None
    total: int


def router(door: Audiences, guard: Guard, cards: PersonCards, audit: Audit) -> APIRouter:
    """The routes of audiences; `cards` shows people, masked."""
    routes = APIRouter(tags=["audiences"])

    @routes.get("/predicates", summary="The conditions there are, with the form of each")
    def list_predicates(_: Annotated[Caller, Depends(guard.permit("audiences.read"))]) -> PredicateList:
        return PredicateList(items=[predicate_out(key, cls) for key, cls in registry.items()])

    @routes.get("/predicates/options", summary="Search the choices of a form field")
    def search_options(
        caller: Annotated[Caller, Depends(guard.permit("audiences.read"))],
        source: Annotated[str, Query(max_length=50)],
        q: Annotated[str, Query(max_length=200)] = "",
        event: Annotated[str, Query(max_length=200)] = "",
        trait: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> OptionList:
        found = door.options.search(source, caller.scope, q, {"event": event, "trait": trait}, limit)
        return OptionList(items=[option_out(option) for option in found])

    @routes.post("/audiences/count", summary="Count a tree while it is edited; stops when the caller goes away")
    async def count_audience(
        request: Request, body: CountIn, caller: Annotated[Caller, Depends(guard.permit("audiences.read"))]
    ) -> CountOut:
        gone = threading.Event()
        counting = asyncio.create_task(asyncio.to_thread(door.count, body.tree, caller.scope, gone.is_set))
        while not counting.done():
            await asyncio.wait([counting], timeout=_POLL_SECONDS)
            if not counting.done() and await request.is_disconnected():
                gone.set()
        return count_out(await counting, caller.language)

    @routes.get("/audiences", summary="The brand's audiences")
    def list_audiences(caller: Annotated[Caller, Depends(guard.permit("audiences.read"))]) -> AudienceList:
        found = door.list_audiences(caller.scope)
        return AudienceList(items=[audience_out(view) for view in found], total=len(found))

    @routes.post("/audiences", status_code=201, summary="Store an audience and compute it")
    def create_audience(
        body: AudienceIn, response: Response, caller: Annotated[Caller, Depends(guard.permit("audiences.write"))]
    ) -> AudienceOut:
        view = door.create_audience(caller, body.name, body.description, body.tree, body.refresh)
        response.headers["ETag"] = f'"{view.revision}"'
        return audience_out(view)

    @routes.get("/audiences/{audience_id}", summary="One audience")
    def read_audience(
        audience_id: str, response: Response, caller: Annotated[Caller, Depends(guard.permit("audiences.read"))]
    ) -> AudienceOut:
        view = door.get_audience(caller.scope, audience_id)
        response.headers["ETag"] = f'"{view.revision}"'
        return audience_out(view)

    @routes.put("/audiences/{audience_id}", summary="Change an audience; a changed tree is computed at once")
    def update_audience(
        audience_id: str,
        body: AudienceIn,
        response: Response,
        caller: Annotated[Caller, Depends(guard.permit("audiences.write"))],
        if_match: Annotated[str | None, Header(description="The ETag that was read")] = None,
    ) -> AudienceOut:
        view = door.update_audience(
            caller, audience_id, body.name, body.description, body.tree, body.refresh, _revision(if_match)
        )
        response.headers["ETag"] = f'"{view.revision}"'
        return audience_out(view)

    @routes.delete("/audiences/{audience_id}", status_code=204, summary="Delete an audience that nothing uses")
    def delete_audience(audience_id: str, caller: Annotated[Caller, Depends(guard.permit("audiences.write"))]) -> None:
        door.delete_audience(caller, audience_id)

    @routes.post("/audiences/{audience_id}/refresh", summary="Compute an audience now")
    def refresh_audience(
        audience_id: str, caller: Annotated[Caller, Depends(guard.permit("audiences.write"))]
    ) -> AudienceVersionOut:
        return version_out(door.refresh(caller, audience_id))

    @routes.get("/audiences/{audience_id}/versions", summary="The versions of an audience, newest first")
    def list_audience_versions(
        audience_id: str, caller: Annotated[Caller, Depends(guard.permit("audiences.read"))]
    ) -> AudienceVersionList:
        found = door.list_versions(caller.scope, audience_id)
        return AudienceVersionList(items=[version_out(view) for view in found], total=len(found))

    @routes.post("/audiences/{audience_id}/people", summary="The people of a version, or who entered or left with it")
    def list_audience_people(
        audience_id: str,
        body: AudiencePeopleIn,
        caller: Annotated[Caller, Depends(guard.permit("audiences.read", "people.read"))],
    ) -> AudiencePeople:
        after = int(body.cursor) if body.cursor else None
        page = door.list_people(caller.scope, audience_id, body.version, body.change, after, body.limit)
        shown = cards.list_people(caller.scope, page.person_ids)
        return AudiencePeople(
            items=[AudiencePerson.model_validate(card, from_attributes=True) for card in shown],
            next_cursor=None if page.next_after is None else str(page.next_after),
            total=page.total,
        )

    @routes.get(
        "/audiences/{audience_id}/export",
        summary="The people of an audience as CSV, masked; written into the audit ledger",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/csv": {}}, "description": "UTF-8 with BOM"}},
    )
    def export_audience(
        audience_id: str,
        caller: Annotated[Caller, Depends(guard.permit("audiences.read", "people.export"))],
        version: int | None = None,
    ) -> StreamingResponse:
        version = version or door.get_audience(caller.scope, audience_id).version  # one version to the last line
        first = door.list_people(caller.scope, audience_id, version, limit=1)
        audit.record(caller, "audience_exported", audience_id, {"version": version}, count=first.total)
        lines = csv_lines(
            [label.text(caller.language) for _, label in _COLUMNS],
            _rows(door, cards, caller, audience_id, version),
            [key for key, _ in _COLUMNS],
        )
        headers = {"Content-Disposition": f'attachment; filename="{audience_id}.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    return routes


def _rows(
    door: Audiences, cards: PersonCards, caller: Caller, audience_id: str, version: int | None
) -> Iterator[dict[str, Any]]:
    after: int | None = None
    while True:
        page = door.list_people(caller.scope, audience_id, version, after=after, limit=_EXPORT_PAGE)
        for card in cards.list_people(caller.scope, page.person_ids):
            shown = AudiencePerson.model_validate(card, from_attributes=True)
            row = shown.model_dump()
            row["home_store"] = shown.home_store.store_id if shown.home_store else None
            row["tags"] = "、".join(tag.name.en if caller.language == "en" else tag.name.zh for tag in shown.tags)
            yield row
        if page.next_after is None:
            return
        after = page.next_after


def _revision(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isdecimal():
        raise BadRequest(
            "if_match_malformed",
            Label("If-Match 格式不对", "If-Match is malformed"),
            detail=Label("请原样带上读取时的 ETag", "Send the ETag exactly as it was read"),
        )
    return int(text)
