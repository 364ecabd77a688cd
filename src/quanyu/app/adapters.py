"""Small bridges between doors whose shapes differ: each is one question asked in another's words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from quanyu.access.api import Brands
from quanyu.access.contracts import Scope
from quanyu.audiences.options import Option
from quanyu.events.api import Events
from quanyu.events.contracts import NativeEvent
from quanyu.identity.api import Identity
from quanyu.kernel.label import Label
from quanyu.messaging.contracts import PersonCard
from quanyu.profiles.api import Profiles
from quanyu.profiles.contracts import Choice
from quanyu.storage.state import State


class MessageCards:
    """What messages may say of people: profiles' facts with the store's name."""

    def __init__(
        self, profiles: Profiles, identity: Identity, brands: Brands, stores: Callable[[Scope], Mapping[str, Label]]
    ) -> None:
        self._profiles = profiles
        self._identity = identity
        self._brands = brands
        self._stores = stores

    def cards(self, tx: sa.Connection, person_ids: Iterable[int]) -> dict[int, PersonCard]:
        """What a message or a list may say of these people, by person."""
        wanted = list(person_ids)
        found: dict[int, PersonCard] = {}
        for brand in self._brands.list():
            scope = brand.scope()
            own = [ref.person_id for ref in self._identity.people_by_id(tx, wanted, scope)]
            if not own:
                continue
            stores = self._stores(scope)
            for person_id, facts in self._profiles.facts(tx, scope, own).items():
                store = stores.get(facts.store_id) if facts.store_id else None
                found[person_id] = PersonCard(
                    facts.public_id, facts.name, store.zh if store else facts.store_id, facts.staff_id
                )
        return found


class Choices:
    """Profiles' choices (traits, tags, values of a trait) as options of audience forms."""

    def __init__(
        self,
        search: Callable[[Scope, str, Mapping[str, str], int], Sequence[Choice]],
        names: Callable[[Scope, Collection[str]], Mapping[str, Label]],
    ) -> None:
        self._search = search
        self._names = names

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:
        """Choices that contain `q`, the most useful first."""
        return [Option(one.value, one.label, one.count) for one in self._search(scope, q, about, limit)]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those of `keys` that exist."""
        return self._names(scope, keys)


def profile_options(profiles: Profiles) -> dict[str, Choices]:
    """The option sources that rest on profiles."""

    def named(scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        found = {one.value: one.label for one in profiles.trait_choices(scope, "", 10_000)}
        return {key: found.get(key, Label(key, key)) for key in keys}

    return {
        "traits": Choices(lambda scope, q, _, limit: profiles.trait_choices(scope, q, limit), named),
        "trait_values": Choices(
            lambda scope, q, about, limit: profiles.trait_value_choices(scope, about.get("trait", ""), q, limit),
            lambda _, keys: {key: Label(key, key) for key in keys},
        ),
        "tags": Choices(lambda scope, q, _, limit: profiles.tag_choices(scope, q, limit), profiles.tag_names),
    }


class EventRecorder:
    """The product's own events of a brand, durable when the call returns."""

    def __init__(self, state: State, events: Events) -> None:
        self._state = state
        self._events = events

    def __call__(self, brand_id: int, events: list[NativeEvent]) -> None:
        """Write the events down; the worker moves them to the log."""
        with self._state.write() as tx:
            self._events.record(tx, brand_id, events)


class MadeSources:
    """The sources of generated data, remembered for a moment: asked for with every list of people."""

    def __init__(self, events: Events, brands: Brands) -> None:
        self._events = events
        self._brands = brands

    def of(self, scope: Scope) -> set[str]:
        """Those of one brand."""
        return {source.source for source, _ in self._events.sources.list(scope.brand_id) if source.made}

    def __call__(self) -> set[str]:
        """Those of every brand."""
        return {key for brand in self._brands.list() for key in self.of(brand.scope())}
