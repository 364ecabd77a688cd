"""How lists show people: one page at a time, masked, in a handful of statements however many people exist.

A card is put together when it is asked for. A stored row per person would have to follow every event, merge and tag;
a page of fifty costs a few index lookups and is never out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.identity.api import Identity
from quanyu.identity.contracts import IdentifierView, PersonRef
from quanyu.kernel.label import Label, same
from quanyu.profiles import stats, tags, trait_store
from quanyu.profiles.contracts import NAME_TRAITS, PersonCard, StoreName, Tag, Totals
from quanyu.profiles.traits import Row

StoreNames = Callable[[Scope], Mapping[str, Label]]
MadeSources = Callable[[], set[str]]


def build(
    tx: sa.Connection,
    people: Sequence[PersonRef],
    scope: Scope,
    identity: Identity,
    store_names: StoreNames,
    made_sources: MadeSources,
) -> list[PersonCard]:
    """The cards of these people, in their order. The caller has seen to it that they are visible."""
    numbers = [one.person_id for one in people]
    held: dict[int, list[IdentifierView]] = {}
    for view in identity.identifiers_of(tx, numbers):
        held.setdefault(view.person_id, []).append(view)
    names = trait_store.present_values(tx, numbers, identity, NAME_TRAITS)
    own_tags = tags.of_people(tx, numbers, identity)
    totals = stats.totals(tx, numbers, identity)
    stores = store_names(scope) if any(one.home_store for one in people) else {}
    made = made_sources()
    return [
        _card(
            one,
            held.get(one.person_id, []),
            names.get(one.person_id, {}),
            own_tags.get(one.person_id, ()),
            totals.get(one.person_id, Totals()),
            scope,
            stores,
            made,
        )
        for one in people
    ]


def _card(
    one: PersonRef,
    held: Sequence[IdentifierView],
    names: Mapping[str, Row],
    own_tags: tuple[Tag, ...],
    totals: Totals,
    scope: Scope,
    stores: Mapping[str, Label],
    made: set[str],
) -> PersonCard:
    phone = next((view.masked for view in held if view.namespace == "phone"), None)
    seen = totals.seen_at
    return PersonCard(
        one.public_id,
        masked_name(names),
        phone,
        home_store(one.home_store, stores),
        one.owner_staff,
        own_tags,
        len(held),
        totals.orders,
        totals.amount,
        scope.currency,
        seen.isoformat(timespec="milliseconds").replace("+00:00", "Z") if seen else None,
        bool(held) and all(view.source in made for view in held),
    )


def masked_name(names: Mapping[str, Row]) -> str | None:
    """The masked name among a person's traits: a full name before a nickname."""
    return next((row.masked for name in NAME_TRAITS if (row := names.get(name)) is not None and row.masked), None)


def home_store(store_id: str | None, stores: Mapping[str, Label]) -> StoreName | None:
    """A home store with its name; a store that the catalogue does not know reads as its id."""
    return None if store_id is None else StoreName(store_id, stores.get(store_id) or same(store_id))
