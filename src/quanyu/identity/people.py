"""Reading people: the one rule of scope, finding somebody by what they gave, and explaining why they are one.

Every list, count and export in the product goes through `visible_people`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.identity.contracts import (
    IDENTIFIER_STATE,
    LINK_STATUS,
    RULE_LABELS,
    Explanation,
    IdentifierView,
    LinkView,
    PersonRef,
)
from quanyu.identity.errors import person_not_found
from quanyu.identity.hashes import with_hash
from quanyu.identity.policies import PolicyBook
from quanyu.identity.tables import identifier, link, person
from quanyu.identity.values import Normal, normalise
from quanyu.kernel.clock import from_micros
from quanyu.kernel.label import Label
from quanyu.storage.bulk import rows
from quanyu.storage.vault import Vault

SHOWN_LINKS = 500


def visible_people(scope: Scope) -> sa.Select[int]:
    """The ids of the people that `scope` may see: THE scope rule.

    Active people of the brand; with stores only those at home in one of them; for a guide only those they own.
    """
    return sa.select(person.c.person_id).where(*_rule(scope))


def sees(scope: Scope, person_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Whether `scope` may see the person of a column: the scope rule as a condition inside another statement.

    Looks each person up by key. Better than `IN (visible_people)` where the statement has few people of its own.
    """
    return sa.exists(sa.literal(1)).where(person.c.person_id == person_id, *_rule(scope, by_key=True))


def _rule(scope: Scope, *, by_key: bool = False) -> list[sa.ColumnElement[bool]]:
    # Found by key, a person must not be looked for among all of the brand: `+ 0` takes that index out of the choice.
    brand = person.c.brand_id + 0 if by_key else person.c.brand_id
    rule = [brand == scope.brand_id, person.c.active]
    if scope.store_ids is not None:
        rule.append(person.c.home_store.in_(sorted(scope.store_ids)) if scope.store_ids else sa.false())
    if scope.staff_id is not None:
        rule.append(person.c.owner_staff == scope.staff_id)
    return rule


_REFERENCE = (
    person.c.person_id,
    person.c.public_id,
    person.c.brand_id,
    person.c.born_at,
    person.c.home_store,
    person.c.owner_staff,
)


def person_of(tx: sa.Connection, public_id: str, scope: Scope) -> PersonRef:
    """The person with this public id, also one who has since been merged into another: then the other.

    Raises NotFound, in the same words for a person outside the scope.
    """
    row = tx.execute(sa.select(*_REFERENCE).where(person.c.public_id == public_id, *_rule(scope, by_key=True))).first()
    if row is None:
        heir = (
            sa.select(identifier.c.person_id)
            .join_from(person, identifier, identifier.c.identifier_id == person.c.root_identifier_id)
            .where(person.c.public_id == public_id, person.c.brand_id == scope.brand_id)
        )
        row = tx.execute(sa.select(*_REFERENCE).where(person.c.person_id.in_(heir), *_rule(scope, by_key=True))).first()
    if row is None:
        raise person_not_found(public_id)
    return PersonRef(*row)


def people_by_id(tx: sa.Connection, numbers: Iterable[int], scope: Scope) -> list[PersonRef]:
    """The visible ones among these people, in the order of `numbers`."""
    wanted = [int(number) for number in numbers]
    if not wanted:
        return []
    given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in wanted])
    found = {
        row.person_id: PersonRef(*row)
        for row in tx.execute(
            sa.select(*_REFERENCE)
            .join_from(given, person, person.c.person_id == given.c.person_id)
            .where(*_rule(scope, by_key=True))
        )
    }
    return [found[number] for number in wanted if number in found]


def find(tx: sa.Connection, query: str, scope: Scope, book: PolicyBook, vault: Vault, region: str) -> list[int]:
    """Visible people who have exactly this phone, member number, email, other identifier or public id."""
    text = query.strip()
    keys = []
    for policy in book.policies:
        form = normalise(policy, text, region) if text else None
        if isinstance(form, Normal):
            keys.append((policy.namespace, form.value))
    holders = sa.select(identifier.c.person_id).where(
        with_hash(tx, vault.index_many(scope.brand_id, keys)), identifier.c.brand_id == scope.brand_id
    )
    # Two lookups by key beat one OR that neither database can serve from an index.
    found: set[int] = set()
    for condition in (person.c.person_id.in_(holders), person.c.public_id == text):
        found.update(tx.execute(sa.select(person.c.person_id).where(condition, *_rule(scope, by_key=True))).scalars())
    return sorted(found)


def identifiers_of(tx: sa.Connection, people: Sequence[int], book: PolicyBook) -> list[IdentifierView]:
    """Every identifier that these people hold, strongest first."""
    given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in people])
    found = tx.execute(
        sa.select(identifier).join_from(given, identifier, identifier.c.person_id == given.c.person_id)
    ).all()
    together = _together(tx, [row.identifier_id for row in found])
    views = [_identifier(row, book, together.get(row.identifier_id)) for row in found]
    return sorted(views, key=lambda view: (view.person_id, -view.strength, view.identifier_id))


def _together(tx: sa.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """When each identifier was last seen with another one, in microseconds."""
    given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in numbers])
    last: dict[int, int] = {}
    for end in (link.c.a, link.c.b):
        newest = sa.func.max(sa.type_coerce(link.c.last_at, sa.BigInteger))
        statement = sa.select(end, newest).join_from(given, link, end == given.c.identifier_id).group_by(end)
        for number, at in tx.execute(statement):
            last[number] = max(last.get(number, 0), int(at))
    return last


def _identifier(row: Any, book: PolicyBook, together: int | None) -> IdentifierView:
    policy = book[row.namespace]
    return IdentifierView(
        row.identifier_id,
        row.person_id,
        row.namespace,
        policy.label,
        row.masked,
        policy.strength,
        IDENTIFIER_STATE[row.state],
        row.sharing,
        row.born_at,
        max(row.born_at, from_micros(together or 0)),
        row.source,
    )


def explain(tx: sa.Connection, someone: PersonRef, book: PolicyBook) -> Explanation:
    """The identifiers of a person and every link that touches one of them, the deciding ones first."""
    held = identifiers_of(tx, [someone.person_id], book)
    given = rows(tx, {"identifier_id": sa.BigInteger}, [(view.identifier_id,) for view in held])
    found: dict[int, Any] = {}
    for end in (link.c.a, link.c.b):
        statement = (
            sa.select(link)
            .join_from(given, link, end == given.c.identifier_id)
            .order_by(link.c.status, link.c.first_at, link.c.link_id)
            .limit(SHOWN_LINKS)
        )
        found.update((row.link_id, row) for row in tx.execute(statement))
    ordered = sorted(found.values(), key=lambda row: (row.status, row.first_at, row.link_id))
    return Explanation(someone, tuple(held), tuple(link_view(row, book) for row in ordered[:SHOWN_LINKS]))


def link_view(row: Any, book: PolicyBook) -> LinkView:
    """A stored link as others see it, with the sentence that explains its status."""
    return LinkView(
        row.link_id,
        row.a,
        row.b,
        row.rule,
        RULE_LABELS[row.rule],
        LINK_STATUS[row.status],
        _reason(row, book),
        row.first_at,
        row.last_at,
        row.days,
        row.source,
        row.event_id,
        row.event_name,
        row.decided_by,
        row.decided_at,
    )


def _reason(row: Any, book: PolicyBook) -> Label | None:
    status = LINK_STATUS[row.status]
    policy = book.get(row.because)
    if status == "refused" and policy is not None:
        zh, en = policy.label.zh, policy.label.en.lower()
        limit = policy.max_per_person
        return Label(
            f"合并后一位客户会有超过 {limit} 个{zh}，因此保留更强、更早的关联，拒绝这一条",
            f"One person would have more than {limit} of: {en}; the stronger and older link stands, this one does not",
        )
    if status == "demoted" and policy is not None:
        return Label(
            f"这个{policy.label.zh}被太多客户共用（上限 {policy.max_people}）或已被停用，不再用来识别客户",
            f"Too many people share this {policy.label.en.lower()} (limit {policy.max_people}), or it is blocked; "
            "it identifies nobody",
        )
    if status == "denied":
        if row.decision == 0:
            return Label("来源系统已解绑这个标识", "The source unbound this identifier")
        return Label(f"人工拆分：{row.decided_why or ''}", f"Split by hand: {row.decided_why or ''}")
    if row.decision == 1:
        return Label(f"人工确认：{row.decided_why or ''}", f"Confirmed by hand: {row.decided_why or ''}")
    return None
