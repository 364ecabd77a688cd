"""到访过: people who came by, in whatever way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from quanyu.analytics.definitions import VISITS
from quanyu.audiences.api import (
    PLACE_FORM,
    WINDOW_FORM,
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


@predicate("visited")
class Visited(InPlace):
    """People with any visit or paid order in the window; with categories, one that has such an item."""

    label = Label("到访过", "Visited")
    group = Label("行为", "Behaviour")
    form = (
        *WINDOW_FORM,
        *PLACE_FORM,
        FormField("categories", "category", Label("品类", "Categories"), required=False, default=[], multiple=True),
    )

    categories: Annotated[tuple[Key, ...], Field(max_length=100)] = ()

    def lower(self, at: datetime) -> Condition:
        visits = self.placed(events(*VISITS), at)
        return (visits.with_items("category", self.categories) if self.categories else visits).count() >= 1

    def sentence(self, names: Names) -> Label:
        words = self.where_words(names)
        if self.categories:
            which = joined([names.of("categories", key) for key in self.categories])
            words.append(Label(f"品类为{which.zh}", f"for {which.en}"))
        said, when = narrowed(Label("到访", "visit"), words), self.when()
        return Label(f"{when.zh}有{said.zh}", f"had a {said.en} {when.en}")
