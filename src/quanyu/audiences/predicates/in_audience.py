"""属于人群包: members of another audience."""

from __future__ import annotations

from datetime import datetime

from quanyu.audiences.predicate import FormField, Names, Predicate, predicate
from quanyu.audiences.predicates.event_fields import Key
from quanyu.audiences.primitives import Condition, SetMember
from quanyu.kernel.label import Label


@predicate("in_audience")
class InAudience(Predicate):
    """Members of the newest version of another audience."""

    label = Label("属于人群包", "In audience")
    group = Label("人群", "Audiences")
    form = (FormField("audience_id", "audience", Label("人群包", "Audience")),)

    audience_id: Key

    def lower(self, at: datetime) -> Condition:  # noqa: ARG002 - the newest version
        return SetMember("audience", (self.audience_id,))

    def sentence(self, names: Names) -> Label:
        name = names.of("audiences", self.audience_id)
        return Label(f"属于人群包“{name.zh}”", f"is in the audience “{name.en}”")
