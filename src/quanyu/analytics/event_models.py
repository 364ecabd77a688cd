"""The shapes of events on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from quanyu.analytics.contracts import EventView
from quanyu.analytics.routes_models import ReportLabel, label_out


class EventStore(BaseModel):
    """The store of an event."""

    store_id: str
    name: ReportLabel | None


class EventItemOut(BaseModel):
    """A line of an event."""

    sku: str | None
    name: ReportLabel | None
    quantity: float | None
    unit_price: int | None
    amount: int | None


class EventOut(BaseModel):
    """An event; `person_id` is null for nobody, or somebody outside the caller's scope."""

    event_id: str
    source: str
    name: str
    label: ReportLabel
    occurred_at: datetime
    received_at: datetime
    channel: str | None
    touchpoint: str | None
    store: EventStore | None
    staff_id: str | None
    order_id: str | None
    effect_id: str | None
    amount: int | None
    currency: str | None
    items: list[EventItemOut]
    properties: dict[str, Any]
    person_id: str | None
    made: bool


class EventList(BaseModel):
    """One page of events, newest first; `total` on the first page only."""

    items: list[EventOut]
    next_cursor: str | None
    total: int | None


class EventNameOut(BaseModel):
    """A name of events with how many there are."""

    name: str
    label: ReportLabel
    count: int


class EventNameList(BaseModel):
    """The names of events."""

    items: list[EventNameOut]
    next_cursor: str | None = None
    total: int | None


def event_out(view: EventView) -> EventOut:
    """An event on the wire."""
    store = None
    if view.store_id is not None:
        store = EventStore(store_id=view.store_id, name=label_out(view.store_name) if view.store_name else None)
    return EventOut(
        event_id=view.event_id,
        source=view.source,
        name=view.name,
        label=label_out(view.label),
        occurred_at=view.occurred_at,
        received_at=view.received_at,
        channel=view.channel,
        touchpoint=view.touchpoint,
        store=store,
        staff_id=view.staff_id,
        order_id=view.order_id,
        effect_id=view.effect_id,
        amount=view.amount,
        currency=view.currency,
        items=[
            EventItemOut(
                sku=i.sku,
                name=label_out(i.name) if i.name else None,
                quantity=i.quantity,
                unit_price=i.unit_price,
                amount=i.amount,
            )
            for i in view.items
        ],
        properties=view.properties,
        person_id=view.person_id,
        made=view.made,
    )
