"""State conditions as sets: SQL that the contexts below offer, compared here, read as bitmaps.

Sets that do not depend on the caller (a trait, a tag, a consent) are kept until the state they rest on changes; the
people a caller may see are asked anew, except for the whole brand.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import bitmaps
from quanyu.audiences.contracts import Consents, PeopleList, TraitsAndTags, VisiblePeople
from quanyu.audiences.primitives import Scalar, SetMember, TraitCompare
from quanyu.kernel.errors import NotFound
from quanyu.kernel.label import Label
from quanyu.storage.bulk import rows
from quanyu.storage.state import State

_KEPT_SETS = 256
_PUSHED_DOWN = 5_000
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
        token: Callable[[], str],
    ) -> None:
        self._state = state
        self._people = people
        self._profiles = profiles
        self._consents = consents
        self._members = members
        self._token = token
        self._kept: OrderedDict[Hashable, tuple[str, BitMap]] = OrderedDict()
        self._lists: dict[str, PeopleList] = {}
        self._lock = threading.Lock()

    def visible(self, scope: Scope) -> BitMap:
        """Everybody within the scope."""
        statement = self._people.visible_people(scope)
        token = self._token()
        with self._state.read() as tx:
            if not scope.whole_brand:
                return bitmaps.of_select(tx, statement)
            return self._keep(token, (scope.brand_id, "visible"), lambda: bitmaps.of_select(tx, statement))

    def answer(
        self, scope: Scope, wanted: Sequence[TraitCompare | SetMember], within: BitMap | None, at: datetime
    ) -> dict[TraitCompare | SetMember, BitMap]:
        """The people of each condition; for a small `within` the database looks at those people only."""
        found: dict[TraitCompare | SetMember, BitMap] = {}
        token = self._token()  # read before the sets: what changes in between is seen as old, never kept as new
        with self._state.read() as tx:
            for condition in wanted:
                if isinstance(condition, SetMember) and condition.kind == "audience":
                    found[condition] = self._members(tx, scope, condition.keys[0])
                    continue
                if isinstance(condition, SetMember) and condition.kind == "list":
                    found[condition] = self._list(condition.keys[0]).members(scope, condition.keys[1:], at)
                    continue
                statement = self.statement(scope, condition)
                if within is not None and len(within) <= _PUSHED_DOWN:
                    found[condition] = bitmaps.of_select(tx, _among(tx, statement, within))
                else:
                    found[condition] = self._keep(
                        token, (scope.brand_id, condition), partial(bitmaps.of_select, tx, statement)
                    )
        return found

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

    def _keep(self, token: str, key: Hashable, read: Callable[[], BitMap]) -> BitMap:
        with self._lock:
            known = self._kept.get(key)
            if known is not None and known[0] == token:
                self._kept.move_to_end(key)
                return known[1]
        found = read()
        with self._lock:
            self._kept[key] = (token, found)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_SETS:
                self._kept.popitem(last=False)
        return found


def _among(tx: sa.Connection, statement: sa.Select[Any], within: BitMap) -> sa.Select[Any]:
    wanted = rows(tx, {"person_id": sa.BigInteger}, [(int(i),) for i in within], name="wanted")
    column = next(iter(statement.selected_columns))
    return statement.where(column.in_(sa.select(wanted.c.person_id)))


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
