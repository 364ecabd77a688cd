"""购买过: people who bought products, or anything of some categories."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from quanyu.audiences.api import (
    PLACE_FORM,
    WINDOW_FORM,
    Choice,
    Condition,
    FormField,
    InPlace,
    Key,
    Names,
    events,
    joined,
    narrowed,
    predicate,
)
from quanyu.kernel.label import Label

_MEASURES = (
    Choice("times", Label("次数", "times")),
    Choice("days", Label("天数（同一天算一次）", "different days")),
    Choice("quantity", Label("件数", "pieces")),
    Choice("amount", Label("金额（分）", "amount (minor units)")),
)


@predicate("bought")
class Bought(InPlace):
    """People whose paid orders in the window hold such items: in how many orders, how many pieces, for how much."""

    label = Label("购买过", "Bought")
    group = Label("消费", "Purchases")
    form = (
        FormField(
            "by",
            "select",
            Label("按", "By"),
            required=False,
            default="category",
            choices=(Choice("category", Label("品类", "Category")), Choice("product", Label("商品", "Product"))),
        ),
        FormField("keys", "category", Label("商品或品类", "Products or categories"), multiple=True),
        FormField("measure", "select", Label("统计", "Measure"), required=False, default="times", choices=_MEASURES),
        FormField("at_least", "integer", Label("至少", "At least"), required=False, default=1, low=1),
        *WINDOW_FORM,
        *PLACE_FORM,
    )

    by: Literal["product", "category"] = "category"
    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=1000)]
    measure: Literal["times", "days", "quantity", "amount"] = "times"
    at_least: Annotated[int, Field(ge=1, le=10**15)] = 1

    def source_of(self, key: str) -> str | None:
        """`keys` are products or categories, as `by` says."""
        return ("products" if self.by == "product" else "categories") if key == "keys" else None

    def lower(self, at: datetime) -> Condition:
        bought = self.placed(events("order_paid"), at).with_items(self.by, self.keys)
        if self.measure == "times":
            return bought.count() >= self.at_least
        if self.measure == "days":
            return bought.days() >= self.at_least
        return bought.sum(self.measure) >= self.at_least

    def sentence(self, names: Names) -> Label:
        source = "products" if self.by == "product" else "categories"
        when = self.when()
        what = narrowed(joined([names.of(source, key) for key in self.keys]), self.where_words(names))
        if self.measure == "amount":
            least = f"{self.at_least / 100:.2f}"
            return Label(f"{when.zh}购买{what.zh}满 {least}", f"bought {what.en} for at least {least} {when.en}")
        zh, en = {"times": ("次", "times"), "days": ("天", "different days"), "quantity": ("件", "pieces")}[
            self.measure
        ]
        return Label(
            f"{when.zh}购买{what.zh}至少 {self.at_least} {zh}",
            f"bought {what.en}, at least {self.at_least} {en}, {when.en}",
        )
