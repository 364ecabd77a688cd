"""The webhook channel against the suite, and its signature against the specification's own example."""

from __future__ import annotations

import base64
import hmac
import json

import httpx
import pytest

from quanyu.plugins.channels.webhook.channel import WebhookChannel
from quanyu.plugins.channels.webhook.config import WebhookConfig
from quanyu.sdk import NotTaken, OutcomeUnknown
from quanyu.sdk.errors import ChannelError
from quanyu.sdk.testing import ChannelSuite, Handler, batch, host

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the Standard Webhooks specification
CONFIG = {"url": "https://example.com/hook", "secret": SECRET, "namespace": "phone"}


class TestWebhook(ChannelSuite):
    channel = WebhookChannel
    config = CONFIG


def channel(handler: Handler) -> WebhookChannel:
    return WebhookChannel(WebhookConfig.model_validate(CONFIG), host(handler))


def test_a_receiver_can_verify_the_signature() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(204)

    answer = channel(handler).send(batch("13800000001", "13800000002"))
    (request,) = asked
    headers = request.headers
    assert headers["webhook-id"] == answer.reference == "snd_1"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.content
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    data = json.loads(request.content)["data"]
    assert [each["address"] for each in data["recipients"]] == ["13800000001", "13800000002"]


@pytest.mark.parametrize(
    ("status", "error", "transient"),
    [
        (400, NotTaken, False),
        (410, NotTaken, False),
        (429, NotTaken, True),
        (503, NotTaken, True),
        (500, OutcomeUnknown, None),
    ],
)
def test_every_refusal_is_told_apart(status: int, error: type[ChannelError], transient: bool | None) -> None:
    with pytest.raises(error) as caught:
        channel(lambda _: httpx.Response(status, headers={"retry-after": "7"})).send(batch("x"))
    if isinstance(caught.value, NotTaken):
        assert caught.value.transient is transient


def test_a_short_secret_is_refused_and_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="24") as caught:
        WebhookConfig.model_validate(CONFIG | {"secret": "whsec_c2hvcnQ="})
    assert "c2hvcnQ" not in str(caught.value)
