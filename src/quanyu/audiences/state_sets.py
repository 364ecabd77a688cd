"""State conditions as sets: SQL that the contexts below offer, compared here, read as bitmaps.

Sets that do not depend on the caller (a trait, a tag, a consent, everybody of the brand) are kept (`kept_sets`); what
a narrower scope may see is asked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import bitmaps
from quanyu.audiences.contracts import Consents, PeopleList, TraitsAndTags, VisiblePeople
from quanyu.audiences.kept_sets import KeptSets, among
from quanyu.audiences.primitives import Scalar, SetMember, TraitCompare
from quanyu.kernel.errors import NotFound
from quanyu.kernel.label import Label
from quanyu.storage.state import State

_PUSHED_DOWN = 5_000
_MOVES = ("people_moved",)
Members = Callable[[sa.Connection, Scope, str], BitMap]


class StoredSets:
    """The `StateSets` of the evaluator over the state store."""

    def __init__(
        self,
        state: State,
        people: VisiblePeople,
        profiles: TraitsAndTags,
        consents: Consents,
        members: Members,
    ) -> None:
        self._state = state
        self._people = people
        self._profiles = profiles
        self._consents = consents
        self._members = members
        self._kept = KeptSets()
        self._lists: dict[str, PeopleList] = {}

    def visible(self, scope: Scope) -> BitMap:
        """Everybody within the scope."""
        statement = self._people.visible_people(scope)
        with self._state.read() as tx:
            if not scope.whole_brand:
                return bitmaps.of_select(tx, statement)
            return self._kept.get(tx, (scope.brand_id, "visible"), scope.brand_id, _MOVES, statement, grows=True)

    def answer(
        self, scope: Scope, wanted: Sequence[TraitCompare | SetMember], within: BitMap | None, at: datetime
    ) -> dict[TraitCompare | SetMember, BitMap]:
        """The people of each condition; for a small `within` the database looks at those people only."""
        found: dict[TraitCompare | SetMember, BitMap] = {}
        for condition in wanted:
            if isinstance(condition, SetMember) and condition.kind == "list":
                found[condition] = self._list(condition.keys[0]).members(scope, condition.keys[1:], at)
        with self._state.read() as tx:
            for condition in wanted:
                if condition not in found:
                    found[condition] = self._stored(tx, scope, condition, within)
        return found

    def _stored(
        self, tx: sa.Connection, scope: Scope, condition: TraitCompare | SetMember, within: BitMap | None
    ) -> BitMap:
        if isinstance(condition, SetMember) and condition.kind == "audience":
            return self._members(tx, scope, condition.keys[0])
        statement = self.statement(scope, condition)
        if within is not None and len(within) <= _PUSHED_DOWN:
            return bitmaps.of_select(tx, among(tx, statement, within))
        of_consent = isinstance(condition, SetMember) and condition.kind == "consent"
        topics = (*_MOVES, "consent_changed") if of_consent else (*_MOVES, "profiles_changed")
        return self._kept.get(tx, (scope.brand_id, condition), scope.brand_id, topics, statement)

    def offer(self, name: str, people: PeopleList) -> None:
        """Register a list under its name."""
        self._lists[name] = people

    def _list(self, name: str) -> PeopleList:
        if name not in self._lists:
            raise NotFound(
                "people_list_not_found",
                Label("名单不存在", "There is no such list"),
                detail=Label(f"没有名为“{name}”的名单", f"Nobody offers a list named “{name}”"),
            )
        return self._lists[name]

    def statement(self, scope: Scope, condition: TraitCompare | SetMember) -> sa.Select[Any]:
        """The `person_id` of a trait, tag or consent condition, as SQL."""
        if isinstance(condition, TraitCompare):
            values = self._profiles.trait_values(scope, condition.name).subquery("present")
            return sa.select(values.c.person_id).where(_compares(values.c.value, values.c.number, condition))
        if condition.kind == "tag":
            return self._profiles.tagged_people(scope, condition.keys)
        purpose, channel = condition.keys
        return self._consents.allowed_people(scope, purpose, channel)


def _compares(value: Any, number: Any, condition: TraitCompare) -> sa.ColumnElement[bool]:
    operator, wanted = condition.operator, condition.value
    if operator == "known":
        return sa.true()
    if operator == "in":
        many = wanted if isinstance(wanted, tuple) else (wanted,)
        return sa.or_(*(_equals(value, number, one) for one in many))
    if operator == "eq":
        assert not isinstance(wanted, tuple)
        return _equals(value, number, wanted)
    if operator == "contains":
        found: sa.ColumnElement[bool] = sa.func.lower(value).contains(str(wanted).lower(), autoescape=True)
        return found
    bound = float(wanted)  # type: ignore[arg-type]
    compared: dict[str, sa.ColumnElement[bool]] = {
        "gt": number > bound,
        "gte": number >= bound,
        "lt": number < bound,
        "lte": number <= bound,
    }
    return compared[operator]


def _equals(value: Any, number: Any, wanted: Scalar | None) -> sa.ColumnElement[bool]:
    equal: sa.ColumnElement[bool]
    if isinstance(wanted, bool):
        equal = value == ("true" if wanted else "false")
    elif isinstance(wanted, int | float):
        equal = number == float(wanted)
    else:
        equal = value == str(wanted)
    return equal
