"""Routes of profiles: people in lists and on their page, their tags, and revealing what is masked.

A person's page is put together from the contexts below; what the contexts above know of the person (audiences,
journeys, what they bought where) comes through `PersonParts`, given by the composition root.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller, Scope
from quanyu.consent.api import Consent
from quanyu.kernel.errors import FieldError, Invalid
from quanyu.kernel.label import Label, same
from quanyu.profiles.api import Profiles
from quanyu.profiles.routes_models import (
    HomeStoreOut,
    PeopleSearchIn,
    PersonAudience,
    PersonCategory,
    PersonDetail,
    PersonIdentifier,
    PersonJourney,
    PersonPage,
    PersonStats,
    PersonTags,
    PersonTagsIn,
    PersonTrait,
    Revealed,
    RevealIn,
    TagIn,
    TagList,
    TagOut,
    label_out,
    link_out,
    person_out,
    standing_out,
    tag_out,
    tags_out,
)


@dataclass(frozen=True)
class PersonParts:
    """What the contexts above know of a person (by `person_id`, within a scope), for their page.

    `audiences` gives (audience_id, name), `journeys` (journey_id, name, node, state), `stores` the ids of stores they
    bought in, `categories` (category_key, name, amount), the largest first.
    """

    audiences: Callable[[int, Scope], Sequence[tuple[str, str]]] = lambda _number, _scope: ()
    journeys: Callable[[int, Scope], Sequence[tuple[str, str, str, str]]] = lambda _number, _scope: ()
    stores: Callable[[int, Scope], Sequence[str]] = lambda _number, _scope: ()
    categories: Callable[[int, Scope], Sequence[tuple[str, Label, int]]] = lambda _number, _scope: ()


def router(profiles: Profiles, consent: Consent, guard: Guard, parts: PersonParts | None = None) -> APIRouter:
    """The routes of profiles."""
    above = parts or PersonParts()
    identity = profiles.identity
    routes = APIRouter(tags=["profiles"])
    reader = Annotated[Caller, Depends(guard.permit("people.read"))]
    writer = Annotated[Caller, Depends(guard.permit("people.write"))]

    @routes.post("/people/search", summary="Find people within the caller's scope")
    def search_people(body: PeopleSearchIn, caller: reader) -> PersonPage:
        page = profiles.search(caller.scope, q=body.q, tree=body.tree, cursor=body.cursor, limit=body.limit)
        return PersonPage(
            items=[person_out(card) for card in page.items], next_cursor=page.next_cursor, total=page.total
        )

    @routes.get("/people/{person_id}", summary="A person's page")
    def read_person(person_id: str, caller: reader) -> PersonDetail:
        scope = caller.scope
        with profiles.state.read() as tx:
            someone = identity.person_of(person_id, scope, tx)
            card = profiles.card(tx, someone, scope)
            explained = identity.explain(someone, tx)
            traits = profiles.traits_of(tx, someone)
            totals = profiles.totals_of(tx, someone)
            seen = profiles.seen_at(tx, explained.identifiers)
            standings = consent.of_person(tx, someone)
        made = profiles.made_sources()
        names = profiles.store_names(scope)
        number = someone.person_id
        return PersonDetail(
            person=person_out(card),
            identifiers=[
                PersonIdentifier(
                    identifier_id=view.identifier_id,
                    namespace=view.namespace,
                    namespace_label=label_out(view.label),
                    masked=view.masked,
                    strength=view.strength,
                    state=view.state,
                    sharing=view.sharing,
                    first_seen_at=view.first_seen_at,
                    last_seen_at=seen[view.identifier_id],
                    made=view.source in made,
                )
                for view in explained.identifiers
            ],
            links=[link_out(view) for view in explained.links],
            traits=[
                PersonTrait(
                    name=view.name,
                    label=label_out(view.label),
                    value=view.value,
                    at=view.at,
                    source=view.source,
                    personal=view.personal,
                    made=view.source in made,
                )
                for view in traits
            ],
            tags=tags_out(card.tags),
            consent=[standing_out(one) for one in standings] if caller.may("consent.read") else [],
            stats=PersonStats(
                orders=totals.orders,
                amount=totals.amount,
                first_order_at=totals.first_order_at,
                last_order_at=totals.last_order_at,
                stores=[
                    HomeStoreOut(store_id=store_id, name=label_out(names.get(store_id) or same(store_id)))
                    for store_id in above.stores(number, scope)
                ],
                categories=[
                    PersonCategory(category_key=key, name=label_out(name), amount=amount)
                    for key, name, amount in above.categories(number, scope)
                ],
            ),
            audiences=[
                PersonAudience(audience_id=key, name=name)
                for key, name in (above.audiences(number, scope) if caller.may("audiences.read") else ())
            ],
            journeys=[
                PersonJourney(journey_id=key, name=name, node=node, state=state)
                for key, name, node, state in (above.journeys(number, scope) if caller.may("journeys.read") else ())
            ],
        )

    @routes.post("/people/{person_id}/reveal", summary="Show one masked value in clear; audited")
    def reveal_person(
        person_id: str, body: RevealIn, caller: Annotated[Caller, Depends(guard.permit("people.reveal"))]
    ) -> Revealed:
        if (body.identifier_id is None) == (body.trait is None):
            message = Label("请指定 identifier_id 或 trait 其中之一", "Name either identifier_id or trait")
            raise Invalid("reveal_what", message, fields=(FieldError("identifier_id", message),))
        with profiles.state.write() as tx:
            someone = identity.person_of(person_id, caller.scope, tx)
            if body.identifier_id is not None:
                value = identity.reveal(tx, caller, someone, body.identifier_id, body.reason)
            else:
                value = profiles.reveal_trait(tx, caller, someone, body.trait or "", body.reason)
        return Revealed(value=value)

    @routes.put("/people/{person_id}/tags", summary="Put tags on a person and take others off")
    def change_person_tags(person_id: str, body: PersonTagsIn, caller: writer) -> PersonTags:
        return PersonTags(tags=tags_out(profiles.change_tags(caller, person_id, body.add, body.remove)))

    @routes.get("/tags", summary="The brand's tags")
    def list_tags(caller: Annotated[Caller, Depends(guard.permit("catalog.read"))]) -> TagList:
        found = profiles.all_tags(caller.scope)
        return TagList(items=[tag_out(one) for one in found], total=len(found))

    @routes.post("/tags", status_code=201, summary="Make a tag")
    def create_tag(body: TagIn, caller: writer) -> TagOut:
        made = profiles.create_tag(caller, Label(body.name.zh, body.name.en), Label(body.group.zh, body.group.en))
        return tag_out(made)

    return routes
