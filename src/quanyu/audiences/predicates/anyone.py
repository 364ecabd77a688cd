"""所有客户: everybody within the scope."""

from __future__ import annotations

from datetime import datetime

from quanyu.audiences.predicate import Names, Predicate, predicate
from quanyu.audiences.primitives import Condition, Every
from quanyu.kernel.label import Label


@predicate("anyone")
class Anyone(Predicate):
    """Every visible person: what a total opens to."""

    label = Label("所有客户", "Everybody")
    group = Label("人群", "Audiences")
    form = ()

    def lower(self, at: datetime) -> Condition:  # noqa: ARG002
        return Every(())

    def sentence(self, names: Names) -> Label:  # noqa: ARG002
        return Label("所有客户", "everybody")
