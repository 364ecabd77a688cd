"""The door of audiences: trees in, people out. Predicates of other contexts import their vocabulary from here too."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.audiences import store
from quanyu.audiences.bitmaps import from_ids, to_ids
from quanyu.audiences.contracts import (
    REACH_CHANNELS,
    REACH_PURPOSE,
    AudienceView,
    Change,
    Consents,
    Counted,
    PeopleList,
    PeoplePage,
    Reach,
    Refresh,
    TraitsAndTags,
    UsedBy,
    VersionView,
    VisiblePeople,
)
from quanyu.audiences.counting import LiveCount
from quanyu.audiences.errors import RuleError, TreeInvalid, audience_in_use
from quanyu.audiences.evaluator import Cancelled, Evaluator, local, never
from quanyu.audiences.event_options import EventOptions, PropertyOptions
from quanyu.audiences.members import (
    AudienceOptions,
    audiences_in,
    page_of,
    refuse_circle,
    sizes_within,
    stored_members,
)
from quanyu.audiences.options import Option, OptionSource, OptionSources, contains
from quanyu.audiences.predicate import Choice, FormField, Names, Predicate, predicate
from quanyu.audiences.predicates.event_fields import PLACE_FORM, WINDOW_FORM, InPlace, Key, joined, narrowed
from quanyu.audiences.primitives import Condition, SetMember, Some, events
from quanyu.audiences.profile_options import profile_options
from quanyu.audiences.refreshing import Refresher
from quanyu.audiences.state_sets import StoredSets
from quanyu.audiences.store import StoredAudience, StoredVersion
from quanyu.audiences.tree import Node, dump_tree, group, parse_tree, rule, rules
from quanyu.audiences.words import Words
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label, same
from quanyu.storage.engine import Engine
from quanyu.storage.state import State
from quanyu.storage.streams import EventStreams

__all__ = [
    "PLACE_FORM",
    "WINDOW_FORM",
    "Audiences",
    "Choice",
    "Condition",
    "FormField",
    "InPlace",
    "Key",
    "Names",
    "Node",
    "Option",
    "OptionSource",
    "Predicate",
    "SetMember",
    "Some",
    "Usage",
    "contains",
    "events",
    "from_ids",
    "group",
    "joined",
    "local",
    "narrowed",
    "parse_tree",
    "predicate",
    "profile_options",
    "rule",
    "to_ids",
]

Usage = Callable[[sa.Connection, Scope, str], Sequence[UsedBy]]
"""Who uses an audience: (transaction, scope, audience_id) -> users. Contexts above register theirs."""


class Audiences:
    """Audiences of every brand. Thread-safe."""

    def __init__(
        self,
        state: State,
        engine: Engine,
        clock: Clock,
        ids: Ids,
        audit: Audit,
        *,
        people: VisiblePeople,
        profiles: TraitsAndTags,
        consents: Consents,
        brand_scope: Callable[[int], Scope],
        options: Mapping[str, OptionSource] | None = None,
        streams: EventStreams | None = None,
    ) -> None:
        self._state = state
        self._engine = engine
        self._clock = clock
        self._ids = ids
        self._audit = audit
        self._state_sets = StoredSets(state, people, profiles, consents, stored_members)
        self._evaluator = Evaluator(engine, self._state_sets, streams=streams)
        self._counts = LiveCount(self._evaluator, self._state_sets, self.watermark, REACH_CHANNELS, REACH_PURPOSE)
        self._refresher = Refresher(state, self._evaluator, clock, self.watermark, brand_scope)
        self._usages: list[Usage] = [audiences_in]
        own: dict[str, OptionSource] = {
            "audiences": AudienceOptions(state),
            "events": EventOptions(engine),
            "properties": PropertyOptions(engine),
        }
        self.options = OptionSources(own | dict(options or {}))
        self._words = Words(self.options)

    def watermark(self, tree: Node | None = None) -> str:
        """What answers rest on: events, people, dimensions, news of changed state; and the audiences `tree` names."""
        names = tree is not None and any(rule.predicate == "in_audience" for rule in rules(tree))
        with self._state.read() as tx:
            return f"{self._engine.watermark()}|{store.newest_news(tx, of_audiences=names)}"

    def used_by(self, usage: Usage) -> None:
        """Register somebody who uses audiences, so that none is deleted under them."""
        self._usages.append(usage)

    def offer_list(self, name: str, people: PeopleList) -> None:
        """Register a computed set of people that conditions may name (`SetMember("list", (name, ...))`)."""
        self._state_sets.offer(name, people)

    def visible(self, scope: Scope) -> BitMap:
        """Everybody within the scope."""
        return self._state_sets.visible(scope)

    # ------------------------------------------------------------------------------------------------------ trees
    def check(self, data: Any, scope: Scope) -> Node:
        """The tree of JSON data. Raises TreeInvalid with every fault at the id of its rule."""
        return self._words.check(data, scope, self._clock.now())[0]

    def sentence(self, data: Any, scope: Scope) -> Label:
        """A tree in words."""
        return self._words.sentence(data, scope, self._clock.now())

    def evaluate(self, tree: Node, at: datetime, scope: Scope, within: BitMap | None = None) -> BitMap:
        """The people of a tree at an instant, whom the scope may see; of `within` only, if given.

        The one evaluator of counts, lists and journeys' branches. Raises TreeInvalid, NotFound (an audience that is
        gone or was never computed).
        """
        return self._evaluator.evaluate(tree, at, scope, within)

    def people_of(self, data: Any, scope: Scope) -> BitMap:
        """The visible people of a tree as they are now. Raises TreeInvalid, NotFound."""
        return self._evaluator.evaluate(self.check(data, scope), self._clock.now(), scope)

    def count(self, data: Any, scope: Scope, cancelled: Cancelled = never) -> Counted:
        """The live count of a tree that may still be wrong: faults come back, they are not raised.

        Raises CountCancelled when `cancelled()` says so between steps.
        """
        at, started = self._clock.now(), time.perf_counter()
        try:
            tree, sentence = self._words.check(data, scope, at)
            number = self._counts.count(tree, scope, at, cancelled)
        except TreeInvalid as error:
            return self._faults(error.errors, at, started)
        except QuanyuError as error:
            if error.status != 404:
                raise
            return self._faults((RuleError("", "", error.detail or error.title),), at, started)
        reach = tuple(Reach(key, REACH_CHANNELS[key], n) for key, n in number.reachable.items())
        return Counted(number.count, number.total, at, _since(started), sentence, reach)

    def people_of_tree(self, data: Any, scope: Scope, after: int | None = None, limit: int = 50) -> PeoplePage:
        """One page of the people a tree means now: what a number in a report opens to. Raises TreeInvalid."""
        return page_of(self.people_of(data, scope), after, limit)

    # -------------------------------------------------------------------------------------------------- audiences
    def list_audiences(self, scope: Scope) -> list[AudienceView]:
        """The brand's audiences, the last edited first; sizes count the scope's people only."""
        with self._state.read() as tx:
            stored = store.of_brand(tx, scope.brand_id)
            visible = self._visible(scope)
            return [self._view(tx, one, scope, visible) for one in stored]

    def get_audience(self, scope: Scope, audience_id: str) -> AudienceView:
        """One audience. Raises NotFound."""
        with self._state.read() as tx:
            return self._view(tx, store.get(tx, scope.brand_id, audience_id), scope, self._visible(scope))

    def create_audience(
        self, caller: Caller, name: str, description: str, data: Any, refresh: Refresh = "manual"
    ) -> AudienceView:
        """Store an audience and compute its first version. Raises TreeInvalid, Conflict (name taken)."""
        scope, now = caller.scope, self._clock.now()
        tree = dump_tree(self.check(data, scope))
        audience_id = self._ids.new("aud")
        with self._state.write() as tx:
            values = {
                "audience_id": audience_id,
                "brand_id": scope.brand_id,
                "name": name,
                "description": description,
                "refresh": refresh,
                "created_by": caller.name,
                "created_at": now,
                "updated_at": now,
            }
            store.add(tx, values, tree)
            self._audit.record(caller, "audience_created", audience_id, {"name": name}, tx=tx)
        self._compute(scope, audience_id)
        return self.get_audience(scope, audience_id)

    def update_audience(
        self,
        caller: Caller,
        audience_id: str,
        name: str,
        description: str,
        data: Any,
        refresh: Refresh,
        revision: int | None = None,
    ) -> AudienceView:
        """Change an audience; a changed tree is computed at once. Raises NotFound, Stale, TreeInvalid, Conflict."""
        scope = caller.scope
        tree = dump_tree(self.check(data, scope))
        with self._state.read() as tx:
            refuse_circle(tx, scope, audience_id, tree)
        with self._state.write() as tx:
            before = store.get(tx, scope.brand_id, audience_id)
            values = {"name": name, "description": description, "refresh": refresh, "updated_at": self._clock.now()}
            store.change(tx, scope.brand_id, audience_id, values, tree, revision)
            self._audit.record(caller, "audience_changed", audience_id, {"name": name}, tx=tx)
        if before.tree != tree or before.version is None:
            self._compute(scope, audience_id)
        return self.get_audience(scope, audience_id)

    def delete_audience(self, caller: Caller, audience_id: str) -> None:
        """Delete an audience with its versions. Raises NotFound, Conflict while something uses it."""
        with self._state.write() as tx:
            stored = store.get(tx, caller.scope.brand_id, audience_id, lock=True)
            users = self._users(tx, caller.scope, audience_id)
            if users:
                raise audience_in_use(user.name for user in users)
            store.remove(tx, audience_id)
            self._audit.record(caller, "audience_deleted", audience_id, {"name": stored.name}, tx=tx)

    # --------------------------------------------------------------------------------------------------- versions
    def refresh(self, caller: Caller, audience_id: str) -> VersionView:
        """Compute an audience now; its newest version, a new one only when the set differs. Raises NotFound."""
        newest = self._compute(caller.scope, audience_id)
        self._audit.record(caller, "audience_refreshed", audience_id, {"version": newest.version})
        with self._state.read() as tx:
            return self._version_view(tx, audience_id, newest, self._visible(caller.scope))

    def refresh_due(self, limit: int = 20) -> list[tuple[str, QuanyuError | None]]:
        """Refresh what its policy says is due (a worker's step): each audience with what went wrong, if anything."""
        return self._refresher.refresh_due(limit)

    def follow_people(self) -> int:
        """Bring stored sets up to date for people who were merged or split (a worker's step); how many people."""
        return self._refresher.follow_people()

    def list_versions(self, scope: Scope, audience_id: str) -> list[VersionView]:
        """The newest versions, newest first, counted within the scope. Raises NotFound."""
        with self._state.read() as tx:
            store.get(tx, scope.brand_id, audience_id)
            visible = self._visible(scope)
            return [self._version_view(tx, audience_id, v, visible) for v in store.versions(tx, audience_id)]

    def members(
        self,
        tx: sa.Connection,
        scope: Scope,
        audience_id: str,
        version: int | None = None,
        change: Change | None = None,
    ) -> BitMap:
        """The visible people of a version (the newest if None), or only who entered or left with it.

        Raises NotFound for an audience of another brand or a version that is not kept.
        """
        stored = store.get(tx, scope.brand_id, audience_id)
        number = stored.version if version is None else version
        found = store.members(tx, audience_id, number)
        if change is not None:
            before = store.members(tx, audience_id, number - 1) if number and number > 1 else BitMap()
            found = found - before if change == "entered" else before - found
        return found & self._state_sets.visible(scope)

    def list_people(
        self,
        scope: Scope,
        audience_id: str,
        version: int | None = None,
        change: Change | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> PeoplePage:
        """One page of `members`."""
        with self._state.read() as tx:
            return page_of(self.members(tx, scope, audience_id, version, change), after, limit)

    def audiences_of(self, scope: Scope, person_id: int) -> list[tuple[str, str]]:
        """(audience_id, name) of the audiences whose newest version holds a person whom the scope may see."""
        if person_id not in self._state_sets.visible(scope):
            return []
        with self._state.read() as tx:
            return [
                (one.audience_id, one.name)
                for one in store.of_brand(tx, scope.brand_id)
                if one.version is not None and person_id in store.members(tx, one.audience_id, one.version)
            ]

    # ---------------------------------------------------------------------------------------------------- inside
    def _compute(self, scope: Scope, audience_id: str) -> StoredVersion:
        with self._state.read() as tx:
            stored = store.get(tx, scope.brand_id, audience_id)
        made = self._refresher.refresh(stored)
        if made is not None:
            return made
        with self._state.read() as tx:
            return store.versions(tx, audience_id, 1)[0]

    def _users(self, tx: sa.Connection, scope: Scope, audience_id: str) -> tuple[UsedBy, ...]:
        return tuple(user for usage in self._usages for user in usage(tx, scope, audience_id))

    def _visible(self, scope: Scope) -> BitMap | None:
        return None if scope.whole_brand else self._state_sets.visible(scope)

    def _view(self, tx: sa.Connection, one: StoredAudience, scope: Scope, visible: BitMap | None) -> AudienceView:
        size = None
        if one.version is not None:
            size = sizes_within(tx, one.audience_id, store.versions(tx, one.audience_id, 1)[0], visible)[0]
        try:
            sentence = self.sentence(one.tree, scope)
        except TreeInvalid as error:
            sentence = error.detail or error.title
        return AudienceView(
            one.audience_id,
            one.name,
            one.description,
            one.tree,
            sentence,
            one.refresh,
            size,
            one.version,
            one.computed_at,
            one.created_by,
            one.updated_at,
            one.revision,
            self._users(tx, scope, one.audience_id),
        )

    def _version_view(
        self, tx: sa.Connection, audience_id: str, v: StoredVersion, visible: BitMap | None
    ) -> VersionView:
        size, entered, left = sizes_within(tx, audience_id, v, visible)
        return VersionView(v.version, v.at, size, entered, left, v.took_ms, v.kept)

    def _faults(self, errors: tuple[RuleError, ...], at: datetime, started: float) -> Counted:
        return Counted(None, 0, at, _since(started), same(""), (), errors)


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
