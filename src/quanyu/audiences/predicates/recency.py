"""最近一次距今: people whose last time lies a number of days back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from quanyu.audiences.predicate import FormField, Names, Predicate, predicate
from quanyu.audiences.predicates.event_fields import BEHAVIOUR, EVENT_FIELD, EventName
from quanyu.audiences.primitives import Condition, events
from quanyu.audiences.windows import start_of, until
from quanyu.kernel.faults import WrongValue
from quanyu.kernel.label import Label


@predicate("recency")
class Recency(Predicate):
    """People whose last `event` was `min_days` to `max_days` calendar days ago; today is 0, None is open."""

    label = Label("最近一次距今", "Last time was")
    group = BEHAVIOUR
    form = (
        EVENT_FIELD,
        FormField(
            "min_days",
            "integer",
            Label("至少", "At least"),
            required=False,
            default=0,
            low=0,
            high=3660,
            unit=Label("天前", "days ago"),
        ),
        FormField(
            "max_days",
            "integer",
            Label("至多", "At most"),
            required=False,
            low=0,
            high=3660,
            unit=Label("天前", "days ago"),
        ),
    )

    event: EventName
    min_days: Annotated[int, Field(ge=0, le=3660)] = 0
    max_days: Annotated[int, Field(ge=0, le=3660)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Recency:
        if self.max_days is not None and self.max_days < self.min_days:
            raise WrongValue("“至多”不能小于“至少”", "“At most” must not be below “at least”")
        return self

    def lower(self, at: datetime) -> Condition:
        today = at.date()
        newest = start_of(today - timedelta(days=self.min_days - 1), at) - 1  # the last instant of that day
        oldest = None if self.max_days is None else start_of(today - timedelta(days=self.max_days), at)
        return events(self.event).within(until(at)).last().between(oldest, newest)

    def sentence(self, names: Names) -> Label:
        event = names.of("events", self.event)
        if self.max_days is None:
            return Label(
                f"最近一次“{event.zh}”在 {self.min_days} 天前或更早",
                f"last did “{event.en}” {self.min_days} or more days ago",
            )
        return Label(
            f"最近一次“{event.zh}”在 {self.min_days} 至 {self.max_days} 天前",
            f"last did “{event.en}” {self.min_days} to {self.max_days} days ago",
        )
