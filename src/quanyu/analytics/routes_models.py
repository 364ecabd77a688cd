"""The shapes of the overview on the wire. Routes are in `routes`, events in `event_models`."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from quanyu.analytics.contracts import Drill, Kpi, Level, Overview, Row
from quanyu.analytics.definitions import DEFINITIONS
from quanyu.kernel.label import Label


class ReportLabel(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


def label_out(label: Label) -> ReportLabel:
    """A label on the wire."""
    return ReportLabel(zh=label.zh, en=label.en)


class PeopleDrill(BaseModel):
    """Opens to the people of a tree."""

    kind: Literal["people"]
    tree: dict[str, Any]


class EventsDrill(BaseModel):
    """Opens to the events of a query: name, from, to, store_id, channel, category."""

    kind: Literal["events"]
    query: dict[str, str]


AnyDrill = Annotated[PeopleDrill | EventsDrill, Field(discriminator="kind")] | None


class ReportRange(BaseModel):
    """Brand-local days, both included."""

    model_config = {"populate_by_name": True}
    from_: date = Field(alias="from", serialization_alias="from")
    to: date


class FormulaDefinitions(BaseModel):
    """What the parts of the formula mean."""

    visitors: ReportLabel
    conversion: ReportLabel
    order_value: ReportLabel
    gmv: ReportLabel


class Formula(BaseModel):
    """gmv = visitors × conversion × order_value: conversion = buyers ÷ visitors, order_value = gmv ÷ buyers.

    Null where there is nothing to divide by.
    """

    visitors: int
    conversion: float | None
    order_value: float | None
    gmv: int
    orders: int
    buyers: int
    definitions: FormulaDefinitions


class SeriesPoint(BaseModel):
    """A value on a day."""

    on: date
    value: float


class KpiOut(BaseModel):
    """A number, its definition, the period before, and how it opens; a percentage opens to its numerator."""

    key: str
    label: ReportLabel
    definition: ReportLabel
    value: float
    unit: Literal["money", "count", "percent"]
    previous: float | None
    change: float | None
    series: list[SeriesPoint]
    made: bool
    drill: AnyDrill
    numerator: int | None
    denominator: int | None


class TrendOut(BaseModel):
    """Amount and orders of a channel on a day."""

    on: date
    channel: str
    amount: int
    orders: int


class ChannelOut(BaseModel):
    """A channel's share."""

    channel: str
    label: ReportLabel
    amount: int
    orders: int
    buyers: int
    visitors: int | None
    drill: AnyDrill


class StoreRowOut(BaseModel):
    """A store's share; visitors only where the store reports visits besides orders."""

    store_id: str
    name: ReportLabel
    amount: int
    orders: int
    buyers: int
    visitors: int | None
    conversion: float | None
    order_value: float | None
    drill: AnyDrill


class CategoryRowOut(BaseModel):
    """A category's share."""

    category_key: str
    name: ReportLabel
    department: ReportLabel
    amount: int
    units: float
    buyers: int
    drill: AnyDrill


class ProductRowOut(BaseModel):
    """A product's share."""

    sku: str
    name: ReportLabel
    amount: int
    units: float
    buyers: int
    drill: AnyDrill


class LevelOut(BaseModel):
    """A level of the RFM pyramid; `share` is of all visible people."""

    key: str
    label: ReportLabel
    people: int
    amount: int
    share: float
    drill: AnyDrill


class PeopleDrills(BaseModel):
    """How the numbers of people open."""

    total: AnyDrill
    new: AnyDrill
    active: AnyDrill
    returning: AnyDrill


class PeopleOut(BaseModel):
    """Everybody, the active ones of the period, and of them the new and the returning."""

    total: int
    new: int
    active: int
    returning: int
    drills: PeopleDrills
    pyramid: list[LevelOut]
    definition: ReportLabel


class OverviewOut(BaseModel):
    """人货场 of a period."""

    as_of: datetime
    range: ReportRange
    currency: str
    formula: Formula
    kpis: list[KpiOut]
    trend: list[TrendOut]
    channels: list[ChannelOut]
    stores: list[StoreRowOut]
    categories: list[CategoryRowOut]
    products: list[ProductRowOut]
    people: PeopleOut


def overview_out(found: Overview) -> OverviewOut:
    """An overview on the wire."""
    t = found.totals
    return OverviewOut(
        as_of=found.as_of,
        range=ReportRange(from_=found.question.period.first, to=found.question.period.last),
        currency=found.currency,
        formula=Formula(
            visitors=t.visitors,
            conversion=t.conversion,
            order_value=t.order_value,
            gmv=t.amount,
            orders=t.orders,
            buyers=t.buyers,
            definitions=FormulaDefinitions(
                visitors=label_out(DEFINITIONS["visitors"]),
                conversion=label_out(DEFINITIONS["conversion"]),
                order_value=label_out(DEFINITIONS["order_value"]),
                gmv=label_out(DEFINITIONS["gmv"]),
            ),
        ),
        kpis=[_kpi_out(kpi) for kpi in found.kpis],
        trend=[TrendOut(on=p.on, channel=p.channel, amount=p.amount, orders=p.orders) for p in found.trend],
        channels=[
            ChannelOut(
                channel=r.key,
                label=label_out(r.label),
                amount=r.amount,
                orders=r.orders,
                buyers=r.buyers,
                visitors=r.visitors,
                drill=_drill(r.drill),
            )
            for r in found.channels
        ],
        stores=[_store_out(r) for r in found.stores],
        categories=[
            CategoryRowOut(
                category_key=r.key,
                name=label_out(r.label),
                department=label_out(r.department or Label("", "")),
                amount=r.amount,
                units=r.units,
                buyers=r.buyers,
                drill=_drill(r.drill),
            )
            for r in found.categories
        ],
        products=[
            ProductRowOut(
                sku=r.key,
                name=label_out(r.label),
                amount=r.amount,
                units=r.units,
                buyers=r.buyers,
                drill=_drill(r.drill),
            )
            for r in found.products
        ],
        people=PeopleOut(
            total=found.people.total,
            new=found.people.new,
            active=found.people.active,
            returning=found.people.returning,
            drills=PeopleDrills(**{key: _drill(drill) for key, drill in found.people.drills.items()}),
            pyramid=[_level_out(level) for level in found.people.pyramid],
            definition=label_out(DEFINITIONS["rfm"]),
        ),
    )


def _drill(drill: Drill | None) -> PeopleDrill | EventsDrill | None:
    if drill is None:
        return None
    if drill["kind"] == "people":
        return PeopleDrill(kind="people", tree=drill["tree"])
    return EventsDrill(kind="events", query=drill["query"])


def _kpi_out(kpi: Kpi) -> KpiOut:
    return KpiOut(
        key=kpi.key,
        label=label_out(kpi.label),
        definition=label_out(kpi.definition),
        value=kpi.value,
        unit=kpi.unit,
        previous=kpi.previous,
        change=kpi.change,
        series=[SeriesPoint(on=p.on, value=p.value) for p in kpi.series],
        made=kpi.made,
        drill=_drill(kpi.drill),
        numerator=kpi.numerator,
        denominator=kpi.denominator,
    )


def _store_out(row: Row) -> StoreRowOut:
    return StoreRowOut(
        store_id=row.key,
        name=label_out(row.label),
        amount=row.amount,
        orders=row.orders,
        buyers=row.buyers,
        visitors=row.visitors,
        conversion=row.buyers / row.visitors if row.visitors else None,
        order_value=row.amount / row.buyers if row.buyers else None,
        drill=_drill(row.drill),
    )


def _level_out(level: Level) -> LevelOut:
    return LevelOut(
        key=level.key,
        label=label_out(level.label),
        people=level.people,
        amount=level.amount,
        share=level.share,
        drill=_drill(level.drill),
    )
