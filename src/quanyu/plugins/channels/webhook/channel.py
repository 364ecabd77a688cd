"""The webhook channel, after the Standard Webhooks specification: `id.timestamp.body` signed with HMAC-SHA256.

The batch's token is the webhook's id and stays the same in every attempt, so a receiver that remembers ids takes a
batch once however often it arrives.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from typing import ClassVar

import httpx

from quanyu.plugins.channels.webhook.config import WebhookConfig
from quanyu.sdk import Answer, Batch, Channel, Label, NotTaken, OutcomeUnknown, Problem, Step
from quanyu.sdk.errors import ChannelError
from quanyu.sdk.outbound import call

_TRANSIENT = frozenset({408, 409, 425, 429, 502, 503, 504})


class WebhookChannel(Channel[WebhookConfig]):
    """Posts batches of messages as JSON."""

    kind: ClassVar[str] = "webhook"
    channel: ClassVar[str] = "webhook"
    max_batch: ClassVar[int] = 50  # keeps a payload below the 20 kB that the specification advises
    idempotent: ClassVar[bool] = True

    @property
    def namespace(self) -> str:
        """The namespace that the connection is configured for."""
        return self.config.namespace

    def check(self) -> Sequence[Step]:
        """Post a signed ping."""
        name = Label("签名测试请求", "A signed test request")
        try:
            self._post("ping", {"type": "ping", "data": {}})
        except ChannelError as error:
            fact, remedy = error.problem.title, error.problem.remedy
            return [Step(name, False, Label(f"{fact.zh}：{remedy.zh}", f"{fact.en}. {remedy.en}"))]
        return [Step(name, True, Label("对方已接收", "It was taken"))]

    def send(self, batch: Batch) -> Answer:
        """Post the batch. 2xx takes it; 3xx is never followed and counts as refused."""
        data = {
            "token": batch.token,
            "text": batch.text,
            "card": {"title": batch.card.title, "page": batch.card.page} if batch.card else None,
            "sender": batch.sender,
            "recipients": [{"effect_id": item.effect_id, "address": item.address} for item in batch.messages],
        }
        self._post(batch.token, {"type": "message", "data": data})
        return Answer(batch.token)

    def _post(self, identifier: str, payload: dict[str, object]) -> None:
        at = self.host.clock.now()
        body = json.dumps({**payload, "timestamp": at.isoformat()}, ensure_ascii=False).encode()
        timestamp = str(int(at.timestamp()))
        signed = f"{identifier}.{timestamp}.".encode() + body
        digest = base64.b64encode(hmac.digest(self.config.key(), signed, "sha256")).decode()
        answer = call(
            self.host.http,
            "POST",
            self.config.url,
            content=body,
            headers={
                "content-type": "application/json",
                "webhook-id": identifier,
                "webhook-timestamp": timestamp,
                "webhook-signature": f"v1,{digest}",
            },
        )
        _judge(answer)


def _judge(answer: httpx.Response) -> None:
    """Raise what a status means; nothing for 2xx."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    problem = Problem(
        f"http_{status}",
        Label(f"对方返回 HTTP {status}", f"The receiver answered HTTP {status}"),
        Label("请检查接收地址与签名校验", "Check the address and how it verifies the signature"),
    )
    if status in _TRANSIENT:
        after = answer.headers.get("retry-after", "")
        raise NotTaken(problem, transient=True, retry_after=float(after) if after.isdigit() else None)
    if status >= 500:
        raise OutcomeUnknown(problem)
    raise NotTaken(problem)
