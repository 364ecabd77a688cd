"""The door of `/cgi-bin`: faults, limits, tokens, the handler, the answer, the ledger.

HTTP status is 200 whatever happens, except for an injected 500. A handler runs in one transaction with its line in
the ledger: what the ledger says was executed has happened, and nothing else has.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.dropping import Dropped
from quanyu_sandbox.faults import Fault, Faults
from quanyu_sandbox.ledger import Ledger
from quanyu_sandbox.sending import Sending
from quanyu_sandbox.wecom import app_messages, contact_ways, contacts, corp_tags, mass_messages, media, tokens, welcome
from quanyu_sandbox.wecom.call import Call, Refusal
from quanyu_sandbox.wecom.rates import Rates
from quanyu_sandbox.world import World

Handler = Callable[[Call], dict[str, Any]]
_WELCOME = "externalcontact/send_welcome_msg"
HANDLERS: dict[str, Handler] = {
    "gettoken": tokens.gettoken,
    "externalcontact/get_follow_user_list": contacts.get_follow_user_list,
    "externalcontact/list": contacts.list_customers,
    "externalcontact/get": contacts.get_customer,
    "externalcontact/batch/get_by_user": contacts.batch_get_by_user,
    "externalcontact/remark": contacts.remark,
    "externalcontact/mark_tag": contacts.mark_tag,
    "externalcontact/get_corp_tag_list": corp_tags.get_corp_tag_list,
    "externalcontact/add_corp_tag": corp_tags.add_corp_tag,
    "externalcontact/add_contact_way": contact_ways.add_contact_way,
    "externalcontact/get_contact_way": contact_ways.get_contact_way,
    "externalcontact/add_msg_template": mass_messages.add_msg_template,
    "externalcontact/get_groupmsg_list_v2": mass_messages.get_groupmsg_list_v2,
    "externalcontact/get_groupmsg_task": mass_messages.get_groupmsg_task,
    "externalcontact/get_groupmsg_send_result": mass_messages.get_groupmsg_send_result,
    "externalcontact/remind_groupmsg_send": mass_messages.remind_groupmsg_send,
    "externalcontact/cancel_groupmsg_send": mass_messages.cancel_groupmsg_send,
    _WELCOME: welcome.send_welcome_msg,
    "message/send": app_messages.send_app_message,
    "media/upload": media.upload,
}


class Gateway:
    """Answers every call to the corporation's API."""

    def __init__(self, world: World, sending: Sending, faults: Faults, ledger: Ledger, rates: Rates) -> None:
        self.world = world
        self.sending = sending
        self.faults = faults
        self.ledger = ledger
        self.rates = rates
        self._inside: Counter[str] = Counter()
        self._greeting: set[str] = set()

    def routes(self) -> list[Route]:
        """All routes below `/cgi-bin`."""
        return [Route("/cgi-bin/{path:path}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """One call."""
        path = request.path_params["path"]
        raw = await request.body()
        self._inside[path] += 1
        try:
            return await self._answer(request, path, raw)
        finally:
            self._inside[path] -= 1

    async def _answer(self, request: Request, path: str, raw: bytes) -> Response:
        fault = self.faults.strike(path)
        kind = fault.kind if fault is not None else ""
        if fault is not None and kind in ("drop_before", "http_500", "busy", "errcode"):
            return self._unexecuted(request, path, raw, fault)
        if fault is not None and kind == "delay":
            # Two apps may greet one customer at once: while one call is under way another one is told to wait.
            code = _welcome_code(path, raw)
            if code is not None and code not in self._greeting:
                self._greeting.add(code)
                try:
                    await asyncio.sleep(fault.seconds)
                finally:
                    self._greeting.discard(code)
            else:
                await asyncio.sleep(fault.seconds)
        answer = self._execute(request, path, raw, kind or None)
        if kind == "drop":
            return Dropped()  # carried out, but the caller never hears of it
        if kind == "http_500_after":
            return Response("internal server error", 500)
        return JSONResponse(answer)

    def _unexecuted(self, request: Request, path: str, raw: bytes, fault: Fault) -> Response:
        errcode = {"busy": -1, "errcode": fault.errcode}.get(fault.kind, 0)
        self.ledger.note(
            request.method, path, dict(request.query_params), raw, errcode,
            fault=fault.kind, executed=False, subjects=_subjects(_document(raw)[0]),
        )  # fmt: skip
        if fault.kind == "drop_before":
            return Dropped()
        if fault.kind == "http_500":
            return Response("internal server error", 500)
        return JSONResponse({"errcode": errcode, "errmsg": self._sentence(request, errcode, "system error")})

    def _execute(self, request: Request, path: str, raw: bytes, fault: str | None) -> dict[str, Any]:
        query = dict(request.query_params)
        content_type = request.headers.get("content-type", "")
        body, readable = ({}, True) if "multipart/" in content_type else _document(raw)
        executed = False
        try:
            handler = self._admitted(request, path, query)
            if path == _WELCOME and str(body.get("welcome_code")) in self._greeting:
                raise Refusal(41096, "another app is sending the welcome message")
            base = str(request.base_url).rstrip("/")
            with self.world.store.write() as db:
                call = Call(self.world, self.sending, db, query, body, raw, content_type, base)
                answer = {"errcode": 0, "errmsg": "ok", **handler(call)}
                executed = True
                self.ledger.note(
                    request.method, path, query, raw, 0, fault=fault, executed=True, subjects=_subjects(body)
                )
        except Refusal as refusal:
            text = self._sentence(request, refusal.errcode, str(refusal))
            answer = {"errcode": refusal.errcode, "errmsg": text, **refusal.more}
            self.ledger.note(
                request.method, path, query, raw, refusal.errcode,
                fault=fault, executed=executed, subjects=_subjects(body),
            )  # fmt: skip
        if not readable:
            answer["errmsg"] += " Warning: wrong json format. "
        return answer

    def _admitted(self, request: Request, path: str, query: dict[str, str]) -> Handler:
        settings = self.world.settings
        host = request.client.host if request.client else ""
        most = settings.max_concurrency
        if most and self._inside[path] > most:
            raise Refusal(45033, "api concurrent out of limit")
        handler = HANDLERS.get(path)
        if handler is None:
            raise Refusal(48002, f"api forbidden, {path} is not played by this sandbox")
        self.rates.check(path)
        if path != "gettoken":
            tokens.check_token(self.world, query.get("access_token"))
            if settings.trusted_ips and host not in settings.trusted_ips:
                raise Refusal(60020, "not allow to access from your ip")
        return handler

    def _sentence(self, request: Request, errcode: int, text: str) -> str:
        """An errmsg as WeCom writes it; nobody may branch on it."""
        now = self.world.clock.now()
        count = self.world.store.number("SELECT max(id) FROM call")
        hint = self.world.chance.digest("hint", now, count)[:32]
        host = request.client.host if request.client else "127.0.0.1"
        return (
            f"{text}, hint: [{now // SECOND}_{count % 1000}_{hint}], from ip: {host}, more info at"
            f" https://open.work.weixin.qq.com/devtool/query?e={errcode}"
        )


def _document(raw: bytes) -> tuple[dict[str, Any], bool]:
    """The JSON object of a body, and whether it could be read; nothing is an empty object."""
    if not raw:
        return {}, True
    try:
        found = json.loads(raw)
    except ValueError:
        return {}, False
    return (found, True) if isinstance(found, dict) else ({}, False)


def _subjects(body: dict[str, Any]) -> list[str]:
    given = body.get("external_userid")
    if isinstance(given, list):
        return [str(each) for each in given]
    return [str(given)] if given else []


def _welcome_code(path: str, raw: bytes) -> str | None:
    if path != _WELCOME:
        return None
    code = _document(raw)[0].get("welcome_code")
    return str(code) if code else None
