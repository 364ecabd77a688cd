"""没做过某事: people who did not do something."""

from __future__ import annotations

from datetime import datetime

from quanyu.audiences.predicate import Names, predicate
from quanyu.audiences.predicates.event_fields import BEHAVIOUR, EVENT_FIELD, EVENT_FORM, WINDOW_FORM, OfEvent
from quanyu.audiences.primitives import Condition, Except
from quanyu.kernel.label import Label


@predicate("not_performed")
class NotPerformed(OfEvent):
    """Visible people without a matching event in the window."""

    label = Label("没做过某事", "Did not do something")
    group = BEHAVIOUR
    form = (EVENT_FIELD, *WINDOW_FORM, *EVENT_FORM)

    def lower(self, at: datetime) -> Condition:
        return Except(self.matching(at).count() >= 1)

    def sentence(self, names: Names) -> Label:
        which, when = self.which(names), self.when()
        return Label(f"{when.zh}没做过{which.zh}", f"did not do {which.en} {when.en}")
