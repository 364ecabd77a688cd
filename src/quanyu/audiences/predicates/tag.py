"""标签: people with any or all of some tags."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from quanyu.audiences.predicate import Choice, FormField, Names, Predicate, predicate
from quanyu.audiences.predicates.event_fields import Key, joined
from quanyu.audiences.primitives import Condition, Every, SetMember
from quanyu.kernel.label import Label


@predicate("tag")
class Tag(Predicate):
    """People who carry any, or all, of the tags."""

    label = Label("标签", "Tag")
    group = Label("属性与标签", "Traits and tags")
    form = (
        FormField("tags", "tag", Label("标签", "Tags"), multiple=True),
        FormField(
            "match",
            "select",
            Label("满足", "Match"),
            required=False,
            default="any",
            choices=(Choice("any", Label("任一", "any")), Choice("all", Label("全部", "all"))),
        ),
    )

    tags: Annotated[tuple[Key, ...], Field(min_length=1, max_length=200)]
    match: Literal["any", "all"] = "any"

    def lower(self, at: datetime) -> Condition:  # noqa: ARG002 - tags are as they are now
        keys = tuple(sorted(set(self.tags)))
        if self.match == "any":
            return SetMember("tag", keys)
        return Every(tuple(SetMember("tag", (key,)) for key in keys))

    def sentence(self, names: Names) -> Label:
        tags = joined([names.of("tags", key) for key in self.tags])
        if len(self.tags) == 1:
            return Label(f"有标签“{tags.zh}”", f"has the tag “{tags.en}”")
        if self.match == "any":
            return Label(f"有标签“{tags.zh}”之一", f"has any of the tags “{tags.en}”")
        return Label(f"同时有标签“{tags.zh}”", f"has all the tags “{tags.en}”")
