"""A world of people kept in tables, behind the three doors that audiences needs: for tests of SQL on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.storage.state import State
from tests.unit.audiences.worlds import World

metadata = sa.MetaData()
person = sa.Table(
    "w_person",
    metadata,
    sa.Column("person_id", sa.BigInteger, primary_key=True),
    sa.Column("brand_id", sa.BigInteger),
    sa.Column("store", sa.Text),
)
trait = sa.Table(
    "w_trait",
    metadata,
    sa.Column("person_id", sa.BigInteger),
    sa.Column("name", sa.Text),
    sa.Column("value", sa.Text),
    sa.Column("number", sa.Float),
)
tag = sa.Table("w_tag", metadata, sa.Column("person_id", sa.BigInteger), sa.Column("tag_id", sa.Text))
consent = sa.Table(
    "w_consent",
    metadata,
    sa.Column("person_id", sa.BigInteger),
    sa.Column("purpose", sa.Text),
    sa.Column("channel", sa.Text),
)


class Doors:
    """Visible people, traits, tags and consent of a world; also the cards of people."""

    def __init__(self, state: State) -> None:
        self.state = state
        metadata.create_all(state.engine)

    def load(self, world: World, brand_id: int = 1, stores: dict[int, str] | None = None) -> None:
        with self.state.write() as tx:
            for table in (person, trait, tag, consent):
                tx.execute(sa.delete(table))
            for p in world.people:
                if p.visible:
                    store = (stores or {}).get(p.person_id)
                    tx.execute(sa.insert(person).values(person_id=p.person_id, brand_id=brand_id, store=store))
                for name, value in p.traits.items():
                    number = float(value) if value.replace(".", "", 1).isdigit() else None
                    row = {"person_id": p.person_id, "name": name, "value": value, "number": number}
                    tx.execute(sa.insert(trait).values(row))
                for tag_id in p.tags:
                    tx.execute(sa.insert(tag).values(person_id=p.person_id, tag_id=tag_id))
                for purpose, channel in p.consent:
                    tx.execute(sa.insert(consent).values(person_id=p.person_id, purpose=purpose, channel=channel))

    def visible_people(self, scope: Scope) -> sa.Select[Any]:
        found = sa.select(person.c.person_id).where(person.c.brand_id == scope.brand_id)
        return found if scope.store_ids is None else found.where(person.c.store.in_(sorted(scope.store_ids)))

    def trait_values(self, scope: Scope, name: str) -> sa.Select[Any]:
        return sa.select(trait.c.person_id, trait.c.value, trait.c.number).where(trait.c.name == name)

    def tagged_people(self, scope: Scope, tag_ids: Sequence[str]) -> sa.Select[Any]:
        return sa.select(tag.c.person_id).where(tag.c.tag_id.in_(tag_ids))

    def allowed_people(self, scope: Scope, purpose: str, channel: str) -> sa.Select[Any]:
        return sa.select(consent.c.person_id).where(consent.c.purpose == purpose, consent.c.channel == channel)

    def list_people(self, scope: Scope, person_ids: Sequence[int]) -> list[dict[str, Any]]:
        return [
            {
                "person_id": f"p_{number}",
                "name": "=cmd()",
                "phone": "138****8000",
                "home_store": None,
                "owner_staff": None,
                "tags": [{"tag_id": "t1", "name": {"zh": "会员", "en": "Member"}}],
                "identifiers": 1,
                "orders": 2,
                "amount": 300,
                "currency": "CNY",
                "last_seen_at": None,
                "made": False,
            }
            for number in person_ids
        ]
