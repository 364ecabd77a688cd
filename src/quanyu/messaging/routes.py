"""Routes of messaging: templates, sends, channels and connections."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.kernel.errors import BadRequest
from quanyu.kernel.label import Label
from quanyu.messaging.api import CardTemplate, Messaging, SendFilter, SendView, Template
from quanyu.messaging.contracts import STATUS_LABELS
from quanyu.messaging.routes_models import (
    ChannelOut,
    ChannelPage,
    CheckOut,
    CheckStep,
    ConnectionChange,
    ConnectionIn,
    ConnectionOut,
    ConnectionPage,
    ReasonCount,
    ResolutionIn,
    SendDetail,
    SendOut,
    SendPage,
    SendStep,
    SendSummary,
    StatusCount,
    TemplateIn,
    TemplateOut,
    TemplatePage,
    channel_out,
    connection_out,
    send_fields,
    template_out,
    text,
)


def router(messaging: Messaging, guard: Guard) -> APIRouter:
    """The routes of messaging."""
    routes = APIRouter(tags=["messaging"])
    _templates(routes, messaging, guard)
    _sends(routes, messaging, guard)
    _connections(routes, messaging, guard)
    return routes


def _templates(routes: APIRouter, messaging: Messaging, guard: Guard) -> None:
    @routes.get("/templates", summary="The message templates")
    def list_templates(caller: Annotated[Caller, Depends(guard.permit("journeys.read"))]) -> TemplatePage:
        found = messaging.templates.list(caller.scope)
        return TemplatePage(items=[template_out(each) for each in found], total=len(found))

    @routes.post("/templates", status_code=201, summary="Store a message template")
    def create_template(
        body: TemplateIn, response: Response, caller: Annotated[Caller, Depends(guard.permit("journeys.write"))]
    ) -> TemplateOut:
        made = messaging.templates.create(caller.scope, body.name, body.text, _card(body))
        messaging.note(caller, "template_created", made.template_id, {"name": body.name})
        return _tagged(response, made)

    @routes.put("/templates/{template_id}", summary="Change a message template")
    def update_template(
        template_id: str,
        body: TemplateIn,
        response: Response,
        caller: Annotated[Caller, Depends(guard.permit("journeys.write"))],
        if_match: Annotated[str | None, Header(description="The ETag that was read")] = None,
    ) -> TemplateOut:
        changed = messaging.templates.update(
            caller.scope, template_id, body.name, body.text, _card(body), revision_of(if_match)
        )
        messaging.note(caller, "template_changed", template_id, {"name": body.name, "revision": changed.revision})
        return _tagged(response, changed)


def _sends(routes: APIRouter, messaging: Messaging, guard: Guard) -> None:
    @routes.get("/sends", summary="Sends, newest first")
    def list_sends(
        caller: Annotated[Caller, Depends(guard.permit("sends.read", "people.read"))],
        journey_id: str | None = None,
        node_id: str | None = None,
        status: str | None = None,
        reason: str | None = None,
        person_id: str | None = None,
        connection: str | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> SendPage:
        person = messaging.person_number(caller.scope, person_id) if person_id else None
        wanted = SendFilter(journey_id, node_id, status, reason, person, connection)
        found, more, total = messaging.page(caller.scope, wanted, cursor, limit)
        names = messaging.journey_names(found)
        items = [SendOut(**send_fields(view, names)) for view in found]
        return SendPage(items=items, next_cursor=more, total=total)

    @routes.get("/sends/summary", summary="Counts of sends by status, and of the suppressed by reason")
    def summarise_sends(
        caller: Annotated[Caller, Depends(guard.permit("sends.read"))], journey_id: str | None = None
    ) -> SendSummary:
        by_status, suppressed, unknown = messaging.summary(caller.scope, journey_id)
        return SendSummary(
            by_status=[StatusCount(status=each.key, label=text(each.label), count=each.count) for each in by_status],
            suppressed=[ReasonCount(reason=each.key, label=text(each.label), count=each.count) for each in suppressed],
            unknown=unknown,
        )

    @routes.get("/sends/{effect_id}", summary="One send with its history and content")
    def read_send(
        effect_id: str, caller: Annotated[Caller, Depends(guard.permit("sends.read", "people.read"))]
    ) -> SendDetail:
        view, history, content = messaging.send(caller.scope, effect_id)
        steps = [
            SendStep(
                at=row.at,
                status=row.status,
                label=text(STATUS_LABELS.get(row.status) or _OTHER.get(row.status) or Label(row.status, row.status)),
                detail=row.detail or row.reason,
            )
            for row in history
        ]
        return SendDetail(**send_fields(view, messaging.journey_names([view])), history=steps, content=content)

    @routes.post("/sends/{effect_id}/resolution", summary="Settle a send whose outcome is unknown")
    def resolve_send(
        effect_id: str,
        body: ResolutionIn,
        caller: Annotated[Caller, Depends(guard.permit("sends.write", "people.read"))],
    ) -> SendOut:
        return _send(messaging, messaging.resolve(caller, effect_id, body.outcome, body.note))


def _connections(routes: APIRouter, messaging: Messaging, guard: Guard) -> None:
    connections = messaging.connections

    @routes.get("/channels", summary="The channels that are installed")
    def list_channels(_: Annotated[Caller, Depends(guard.permit("sends.read"))]) -> ChannelPage:
        found: list[ChannelOut] = [channel_out(plugin) for _, plugin in sorted(connections.plugins.items())]
        return ChannelPage(items=found)

    @routes.get("/connections", summary="The brand's connections")
    def list_connections(caller: Annotated[Caller, Depends(guard.permit("sends.read"))]) -> ConnectionPage:
        found = connections.all(caller.scope)
        return ConnectionPage(items=[connection_out(view, connections.plugins.get(view.kind)) for view in found])

    @routes.post("/connections", status_code=201, summary="Make a connection")
    def create_connection(
        body: ConnectionIn, caller: Annotated[Caller, Depends(guard.permit("settings.write"))]
    ) -> ConnectionOut:
        view = connections.create(caller.scope, body.kind, body.connection, body.name, body.config)
        messaging.note(caller, "connection_created", body.connection, {"kind": body.kind})
        return connection_out(view, connections.plugins.get(view.kind))

    @routes.put("/connections/{connection}", summary="Change a connection")
    def update_connection(
        connection: str,
        body: ConnectionChange,
        caller: Annotated[Caller, Depends(guard.permit("settings.write"))],
    ) -> ConnectionOut:
        view = connections.update(caller.scope, connection, title=body.name, enabled=body.enabled, given=body.config)
        messaging.note(caller, "connection_changed", connection, {"fields": sorted(body.model_fields_set)})
        return connection_out(view, connections.plugins.get(view.kind))

    @routes.post("/connections/{connection}/check", summary="Try a connection")
    def check_connection(
        connection: str, caller: Annotated[Caller, Depends(guard.permit("settings.write"))]
    ) -> CheckOut:
        steps = connections.check(caller.scope, connection)
        shown = [CheckStep(name=text(step.name), ok=step.ok, message=text(step.message)) for step in steps]
        return CheckOut(ok=all(step.ok for step in steps), steps=shown)


_OTHER = {"delivered": Label("已送达", "Delivered"), "read": Label("已读", "Read")}


def _card(body: TemplateIn) -> CardTemplate | None:
    if body.kind == "text" or body.card is None:
        return None
    return CardTemplate(body.card.title, body.card.page, body.card.image or None)


def _tagged(response: Response, template: Template) -> TemplateOut:
    response.headers["ETag"] = f'"{template.revision}"'
    return template_out(template)


def _send(messaging: Messaging, view: SendView) -> SendOut:
    return SendOut(**send_fields(view, messaging.journey_names([view])))


def revision_of(if_match: str | None) -> int | None:
    """The revision in an If-Match header. Raises BadRequest for one that we never gave."""
    if if_match is None or if_match.strip() == "*":
        return None
    text_ = if_match.strip().removeprefix("W/").strip('"')
    if not text_.isdigit():
        raise BadRequest("if_match_invalid", Label("If-Match 不对", "If-Match is wrong"))
    return int(text_)
