"""做过某事: people who did something a number of times."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from quanyu.audiences.predicate import Choice, FormField, Names, predicate
from quanyu.audiences.predicates.event_fields import (
    BEHAVIOUR,
    EVENT_FIELD,
    EVENT_FORM,
    TIMES_OPERATORS,
    WINDOW_FORM,
    OfEvent,
)
from quanyu.audiences.primitives import Condition
from quanyu.kernel.label import Label

_COUNTED = (Choice("times", Label("次", "times")), Choice("days", Label("天（同一天算一次）", "different days")))


@predicate("performed")
class Performed(OfEvent):
    """People with a matching event in the window, whose number of them, or of days with one, compares with `times`."""

    label = Label("做过某事", "Did something")
    group = BEHAVIOUR
    form = (
        EVENT_FIELD,
        FormField(
            "times_operator", "select", Label("次数", "Times"), required=False, default="gte", choices=TIMES_OPERATORS
        ),
        FormField(
            "times",
            "integer",
            Label("次", "Number"),
            required=False,
            default=1,
            low=1,
            high=100_000,
            unit=Label("次", "times"),
        ),
        FormField(
            "counted", "select", Label("计数单位", "Counting"), required=False, default="times", choices=_COUNTED
        ),
        *WINDOW_FORM,
        *EVENT_FORM,
    )

    times_operator: Literal["gte", "lte", "eq"] = "gte"
    times: Annotated[int, Field(ge=1, le=100_000)] = 1
    counted: Literal["times", "days"] = "times"

    def lower(self, at: datetime) -> Condition:
        low = self.times if self.times_operator != "lte" else 1
        high = self.times if self.times_operator != "gte" else None
        matching = self.matching(at)
        return (matching.count() if self.counted == "times" else matching.days()).between(low, high)

    def sentence(self, names: Names) -> Label:
        word = next(choice.label for choice in TIMES_OPERATORS if choice.value == self.times_operator)
        which, when = self.which(names), self.when()
        zh, en = ("次", "times") if self.counted == "times" else ("天", "different days")
        if self.times_operator == "lte":
            return Label(
                f"{when.zh}做过{which.zh}，{word.zh} {self.times} {zh}",
                f"did {which.en} {when.en}, but {word.en} {self.times} {en}",
            )
        return Label(
            f"{when.zh}做过{which.zh}{word.zh} {self.times} {zh}",
            f"did {which.en} {word.en} {self.times} {en} {when.en}",
        )
