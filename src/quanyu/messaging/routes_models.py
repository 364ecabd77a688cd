"""The shapes that messaging's routes take and give."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from quanyu.kernel.label import Label
from quanyu.messaging.api import ConnectionView, SendView, Template
from quanyu.sdk.channel import ChannelPlugin


class Text(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class CardIn(BaseModel):
    """A mini-program card: its title may have variables, `page` is the mini program's path."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(max_length=500)
    page: str = Field(max_length=500)
    image: str | None = Field(default=None, max_length=2000)


class TemplateIn(BaseModel):
    """A message; the text may use {{name}}, {{store}} and {{coupon.name}}."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    kind: Literal["text", "card"] = "text"
    text: str = Field(default="", max_length=5000)
    card: CardIn | None = None


class TemplateOut(BaseModel):
    """A stored message template."""

    template_id: str
    name: str
    kind: Literal["text", "card"]
    text: str
    card: CardIn | None
    variables: list[str]


class TemplatePage(BaseModel):
    """Every template of the brand."""

    items: list[TemplateOut]
    next_cursor: str | None = None
    total: int | None = None


class SendPerson(BaseModel):
    """Who a send is for: the public id and the masked name."""

    person_id: str
    name: str | None


class SendJourney(BaseModel):
    """The journey that a send comes from."""

    journey_id: str
    name: str


class SendOut(BaseModel):
    """One send."""

    effect_id: str
    person: SendPerson | None
    connection: str
    journey: SendJourney | None
    node_id: str | None
    status: str
    reason: str | None
    reason_label: Text | None
    title: str | None
    coupon_code: str | None
    coupon_status: Literal["issued", "redeemed", "expired", "void"] | None
    created_at: datetime
    claimed_at: datetime | None
    submitted_at: datetime | None
    settled_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    wake_at: datetime


class SendPage(BaseModel):
    """Sends, newest first."""

    items: list[SendOut]
    next_cursor: str | None
    total: int | None


class SendStep(BaseModel):
    """One line of a send's history."""

    at: datetime
    status: str
    label: Text
    detail: str | None


class SendDetail(SendOut):
    """One send with its history and its content (names masked)."""

    history: list[SendStep]
    content: dict[str, Any] | None


class StatusCount(BaseModel):
    """How many sends are in a status."""

    status: str
    label: Text
    count: int


class ReasonCount(BaseModel):
    """How many sends were suppressed for a reason."""

    reason: str
    label: Text
    count: int


class SendSummary(BaseModel):
    """Sends by status, the suppressed by reason, and how many are unknown."""

    by_status: list[StatusCount]
    suppressed: list[ReasonCount]
    unknown: int


class ResolutionIn(BaseModel):
    """How a send whose outcome is unknown is settled by hand."""

    model_config = ConfigDict(extra="forbid")
    outcome: Literal["accepted", "rejected", "resend"]
    note: str = Field(default="", max_length=1000)


class ChannelOut(BaseModel):
    """A kind of channel that is installed."""

    kind: str
    label: Text
    description: Text
    config_schema: dict[str, Any]
    capabilities: list[str]


class ChannelPage(BaseModel):
    """Every channel that is installed."""

    items: list[ChannelOut]


class ConnectionIn(BaseModel):
    """A new connection; `connection` is its key, used in addresses."""

    model_config = ConfigDict(extra="forbid")
    kind: str = Field(max_length=64)
    connection: str = Field(max_length=40)
    name: str = Field(min_length=1, max_length=100)
    config: dict[str, Any] = Field(default_factory=dict)


class ConnectionChange(BaseModel):
    """What changes of a connection; a secret sent back masked is kept."""

    model_config = ConfigDict(extra="ignore")
    name: str | None = Field(default=None, min_length=1, max_length=100)
    enabled: bool | None = None
    config: dict[str, Any] | None = None


class ConnectionStatus(BaseModel):
    """The outcome of the last check."""

    ok: bool
    message: Text
    checked_at: datetime


class ConnectionOut(BaseModel):
    """A connection, its secrets masked."""

    connection: str
    kind: str
    name: str
    label: Text
    enabled: bool
    config: dict[str, Any]
    status: ConnectionStatus | None
    problem: str | None
    sent_24h: int


class ConnectionPage(BaseModel):
    """Every connection of the brand."""

    items: list[ConnectionOut]


class CheckStep(BaseModel):
    """One line of a check."""

    name: Text
    ok: bool
    message: Text


class CheckOut(BaseModel):
    """A checked connection."""

    ok: bool
    steps: list[CheckStep]


def text(label: Label) -> Text:
    """A label as the API gives it."""
    return Text(zh=label.zh, en=label.en)


def template_out(template: Template) -> TemplateOut:
    """A template as the API gives it."""
    card = template.card
    return TemplateOut(
        template_id=template.template_id,
        name=template.name,
        kind="card" if card else "text",
        text=template.text,
        card=CardIn(title=card.title, page=card.page, image=card.image) if card else None,
        variables=sorted(template.variables()),
    )


def send_fields(view: SendView, journeys: dict[str, str]) -> dict[str, Any]:
    """A send as the API gives it."""
    person = SendPerson(person_id=view.person.public_id, name=view.person.name) if view.person else None
    journey = None
    if view.journey_id is not None:
        journey = SendJourney(journey_id=view.journey_id, name=journeys.get(view.journey_id, view.journey_id))
    return {
        "effect_id": view.effect_id,
        "person": person,
        "connection": view.connection,
        "journey": journey,
        "node_id": view.node_id,
        "status": view.status,
        "reason": view.reason,
        "reason_label": text(view.reason_label) if view.reason_label else None,
        "title": view.title,
        "coupon_code": view.coupon_code,
        "coupon_status": view.coupon_status,
        "created_at": view.created_at,
        "claimed_at": view.claimed_at,
        "submitted_at": view.submitted_at,
        "settled_at": view.settled_at,
        "delivered_at": view.delivered_at,
        "read_at": view.read_at,
        "wake_at": view.wake_at,
    }


def channel_out(plugin: ChannelPlugin) -> ChannelOut:
    """A channel plugin as the API gives it."""
    return ChannelOut(
        kind=plugin.key,
        label=text(plugin.label),
        description=text(plugin.description),
        config_schema=plugin.config.model_json_schema(),
        capabilities=sorted(plugin.channel.capabilities),
    )


def connection_out(view: ConnectionView, plugin: ChannelPlugin | None) -> ConnectionOut:
    """A connection as the API gives it."""
    status = None
    if view.ok is not None and view.message is not None and view.checked_at is not None:
        status = ConnectionStatus(ok=view.ok, message=text(view.message), checked_at=view.checked_at)
    return ConnectionOut(
        connection=view.connection,
        kind=view.kind,
        name=view.name,
        label=text(plugin.label) if plugin else Text(zh=view.kind, en=view.kind),
        enabled=view.enabled,
        config=view.config,
        status=status,
        problem=view.problem,
        sent_24h=view.sent_24h,
    )
