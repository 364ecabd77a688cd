"""Lists and counts of sends, each within the caller's scope, and settling an unknown one by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.kernel.clock import from_micros, micros
from quanyu.kernel.errors import BadRequest
from quanyu.kernel.label import Label
from quanyu.messaging import states
from quanyu.messaging.claiming import Parts
from quanyu.messaging.contracts import STATUS_LABELS, PersonCard, Resolution
from quanyu.messaging.errors import send_not_found, send_not_unknown
from quanyu.messaging.reasons import reason_label
from quanyu.messaging.tables import content, effect, effect_log, provider_problem, template
from quanyu.storage.bulk import rows


@dataclass(frozen=True, slots=True)
class SendFilter:
    """Which sends: every part that is set must hold."""

    journey_id: str | None = None
    node_id: str | None = None
    status: str | None = None
    reason: str | None = None
    person_id: int | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class SendView:
    """One send as lists show it, the name masked. `person` is None for somebody who was erased."""

    effect_id: str
    person_id: int | None
    person: PersonCard | None
    connection: str
    journey_id: str | None
    node_id: str | None
    status: str
    reason: str | None
    reason_label: Label | None
    title: str | None
    coupon_code: str | None
    coupon_status: str | None
    created_at: datetime
    claimed_at: datetime | None
    submitted_at: datetime | None
    settled_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    wake_at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """How many, of what."""

    key: str
    label: Label
    count: int


def conditions(parts: Parts, scope: Scope, wanted: SendFilter, holders: sa.Subquery) -> list[sa.ColumnElement[bool]]:
    """The WHERE of a filter, the caller's scope included. Erased people's sends are seen with the whole brand only."""
    found: list[sa.ColumnElement[bool]] = [effect.c.brand_id == scope.brand_id]
    if not scope.whole_brand:
        found.append(holders.c.person_id.in_(parts.people.visible_people(scope)))
    if wanted.person_id is not None:
        found.append(holders.c.person_id == wanted.person_id)
    found += [
        effect.c[name] == value
        for name in ("journey_id", "node_id", "status", "reason", "connection")
        if (value := getattr(wanted, name)) is not None
    ]
    return found


def _joined(parts: Parts) -> tuple[sa.FromClause, sa.Subquery]:
    holders = parts.people.holders()
    return effect.join(holders, holders.c.identifier_id == effect.c.anchor_id, isouter=True), holders


def page(
    tx: sa.Connection, parts: Parts, scope: Scope, wanted: SendFilter, cursor: str | None, limit: int
) -> tuple[list[SendView], str | None]:
    """Sends, newest first, and the cursor of the next page."""
    source, holders = _joined(parts)
    statement = (
        sa.select(effect, holders.c.person_id, template.c.card_title, template.c.name.label("template_name"))
        .select_from(source.join(template, template.c.template_id == effect.c.template_id, isouter=True))
        .where(*conditions(parts, scope, wanted, holders))
        .order_by(effect.c.created_at.desc(), effect.c.effect_id)
        .limit(limit + 1)
    )
    if cursor is not None:
        at, effect_id = _read_cursor(cursor)
        statement = statement.where(
            sa.or_(effect.c.created_at < at, sa.and_(effect.c.created_at == at, effect.c.effect_id > effect_id))
        )
    found = tx.execute(statement).all()
    shown = found[:limit]
    more = f"{micros(shown[-1].created_at)}.{shown[-1].effect_id}" if len(found) > limit else None
    return views(tx, parts, shown), more


def views(tx: sa.Connection, parts: Parts, found: Sequence[Any]) -> list[SendView]:
    """Rows of `page` as views."""
    cards = parts.cards.cards(tx, sorted({row.person_id for row in found if row.person_id}))
    known = provider_labels(tx, {row.reason for row in found if row.reason})
    coupons = parts.coupons.statuses(tx, {row.coupon_code for row in found if row.coupon_code})
    return [
        SendView(
            row.effect_id,
            row.person_id,
            shown(cards.get(row.person_id)),
            row.connection,
            row.journey_id,
            row.node_id,
            row.status,
            row.reason,
            reason_label(row.reason, known),
            row.card_title or row.template_name,
            row.coupon_code,
            coupons.get(row.coupon_code),
            row.created_at,
            row.claimed_at,
            row.submitted_at,
            row.settled_at,
            row.delivered_at,
            row.read_at,
            row.wake_at,
        )
        for row in found
    ]


def masked(name: str) -> str:
    """A name as screens show it: its first letter and stars."""
    return name[:1] + "*" * max(1, min(len(name) - 1, 3))


def shown(card: PersonCard | None) -> PersonCard | None:
    """A card as screens show it."""
    return replace(card, name=masked(card.name)) if card is not None and card.name else card


def _content(body: dict[str, Any], card: PersonCard | None) -> dict[str, Any]:
    """A message's content with the person's name masked wherever it stands."""
    if card is None or not card.name:
        return body
    name, mask = card.name, masked(card.name)

    def cover(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cover(inner) for key, inner in value.items()}
        return value.replace(name, mask) if isinstance(value, str) else value

    return {key: cover(value) for key, value in body.items()}


def provider_labels(tx: sa.Connection, reasons: set[str]) -> Mapping[str, Label]:
    """The texts of providers' own reasons, with what to do about each."""
    given = rows(tx, {"reason": sa.Text}, [(reason,) for reason in reasons])
    found = tx.execute(sa.select(provider_problem).where(provider_problem.c.reason.in_(sa.select(given.c.reason))))
    return {row.reason: Label(f"{row.title_zh}。{row.remedy_zh}", f"{row.title_en}. {row.remedy_en}") for row in found}


def total(tx: sa.Connection, parts: Parts, scope: Scope, wanted: SendFilter) -> int:
    """How many sends a filter has."""
    source, holders = _joined(parts)
    return int(
        tx.execute(
            sa.select(sa.func.count()).select_from(source).where(*conditions(parts, scope, wanted, holders))
        ).scalar_one()
    )


def summary(tx: sa.Connection, parts: Parts, scope: Scope, wanted: SendFilter) -> tuple[list[Count], list[Count], int]:
    """Counts by status, the suppressed by reason, and how many are unknown."""
    source, holders = _joined(parts)
    found = tx.execute(
        sa.select(effect.c.status, effect.c.reason, sa.func.count().label("many"))
        .select_from(source)
        .where(*conditions(parts, scope, wanted, holders))
        .group_by(effect.c.status, effect.c.reason)
    ).all()
    by_status = dict.fromkeys(STATUS_LABELS, 0)
    for row in found:
        by_status[row.status] += row.many
    known = provider_labels(tx, {row.reason for row in found if row.reason})
    suppressed = [
        Count(row.reason, reason_label(row.reason, known) or STATUS_LABELS["suppressed"], row.many)
        for row in sorted(found, key=lambda row: -row.many)
        if row.status == "suppressed" and row.reason
    ]
    return (
        [Count(key, STATUS_LABELS[key], many) for key, many in by_status.items()],
        suppressed,
        by_status["unknown"],
    )


def one(
    tx: sa.Connection, parts: Parts, scope: Scope, effect_id: str
) -> tuple[SendView, list[Any], dict[str, Any] | None]:
    """One send, its history (rows with at, status, reason, detail), and its content if it was ever rendered.

    Raises NotFound, also for somebody outside the scope.
    """
    source, holders = _joined(parts)
    found = tx.execute(
        sa.select(effect, holders.c.person_id, template.c.card_title, template.c.name.label("template_name"))
        .select_from(source.join(template, template.c.template_id == effect.c.template_id, isouter=True))
        .where(effect.c.effect_id == effect_id, *conditions(parts, scope, SendFilter(), holders))
    ).all()
    if not found:
        raise send_not_found(effect_id)
    history = list(
        tx.execute(sa.select(effect_log).where(effect_log.c.effect_id == effect_id).order_by(effect_log.c.log_id))
    )
    sealed = tx.execute(
        sa.select(content.c.sealed).where(content.c.content_id == found[0].content_id)
    ).scalar_one_or_none()
    body = json.loads(parts.vault.open(scope.brand_id, sealed)) if sealed else None
    view = views(tx, parts, found)[0]
    if body is not None and view.person_id is not None:
        body = _content(body, parts.cards.cards(tx, [view.person_id]).get(view.person_id))
    return view, history, body


def resolve(
    tx: sa.Connection, parts: Parts, scope: Scope, effect_id: str, outcome: Resolution, note: str, now: datetime
) -> None:
    """Settle an unknown send by hand. Raises NotFound, or Conflict when its outcome is known."""
    view, _, _ = one(tx, parts, scope, effect_id)
    if outcome == "resend":
        change = states.Change(effect_id, "resend", now, note)
        fresh = {"expires_at": now + states.RESEND_WITHIN}
        moved = states.move(tx, "intended", [change], now, values=fresh, where=[effect.c.status == "unknown"])
        states.release_caps(tx, moved)
    else:
        change = states.Change(effect_id, "resolved_by_hand", detail=note)
        moved = states.move(tx, outcome, [change], now, where=[effect.c.status == "unknown"])
        if outcome == "rejected":
            states.release_caps(tx, moved)
            parts.coupons.void_effects(tx, moved)
    if not moved:
        raise send_not_unknown(STATUS_LABELS[view.status])


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    at, _, effect_id = cursor.partition(".")
    try:
        return from_micros(int(at)), effect_id
    except ValueError:
        raise BadRequest(
            "cursor_invalid",
            Label("翻页游标不对", "The cursor is wrong"),
            detail=Label("请从第一页开始", "Start at page one"),
        ) from None
