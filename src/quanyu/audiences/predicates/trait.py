"""属性: people whose trait compares with a value."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, cast

from pydantic import Field, model_validator

from quanyu.audiences.predicate import Choice, FormField, Names, Predicate, predicate
from quanyu.audiences.predicates.event_fields import OPERATOR_WORDS, Scalar, check_operand, shown
from quanyu.audiences.primitives import Condition, Except, TraitCompare, TraitOperator
from quanyu.kernel.label import Label

_OPERATORS = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "known", "unknown")


@predicate("trait")
class Trait(Predicate):
    """People by a trait. `ne` and `unknown` include people who do not have the trait at all."""

    label = Label("属性", "Trait")
    group = Label("属性与标签", "Traits and tags")
    form = (
        FormField("trait", "trait", Label("属性", "Trait")),
        FormField(
            "operator",
            "select",
            Label("比较", "Comparison"),
            required=False,
            default="eq",
            choices=tuple(Choice(key, OPERATOR_WORDS[key]) for key in _OPERATORS),
        ),
        FormField(
            "value",
            "text",
            Label("值", "Value"),
            required=False,
            options_source="trait_values",
            shown_when=("operator", ("eq", "ne", "in", "gt", "gte", "lt", "lte", "contains")),
        ),
    )

    trait: Annotated[str, Field(min_length=1, max_length=100)]
    operator: Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "known", "unknown"] = "eq"
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _value_fits(self) -> Trait:
        check_operand(self.operator, self.value)
        return self

    def lower(self, at: datetime) -> Condition:  # noqa: ARG002 - traits are as they are now
        if self.operator == "unknown":
            return Except(TraitCompare(self.trait, "known"))
        if self.operator == "known":
            return TraitCompare(self.trait, "known")
        if self.operator == "ne":
            return Except(TraitCompare(self.trait, "eq", self.value))
        return TraitCompare(self.trait, cast("TraitOperator", self.operator), self.value)

    def sentence(self, names: Names) -> Label:
        name, word = names.of("traits", self.trait), OPERATOR_WORDS[self.operator]
        value = "" if self.operator in {"known", "unknown"} else shown(self.value)
        return Label(f"{name.zh}{word.zh}{value}", f"{name.en} {word.en} {value}".rstrip())
