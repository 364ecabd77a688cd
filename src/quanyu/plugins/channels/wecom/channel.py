"""WeCom's channel: what the host asks of it, said in WeCom's documented interfaces.

A mass message is a task that the member of staff confirms in WeCom; who received it is known later from the send
results. WeCom takes no idempotency key, so an unknown call is looked for by the token in the card's page.
"""

from __future__ import annotations

import calendar
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Literal

from quanyu.plugins.channels.wecom.callback import NotGenuine, fields, verified
from quanyu.plugins.channels.wecom.client import WeComClient
from quanyu.plugins.channels.wecom.config import WeComConfig
from quanyu.plugins.channels.wecom.picture import card_picture
from quanyu.plugins.channels.wecom.remedies import CAPPED, NOT_FRIEND, REFUSED, problem
from quanyu.sdk import (
    Answer,
    Batch,
    Channel,
    Contact,
    Delivery,
    Host,
    HttpAnswer,
    HttpRequest,
    Identifier,
    InboundEvent,
    Label,
    NotTaken,
    PersonQuota,
    Received,
    Step,
)
from quanyu.sdk.errors import ChannelError

_REPLY_SECONDS = 18  # of WeCom's 20: the rest is for the way there
_MEDIA_LASTS = timedelta(hours=60)
_SETTLE = timedelta(seconds=15)


def _days_of_month(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


class WeComChannel(Channel[WeComConfig]):
    """企业群发 and 欢迎语 of one corporation."""

    kind: ClassVar[str] = "wecom"
    channel: ClassVar[str] = "wecom"
    max_batch: ClassVar[int] = 10_000
    parallel: ClassVar[int] = 4
    capabilities = frozenset({"find", "results", "receive", "details", "reply"})
    # W:92135: per month at most as many mass messages as the month has days.
    person_quota = PersonQuota("month", _days_of_month)

    def __init__(self, config: WeComConfig, host: Host) -> None:
        super().__init__(config, host)
        self._client = WeComClient(config, host)
        self._media: tuple[str, datetime] | None = None
        self._lock = threading.Lock()

    @property
    def namespace(self) -> str:
        """External user ids; their values are `corp:wm…`."""
        return "external_userid"

    def address(self, value: str) -> str | None:
        """The id without its corporation; None when it is another corporation's."""
        corp, _, external = value.partition(":")
        return external if external and corp == self.config.corp_id else None

    # ------------------------------------------------------------------ out
    def check(self) -> Sequence[Step]:
        """Fetch a token, then list the members with customer contact."""
        steps = []
        for name, path in (
            (Label("获取 access_token", "Fetch an access token"), None),
            (Label("客户联系权限", "Customer contact permission"), "externalcontact/get_follow_user_list"),
        ):
            try:
                if path is None:
                    self._client.token(fresh=True)
                    said = Label("正常", "Works")
                else:
                    staff = self._client.ask("GET", path).get("follow_user", [])
                    said = Label(f"{len(staff)} 名员工开通了客户联系", f"{len(staff)} members have customer contact")
            except ChannelError as error:
                fact, remedy = error.problem.title, error.problem.remedy
                steps.append(Step(name, False, Label(f"{fact.zh}：{remedy.zh}", f"{fact.en}. {remedy.en}")))
                return steps
            steps.append(Step(name, True, said))
        return steps

    def send(self, batch: Batch) -> Answer:
        """A mass-message task (W:92135), or a welcome message (W:92137) where there is a reply token."""
        first = batch.messages[0]
        if first.reply_token is not None:
            body = {"welcome_code": first.reply_token, **self._content(batch)}
            self._client.ask("POST", "externalcontact/send_welcome_msg", body=body)
            return Answer()
        body = {
            "chat_type": "single",
            "external_userid": [message.address for message in batch.messages],
            **({"sender": batch.sender} if batch.sender else {}),
            **self._content(batch),
        }
        answer = self._client.ask("POST", "externalcontact/add_msg_template", body=body)
        refused = set(answer.get("fail_list") or [])
        return Answer(
            str(answer["msgid"]),
            {message.effect_id: REFUSED for message in batch.messages if message.address in refused},
        )

    def _content(self, batch: Batch) -> dict[str, Any]:
        body: dict[str, Any] = {"text": {"content": batch.text}} if batch.text else {}
        if batch.card:
            card = {
                "title": batch.card.title,
                "pic_media_id": self._picture(),
                "appid": self.config.app_id,
                "page": batch.card.page,
            }
            body["attachments"] = [{"msgtype": "miniprogram", "miniprogram": card}]
        return body

    def _picture(self) -> str:
        """The media id of the card's picture; WeCom keeps it for three days. Raises NotTaken."""
        with self._lock:
            now = self.host.clock.now()
            if self._media is None or self._media[1] < now:
                media = self._client.upload("card.png", card_picture(), "image/png")
                self._media = (media, now + _MEDIA_LASTS)
            return self._media[0]

    def find(self, batch: Batch, since: datetime) -> Answer | Literal["cannot_tell"] | None:
        """Look for the batch's card among the tasks made since then (W:93338)."""
        if batch.card is None or batch.messages[0].reply_token is not None:
            return "cannot_tell"
        now = self.host.clock.now()
        cursor = ""
        while True:
            body = {
                "chat_type": "single",
                "start_time": int((since - timedelta(minutes=1)).timestamp()),
                "end_time": int((now + timedelta(minutes=1)).timestamp()),
                "filter_type": 0,
                "limit": 100,
                "cursor": cursor,
            }
            answer = self._client.ask("POST", "externalcontact/get_groupmsg_list_v2", body=body)
            for task in answer.get("group_msg_list", []):
                for attachment in task.get("attachments") or []:
                    if attachment.get("miniprogram", {}).get("page") == batch.card.page:
                        return Answer(str(task["msgid"]))
            cursor = answer.get("next_cursor") or ""
            if not cursor:
                # A task that was made a moment ago may not be listed yet.
                return None if now - since > _SETTLE else "cannot_tell"

    def results(self, reference: str) -> Sequence[Delivery]:
        """The send results of every member of a task (W:93338)."""
        found: list[Delivery] = []
        for member in self._paged("externalcontact/get_groupmsg_task", {"msgid": reference}, "task_list"):
            query = {"msgid": reference, "userid": member["userid"]}
            rows = self._paged("externalcontact/get_groupmsg_send_result", query, "send_list")
            found.extend(_delivery(row) for row in rows)
        return found

    def _paged(self, path: str, body: dict[str, Any], key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = self._client.ask("POST", path, body={**body, "limit": 1000, "cursor": cursor})
            rows += answer.get(key, [])
            cursor = answer.get("next_cursor") or ""
            if not cursor:
                return rows

    # ------------------------------------------------------------------ in
    def receive(self, request: HttpRequest) -> Received:
        """Answer the address check, or read a customer event."""
        config, query = self.config, dict(request.query)
        token, key = config.token.get_secret_value(), config.aes_key.get_secret_value()
        try:
            if request.method == "GET":
                echo = verified(token, key, config.corp_id, query, query.get("echostr", ""))
                return Received(HttpAnswer(body=echo.encode()))
            sealed = fields(request.body.decode("utf-8", "replace")).get("Encrypt", "")
            event = fields(verified(token, key, config.corp_id, query, sealed))
        except NotGenuine:
            return Received(HttpAnswer(403, b"signature or key does not fit"))
        return self._read(event)

    def _read(self, event: Mapping[str, str]) -> Received:
        answer = HttpAnswer(body=b"success")
        external, staff = event.get("ExternalUserID"), event.get("UserID")
        if event.get("Event") != "change_external_contact" or not external:
            return Received(answer)
        change = event.get("ChangeType", "")
        at = datetime.fromtimestamp(int(event.get("CreateTime") or 0), UTC)
        name = {
            "add_external_contact": "contact_added",
            "add_half_external_contact": "contact_added",
            "del_follow_user": "contact_blocked",
            "del_external_contact": "contact_removed",
        }.get(change)
        contacts = (Contact(external),) if name == "contact_added" or change == "edit_external_contact" else ()
        if name is None:
            return Received(answer, contacts=contacts)
        properties: dict[str, Any] = {"change": change, "connection": self.host.connection}
        if event.get("State"):
            properties["state"] = event["State"]
        if event.get("WelcomeCode"):
            properties["reply_token"] = event["WelcomeCode"]
            properties["reply_seconds"] = _REPLY_SECONDS
        told = InboundEvent(
            event_id=f"{change}:{external}:{staff}:{event.get('CreateTime')}",
            name=name,
            occurred_at=at,
            identifiers=(self._identifier(external),),
            channel="wecom",
            staff_id=staff,
            properties=properties,
            traits={"owner_staff": staff} if name == "contact_added" else {},
        )
        return Received(answer, (told,), contacts)

    def details(self, contact: Contact) -> Sequence[InboundEvent]:
        """The customer's union id and name (W:92114): the bridge to the mini program and the official account."""
        try:
            answer = self._client.ask("GET", "externalcontact/get", query={"external_userid": contact.reference})
        except NotTaken as error:
            if error.problem.code in ("84061", "40096"):  # gone in the meantime
                return ()
            raise
        found = answer["external_contact"]
        identifiers = [self._identifier(contact.reference)]
        if found.get("unionid"):
            identifiers.append(Identifier("unionid", found["unionid"]))
        state = json.dumps([found.get("unionid"), found.get("name")], ensure_ascii=False)
        now = self.host.clock.now()
        return (
            InboundEvent(
                event_id=f"details:{contact.reference}:{state}",
                name="identified",
                occurred_at=now,
                identifiers=tuple(identifiers),
                channel="wecom",
                traits={"name": found["name"]} if found.get("name") else {},
            ),
        )

    def _identifier(self, external: str) -> Identifier:
        return Identifier("external_userid", f"{self.config.corp_id}:{external}")


def _delivery(row: Mapping[str, Any]) -> Delivery:
    at = datetime.fromtimestamp(row["send_time"], UTC) if row.get("send_time") else None
    status = int(row["status"])
    if status == 1:
        return Delivery(row["external_userid"], "delivered", at)
    if status == 0:
        return Delivery(row["external_userid"], "pending")
    why = {2: NOT_FRIEND, 3: CAPPED}.get(status) or problem(status)
    return Delivery(row["external_userid"], "failed", at, why)
