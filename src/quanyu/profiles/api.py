"""The door of profiles: take in what events say of people, find people, and show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.identity.api import Identity
from quanyu.identity.contracts import Home, IdentifierView, PersonRef, Resolved
from quanyu.kernel.clock import Clock, from_micros
from quanyu.kernel.errors import Invalid
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.profiles import cards, due, stats, tags, trait_store
from quanyu.profiles.contracts import (
    NAME_TRAITS,
    PERSONAL_TRAITS,
    PROFILES_CHANGED,
    STAFF_TRAITS,
    STORE_TRAITS,
    Choice,
    Facts,
    PeoplePage,
    PersonCard,
    Tag,
    Totals,
    TraitView,
    trait_label,
)
from quanyu.profiles.errors import cursor_malformed, trait_not_found
from quanyu.profiles.recounting import Recount
from quanyu.profiles.traits import Change, parse
from quanyu.storage.bulk import rows
from quanyu.storage.outbox import publish
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

__all__ = ["Profiles", "Recount"]

_NEWS = 1000
Evaluate = Callable[[Mapping[str, Any], Scope], BitMap]


def _nothing_replaced(tx: sa.Connection, batch: pa.Table) -> int:  # noqa: ARG001
    return 0


def _no_stores(_: Scope) -> Mapping[str, Label]:
    return {}


class Profiles:
    """Profiles over one state store.

    What lies above is asked through functions that the composition root gives: `made_sources` names the sources
    of generated data, `store_names` the brand's stores, `evaluate` the people of a condition tree.
    """

    def __init__(
        self,
        state: State,
        identity: Identity,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        audit: Audit,
        *,
        made_sources: Callable[[], set[str]] = set,
        store_names: Callable[[Scope], Mapping[str, Label]] = _no_stores,
        evaluate: Evaluate | None = None,
        recount: Callable[[sa.Connection, pa.Table], int] = _nothing_replaced,
    ) -> None:
        self.state = state
        self.identity = identity
        self.made_sources = made_sources
        self.store_names = store_names
        self.evaluate = evaluate
        self._recount = recount
        self._sightings = stats.Sightings()
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._audit = audit

    # --------------------------------------------------------------------------------------------- taking in
    def forget(self) -> None:
        """Forget what `apply` read earlier: another process may have taken batches in since."""
        self._sightings.forget()

    def apply(self, tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> None:
        """Take in a resolved micro-batch: traits, totals, home stores and owners."""
        homes = self._take_traits(tx, batch, resolved)
        stats.add(tx, batch, resolved.anchor_id, self._clock.now(), self._sightings)
        if self._recount(tx, batch):
            self._sightings.forget()
        homes += _implied_homes(batch, resolved)
        anchors, at = np.unique(resolved.anchor_id, return_index=True)
        person_of = dict(zip(anchors.tolist(), resolved.person_id[at].tolist(), strict=True))
        self.identity.set_homes(tx, homes, person_of)

    def apply_due(self, waited: timedelta = 2 * stats.PUT_OFF) -> bool:
        """Add what large batches put off, once it has waited so long: no later batch did. Whether there was any."""
        with self.state.read() as tx:
            if not due.oldest(tx, self._clock.now() - waited, 1):
                return False
        with self.state.write() as tx:
            return stats.apply_due(tx, self._clock.now() - waited, at_most=1) > 0

    def _take_traits(self, tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> list[Home]:
        concerned = np.flatnonzero(
            pc.is_valid(batch.column("traits")).to_numpy(zero_copy_only=False) & (resolved.anchor_id > 0)
        )
        if concerned.size == 0:
            return []
        changes: dict[int, list[Change]] = {}
        homes: list[Home] = []
        erased: list[tuple[int, int, int, int, str]] = []
        part = batch.select(["brand_id", "occurred_at", "source", "traits"]).take(pa.array(concerned))
        for row, at in zip(part.to_pylist(), concerned.tolist(), strict=True):
            anchor, said_at = int(resolved.anchor_id[at]), row["occurred_at"]
            operations, everything = parse(row["traits"])
            own = changes.setdefault(row["brand_id"], [])
            for name, op, value in operations:
                if name in STORE_TRAITS or name in STAFF_TRAITS:
                    if op in ("set", "once") and value not in (None, ""):
                        homes.append(_home(anchor, name, str(value), said_at, declared=op == "set"))
                else:
                    own.append(Change(anchor, name, op, value, said_at, row["source"]))
            if everything:
                erased.append((row["brand_id"], int(resolved.person_id[at]), anchor, said_at, row["source"]))
        if erased:
            known = trait_store.names_of(tx, [one[1] for one in erased], self.identity)
            for brand_id, person_id, anchor, said_at, source in erased:
                named = {*known.get(person_id, ()), *(one.name for one in changes[brand_id])}
                changes[brand_id] += [Change(anchor, name, "unset", None, said_at, source) for name in sorted(named)]
        for brand_id, own in changes.items():
            self.set_traits(tx, brand_id, own)
        tags.take(tx, part, resolved.anchor_id[concerned], self._ids, self._clock.now())
        return homes

    def set_traits(self, tx: sa.Connection, brand_id: int, changes: Sequence[Change]) -> int:
        """Apply trait operations, from events or without one (a connector's master data); rows changed."""
        changed = trait_store.change(tx, brand_id, changes, self._vault)
        if changed:
            self._tell(tx, brand_id, (one.identifier_id for one in changes))
        return changed

    # ---------------------------------------------------------------------------------------- sets for audiences
    def trait_values(self, scope: Scope, name: str) -> sa.Select[Any]:
        """`person_id, value, number`: each person's present value of a trait, one row per person who has it.

        A personal trait has neither value nor number: it can be known, not compared.
        """
        return trait_store.values_of(self.identity.holders(), scope.brand_id, name)

    def tagged_people(self, scope: Scope, tag_ids: Sequence[str]) -> sa.Select[Any]:
        """`person_id` of people of the scope's brand with any of the tags."""
        return tags.tagged(self.identity.holders(), scope.brand_id, tag_ids)

    # -------------------------------------------------------------------------------------------- showing people
    def list_people(self, scope: Scope, person_ids: Iterable[int]) -> list[PersonCard]:
        """One card per visible person among these, in the given order."""
        with self.state.read() as tx:
            return self._cards(tx, scope, person_ids)

    def _cards(self, tx: sa.Connection, scope: Scope, person_ids: Iterable[int]) -> list[PersonCard]:
        seen = self.identity.people_by_id(tx, person_ids, scope)
        return cards.build(tx, seen, scope, self.identity, self.store_names, self.made_sources)

    def card(self, tx: sa.Connection, someone: PersonRef, scope: Scope) -> PersonCard:
        """The card of one visible person."""
        return cards.build(tx, [someone], scope, self.identity, self.store_names, self.made_sources)[0]

    def facts(self, tx: sa.Connection, scope: Scope, person_ids: Iterable[int]) -> dict[int, Facts]:
        """What a message may say of these people, names in clear: for dispatch, never for a screen."""
        seen = self.identity.people_by_id(tx, person_ids, scope)
        names = trait_store.present_values(tx, [one.person_id for one in seen], self.identity, NAME_TRAITS)
        return {
            one.person_id: Facts(
                one.public_id, self._clear_name(scope, names.get(one.person_id, {})), one.home_store, one.owner_staff
            )
            for one in seen
        }

    def _clear_name(self, scope: Scope, names: Mapping[str, Any]) -> str | None:
        first = next((name for name in NAME_TRAITS if name in names), None)
        return None if first is None else trait_store.reveal(names, first, scope.brand_id, self._vault)

    def traits_of(self, tx: sa.Connection, someone: PersonRef) -> list[TraitView]:
        """The present traits of a person, personal ones masked, by name."""
        found = trait_store.present_values(tx, [someone.person_id], self.identity).get(someone.person_id, {})
        return [
            TraitView(
                name,
                trait_label(name),
                (row.masked if row.sealed is not None else row.value) or "",
                row.number,
                from_micros(row.at),
                row.source,
                name in PERSONAL_TRAITS,
                row.identifier_id,
            )
            for name, row in sorted(found.items())
        ]

    def totals_of(self, tx: sa.Connection, someone: PersonRef) -> Totals:
        """What a person bought, over all their identifiers."""
        return stats.totals(tx, [someone.person_id], self.identity).get(someone.person_id, Totals())

    def seen_at(self, tx: sa.Connection, identifiers: Sequence[IdentifierView]) -> dict[int, datetime]:
        """When each identifier was last seen: with another one, or doing something by itself; by its id."""
        alone = stats.seen(tx, [view.identifier_id for view in identifiers])
        return {
            view.identifier_id: max(view.last_seen_at, alone.get(view.identifier_id, view.last_seen_at))
            for view in identifiers
        }

    def tags_of(self, tx: sa.Connection, someone: PersonRef) -> tuple[Tag, ...]:
        """The tags of a person."""
        return tags.of_people(tx, [someone.person_id], self.identity).get(someone.person_id, ())

    def search(
        self,
        scope: Scope,
        *,
        q: str | None = None,
        tree: Mapping[str, Any] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> PeoplePage:
        """Visible people, newest first: all, those exactly matching `q`, those of a condition tree, or both.

        `q` is a phone, member number, email, any other identifier, a name, or a public id, found by keyed hash.
        Raises BadRequest for a cursor of another origin, Invalid for a tree nobody can evaluate.
        """
        before = _before(cursor)
        found: BitMap | None = None
        if tree is not None:
            if self.evaluate is None:
                raise Invalid("tree_unsupported", Label("此处不支持条件筛选", "Conditions are not supported here"))
            found = self.evaluate(tree, scope)
        with self.state.read() as tx:
            if q is not None and q.strip():
                exact = self._exact(tx, q, scope)
                found = exact if found is None else found & exact
            if found is None:
                numbers, total = self._newest(tx, scope, before, limit + 1)
            else:
                numbers, total = _page_of(found, before, limit + 1), len(found)
            shown = self._cards(tx, scope, numbers[:limit])
        more = str(numbers[limit - 1]) if len(numbers) > limit else None
        return PeoplePage(tuple(shown), more, total)

    def _exact(self, tx: sa.Connection, q: str, scope: Scope) -> BitMap:
        by_value = self.identity.find(tx, q, scope)
        by_name = trait_store.named(tx, scope.brand_id, q, self.identity.holders(), self._vault)
        seen = self.identity.people_by_id(tx, by_name, scope)
        return BitMap([*by_value, *(one.person_id for one in seen)])

    def _newest(self, tx: sa.Connection, scope: Scope, before: int | None, limit: int) -> tuple[list[int], int | None]:
        visible = self.identity.visible_people(scope)
        column = next(iter(visible.selected_columns))
        page = visible if before is None else visible.where(column < before)
        numbers = [int(number) for number in tx.execute(page.order_by(column.desc()).limit(limit)).scalars()]
        total = None
        if before is None:
            total = int(tx.execute(sa.select(sa.func.count()).select_from(visible.subquery())).scalar_one())
        return numbers, total

    def reveal_trait(self, tx: sa.Connection, caller: Caller, someone: PersonRef, name: str, reason: str) -> str:
        """A trait of a person in clear, written into the audit ledger. Raises Denied, NotFound."""
        caller.require("people.reveal")
        found = trait_store.present_values(tx, [someone.person_id], self.identity, [name])
        value = trait_store.reveal(found.get(someone.person_id, {}), name, someone.brand_id, self._vault)
        if value is None:
            raise trait_not_found(name)
        self._audit.record(caller, "person_revealed", someone.public_id, {"trait": name, "reason": reason}, tx=tx)
        return value

    # ------------------------------------------------------------------------------------------------------ tags
    def all_tags(self, scope: Scope) -> list[Tag]:
        """The brand's tags, each with how many visible people carry it."""
        with self.state.read() as tx:
            return tags.all_tags(tx, scope, self.identity)

    def create_tag(self, caller: Caller, name: Label, group: Label) -> Tag:
        """Make a tag. Raises Conflict when the group has one of this name."""
        with self.state.write() as tx:
            made = tags.create(tx, caller.scope.brand_id, name, group, self._ids, self._clock.now())
            self._audit.record(caller, "tag_made", made.tag_id, {"name": name.zh, "group": group.zh}, tx=tx)
        return made

    def ensure_tag(self, tx: sa.Connection, brand_id: int, name: Label, group: Label) -> str:
        """The id of the tag of this name, made if it is missing."""
        return tags.ensure(tx, brand_id, name, group, self._ids, self._clock.now())

    def assign_tags(self, tx: sa.Connection, pairs: Sequence[tuple[str, int]], by: str) -> int:
        """Put tags on identifiers, as (tag_id, identifier_id); how many were new."""
        self._tell(tx, None, (identifier_id for _, identifier_id in pairs))
        return tags.assign(tx, pairs, by, self._clock.now())

    def _tell(self, tx: sa.Connection, brand_id: int | None, identifiers: Iterable[int]) -> None:
        """News of the people whose traits or tags may have changed, so that kept sets of them follow."""
        holders = self.identity.holders()
        given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in sorted(set(identifiers))])
        statement = sa.select(holders.c.brand_id, holders.c.person_id).distinct().where(holders.c.person_id > 0)
        found: dict[int, list[int]] = {}
        for own, person_id in tx.execute(
            statement.join_from(given, holders, holders.c.identifier_id == given.c.identifier_id)
        ):
            if brand_id is None or own == brand_id:
                found.setdefault(own, []).append(person_id)
        for own, people in found.items():
            for start in range(0, len(people), _NEWS):
                payload = {"brand_id": own, "person_ids": people[start : start + _NEWS]}
                publish(tx, PROFILES_CHANGED, payload, self._clock.now())

    def change_tags(self, caller: Caller, public_id: str, add: Sequence[str], remove: Sequence[str]) -> tuple[Tag, ...]:
        """Put tags on a person and take others off; the tags they have then. Raises NotFound, Invalid."""
        with self.state.write() as tx:
            someone = self.identity.person_of(public_id, caller.scope, tx)
            tags.require(tx, someone.brand_id, {*add, *remove})
            if remove:
                tags.remove(tx, remove, someone.person_id, self.identity)
            anchor = self.identity.anchors_of(tx, [someone.person_id]).get(someone.person_id)
            if add and anchor is not None:
                tags.assign(tx, [(tag_id, anchor) for tag_id in add], caller.name, self._clock.now())
            publish(
                tx,
                PROFILES_CHANGED,
                {"brand_id": someone.brand_id, "person_ids": [someone.person_id]},
                self._clock.now(),
            )
            detail = {"added": sorted(add), "removed": sorted(remove)}
            self._audit.record(caller, "tags_changed", public_id, detail, tx=tx)
            return self.tags_of(tx, someone)

    # --------------------------------------------------------------------------------------------------- choices
    def trait_choices(self, scope: Scope, q: str, limit: int) -> list[Choice]:
        """Traits of the brand whose name or label contains `q`, the most frequent first."""
        with self.state.read() as tx:
            known = trait_store.popular(tx, scope.brand_id)
        wanted = q.strip().lower()
        found = [Choice(name, trait_label(name), count) for name, count in known]
        hits = [one for one in found if wanted in f"{one.value} {one.label.zh} {one.label.en}".lower()]
        return hits[:limit]

    def trait_value_choices(self, scope: Scope, name: str, q: str, limit: int) -> list[Choice]:
        """Values of a trait that contain `q`, the most frequent first; none of a personal trait."""
        with self.state.read() as tx:
            found = trait_store.popular_values(tx, scope.brand_id, name, q.strip(), limit)
        return [Choice(value, Label(value, value), count) for value, count in found]

    def tag_choices(self, scope: Scope, q: str, limit: int) -> list[Choice]:
        """Tags whose name or group contains `q`."""
        wanted = q.strip().lower()
        found = [
            Choice(one.tag_id, Label(f"{one.group.zh} / {one.name.zh}", f"{one.group.en} / {one.name.en}"), one.people)
            for one in self.all_tags(scope)
        ]
        return [one for one in found if wanted in f"{one.label.zh} {one.label.en}".lower()][:limit]

    def tag_names(self, scope: Scope, tag_ids: Iterable[str]) -> dict[str, Label]:
        """The names of those of the brand's tags that exist."""
        with self.state.read() as tx:
            return {key: one.name for key, one in tags.by_id(tx, scope.brand_id, list(tag_ids)).items()}


def _home(anchor: int, name: str, value: str, at: int, *, declared: bool) -> Home:
    return Home(anchor, "store" if name in STORE_TRAITS else "staff", value, at, declared)


def _implied_homes(batch: pa.Table, resolved: Resolved) -> list[Home]:
    """The store of an order is a home store, whoever added a contact owns it, unless something says otherwise."""
    names = batch.column("name")
    found: list[Home] = []
    rules = (("order_paid", "store_id", "store_id"), ("contact_added", "staff_id", "staff_id"))
    for event, column, name in rules:
        fits = pc.and_(pc.equal(names, event), pc.is_valid(batch.column(column)))
        at = np.flatnonzero(pc.fill_null(fits, False).to_numpy(zero_copy_only=False) & (resolved.anchor_id > 0))
        if at.size == 0:
            continue
        part = batch.select(["occurred_at", column]).take(pa.array(at))
        earliest: dict[int, tuple[int, str]] = {}
        for said_at, value, anchor in zip(
            part.column(0).to_pylist(), part.column(1).to_pylist(), resolved.anchor_id[at].tolist(), strict=True
        ):
            known = earliest.get(anchor)
            if known is None or (said_at, value) < known:
                earliest[anchor] = (said_at, value)
        found += [_home(anchor, name, value, said, declared=False) for anchor, (said, value) in earliest.items()]
    return found


def _before(cursor: str | None) -> int | None:
    if cursor is None or cursor == "":
        return None
    if not cursor.isdecimal():
        raise cursor_malformed(cursor)
    return int(cursor)


def _page_of(found: BitMap, before: int | None, limit: int) -> list[int]:
    """The largest members below `before`, in descending order."""
    end = len(found) if before is None else found.rank(max(before - 1, 0))
    return list(islice(reversed(found[max(end - limit, 0) : end]), limit))
