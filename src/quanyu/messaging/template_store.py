"""Where templates are kept."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.kernel.clock import Clock
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.messaging.errors import template_not_found, template_stale
from quanyu.messaging.tables import template
from quanyu.messaging.templates import CardTemplate, Template, check
from quanyu.storage.bulk import rows
from quanyu.storage.state import State


def templates_of(tx: sa.Connection, template_ids: set[str]) -> dict[str, Template]:
    """The templates with these ids."""
    given = rows(tx, {"template_id": sa.Text}, [(each,) for each in template_ids])
    found = tx.execute(sa.select(template).where(template.c.template_id.in_(sa.select(given.c.template_id))))
    return {row.template_id: _template(row) for row in found}


class Templates:
    """The brand's message templates."""

    def __init__(self, state: State, clock: Clock, ids: Ids) -> None:
        self._state, self._clock, self._ids = state, clock, ids

    def create(
        self, scope: Scope, name: str, text: str, card: CardTemplate | None, template_id: str | None = None
    ) -> Template:
        """A new template. Raises Invalid, naming each wrong field; a given id that exists is returned as it is."""
        check(text, card)
        made = template_id or self._ids.new("tpl")
        with self._state.write() as tx:
            if not tx.execute(sa.select(template.c.template_id).where(template.c.template_id == made)).first():
                tx.execute(
                    sa.insert(template).values(
                        template_id=made, brand_id=scope.brand_id, **self._values(name, text, card), revision=1
                    )
                )
        return self.get(scope, made)

    def update(
        self, scope: Scope, template_id: str, name: str, text: str, card: CardTemplate | None, revision: int | None
    ) -> Template:
        """Change a template; messages that have not been claimed yet go out as it is then. Raises Stale."""
        check(text, card)
        before = self.get(scope, template_id)
        statement = (
            sa.update(template)
            .where(template.c.template_id == template_id)
            .values(**self._values(name, text, card), revision=template.c.revision + 1)
        )
        if revision is not None:
            statement = statement.where(template.c.revision == revision)
        with self._state.write() as tx:
            if not tx.execute(statement).rowcount:
                raise template_stale()
        return self.get(scope, before.template_id)

    def get(self, scope: Scope, template_id: str) -> Template:
        """One template. Raises NotFound."""
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(template).where(template.c.template_id == template_id, template.c.brand_id == scope.brand_id)
            ).one_or_none()
        if row is None:
            raise template_not_found(template_id)
        return _template(row)

    def list(self, scope: Scope) -> list[Template]:
        """The brand's templates, last changed first."""
        with self._state.read() as tx:
            found = tx.execute(
                sa.select(template)
                .where(template.c.brand_id == scope.brand_id)
                .order_by(template.c.updated_at.desc(), template.c.template_id)
            )
            return [_template(row) for row in found]

    def problem(self, scope: Scope, template_id: str, with_coupon: bool) -> Label | None:
        """Why a journey cannot use this template, None when it can."""
        with self._state.read() as tx:
            found = templates_of(tx, {template_id})
            owner = tx.execute(
                sa.select(template.c.brand_id).where(template.c.template_id == template_id)
            ).scalar_one_or_none()
        if template_id not in found or owner != scope.brand_id:
            return Label("没有这个消息模板", "There is no such template")
        if "coupon.name" in found[template_id].variables() and not with_coupon:
            return Label(
                "模板提到了优惠券，请为这个节点选择优惠券",
                "The template names a coupon; choose the coupon of this node",
            )
        return None

    def _values(self, name: str, text: str, card: CardTemplate | None) -> dict[str, Any]:
        return {
            "name": name,
            "kind": "card" if card else "text",
            "text": text,
            "card_title": card.title if card else None,
            "card_page": card.page if card else None,
            "card_image": card.image if card else None,
            "updated_at": self._clock.now(),
        }


def _template(row: Any) -> Template:
    card = CardTemplate(row.card_title, row.card_page, row.card_image) if row.kind == "card" else None
    return Template(row.template_id, row.name, row.text, card, row.revision)
