"""Routes of analytics: the overview, events, a person's timeline."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.analytics.api import Analytics
from quanyu.analytics.contracts import EventPage, EventQuery
from quanyu.analytics.event_models import EventList, EventNameList, EventNameOut, event_out
from quanyu.analytics.routes_models import OverviewOut, label_out, overview_out

From = Annotated[date | None, Query(alias="from", description="First brand-local day")]
To = Annotated[date | None, Query(description="Last brand-local day, included")]
Key = Annotated[str | None, Query(max_length=200)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=200)]


def router(door: Analytics, guard: Guard) -> APIRouter:
    """The routes of analytics."""
    routes = APIRouter(tags=["analytics"])

    @routes.get("/overview", summary="人货场: people, goods and places of a period")
    def read_overview(
        caller: Annotated[Caller, Depends(guard.permit("analytics.read"))],
        first: From = None,
        to: To = None,
        store_id: Key = None,
        channel: Key = None,
        category: Key = None,
    ) -> OverviewOut:
        return overview_out(door.overview(caller.scope, first, to, store_id, channel, category))

    @routes.get("/events", summary="Search events, newest first")
    def list_events(
        caller: Annotated[Caller, Depends(guard.permit("analytics.read", "people.read"))],
        name: Key = None,
        store_id: Key = None,
        channel: Key = None,
        category: Key = None,
        first: From = None,
        to: To = None,
        person_id: Key = None,
        order_id: Key = None,
        source: Key = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> EventList:
        person = None if person_id is None else door.person_number(caller.scope, person_id)
        query = EventQuery(name, first, to, store_id, channel, category, order_id, person, source)
        return _page_out(door.search_events(caller.scope, query, cursor=cursor, limit=limit))

    @routes.get("/events/names", summary="The names of events with how many there are")
    def list_event_names(caller: Annotated[Caller, Depends(guard.permit("analytics.read"))]) -> EventNameList:
        found = door.list_event_names(caller.scope)
        items = [EventNameOut(name=one.name, label=label_out(one.label), count=one.count) for one in found]
        return EventNameList(items=items, total=len(items))

    @routes.get("/people/{person_id}/timeline", summary="What a person did, newest first")
    def read_timeline(
        person_id: str,
        caller: Annotated[Caller, Depends(guard.permit("people.read"))],
        name: Key = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> EventList:
        return _page_out(door.timeline(caller.scope, person_id, name=name, cursor=cursor, limit=limit))

    return routes


def _page_out(page: EventPage) -> EventList:
    return EventList(items=[event_out(view) for view in page.items], next_cursor=page.next_cursor, total=page.total)
