"""消费金额: people whose paid orders add up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator

from quanyu.audiences.predicate import FormField, Names, predicate
from quanyu.audiences.predicates.event_fields import WINDOW_FORM, InWindow
from quanyu.audiences.primitives import Condition, events
from quanyu.kernel.faults import WrongValue
from quanyu.kernel.label import Label


@predicate("spent")
class Spent(InWindow):
    """People whose paid orders in the window sum up to `at_least` .. `at_most` minor units of the brand's currency."""

    label = Label("消费金额", "Spent")
    group = Label("消费", "Purchases")
    form = (
        FormField(
            "at_least", "integer", Label("至少（分）", "At least (minor units)"), required=False, default=0, low=0
        ),
        FormField("at_most", "integer", Label("至多（分）", "At most (minor units)"), required=False, low=0),
        *WINDOW_FORM,
    )

    at_least: Annotated[int, Field(ge=0, le=10**15)] = 0
    at_most: Annotated[int, Field(ge=0, le=10**15)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Spent:
        if self.at_most is not None and self.at_most < self.at_least:
            raise WrongValue("“至多”不能小于“至少”", "“At most” must not be below “at least”")
        return self

    def lower(self, at: datetime) -> Condition:
        return events("order_paid").within(self.window(at)).sum("amount").between(self.at_least, self.at_most)

    def sentence(self, names: Names) -> Label:  # noqa: ARG002
        when, low = self.when(), f"{self.at_least / 100:.2f}"
        if self.at_most is None:
            return Label(f"{when.zh}消费满 {low}", f"spent at least {low} {when.en}")
        high = f"{self.at_most / 100:.2f}"
        return Label(f"{when.zh}消费 {low} 至 {high}", f"spent {low} to {high} {when.en}")
