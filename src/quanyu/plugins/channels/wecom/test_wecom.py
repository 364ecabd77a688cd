"""WeCom's channel against the suite, the official vectors, and a provider that refuses in WeCom's words."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from quanyu.plugins.channels.wecom.callback import NotGenuine, fields, open_sealed, signature, verified
from quanyu.plugins.channels.wecom.channel import WeComChannel
from quanyu.plugins.channels.wecom.config import WeComConfig
from quanyu.sdk import HttpRequest, Label, NotTaken
from quanyu.sdk.testing import ChannelSuite, Handler, batch, host

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
CONFIG = {
    "corp_id": "ww1",
    "corp_secret": "s3cret-value",
    "app_id": "wxapp",
    "token": "QDG6eK",
    "aes_key": AES_KEY,
    "base_url": "https://qyapi.example",
}


class TestWeCom(ChannelSuite):
    channel = WeComChannel
    config = CONFIG
    address = "wm1"


# The vector of WeCom's own page (W:90968).
OFFICIAL = {
    "token": "QDG6eK",
    "key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    "corp": "wx5823bf96d3bd56c7",
    "timestamp": "1409659813",
    "nonce": "1372623149",
    "signature": "477715d11cdb4164915debcba66cb864d751f3e6",
    "encrypt": "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg"
    "3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+k"
    "DZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6ti"
    "WSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p"
    "8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==",
}


def seal(text: str, receiver: str = "ww1", key: str = AES_KEY) -> str:
    raw = base64.b64decode(key + "=")
    plain = b"0123456789abcdef" + struct.pack("!I", len(text.encode())) + text.encode() + receiver.encode()
    pad = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(raw), modes.CBC(raw[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def posted(xml: str, **change: str) -> HttpRequest:
    sealed = seal(xml)
    query = {"timestamp": "1", "nonce": "2", "msg_signature": signature("QDG6eK", "1", "2", sealed)} | change
    body = f"<xml><ToUserName><![CDATA[ww1]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return HttpRequest("POST", query, {}, body.encode())


def added(**more: str) -> str:
    inner = {
        "ToUserName": "ww1",
        "FromUserName": "sys",
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": "anna",
        "ExternalUserID": "wm1",
    } | more
    cdata = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in inner.items())
    return f"<xml><CreateTime>1403610513</CreateTime>{cdata}</xml>"


def channel(handler: Handler) -> WeComChannel:
    return WeComChannel(WeComConfig.model_validate(CONFIG), host(handler))


def answers(*bodies: dict[str, Any]) -> tuple[Handler, list[httpx.Request]]:
    """A WeCom that gives tokens, and these answers to everything else in turn."""
    asked: list[httpx.Request] = []
    rest = list(bodies)

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path.endswith("/gettoken"):
            tokens = sum(each.url.path.endswith("/gettoken") for each in asked)
            return httpx.Response(200, json={"errcode": 0, "access_token": f"T{tokens}", "expires_in": 7200})
        return httpx.Response(200, json=rest.pop(0))

    return handler, asked


def test_the_official_vector_opens_and_its_signature_fits() -> None:
    v = OFFICIAL
    assert signature(v["token"], v["timestamp"], v["nonce"], v["encrypt"]) == v["signature"]
    query = {"timestamp": v["timestamp"], "nonce": v["nonce"], "msg_signature": v["signature"]}
    xml = verified(v["token"], v["key"], v["corp"], query, v["encrypt"])
    assert fields(xml)["Content"] == "hello"
    assert fields(xml)["CreateTime"] == "1409659813"


def test_the_second_vector_opens() -> None:
    sealed = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    assert open_sealed(AES_KEY, sealed, "wxb11529c136998cb6") == "我是中文abcd123"
    with pytest.raises(NotGenuine):
        open_sealed(AES_KEY, sealed, "another")


def test_the_address_check_is_answered_with_the_plain_text() -> None:
    sealed = seal("4567890")
    query = {"timestamp": "1", "nonce": "2", "echostr": sealed, "msg_signature": signature("QDG6eK", "1", "2", sealed)}
    received = channel(answers()[0]).receive(HttpRequest("GET", query, {}, b""))
    assert (received.answer.status, received.answer.body) == (200, b"4567890")


def test_an_added_contact_becomes_one_event_and_one_lookup() -> None:
    first = channel(answers()[0]).receive(posted(added(State="store-7", WelcomeCode="WC1")))
    again = channel(answers()[0]).receive(posted(added(State="store-7", WelcomeCode="WC1")))
    (event,) = first.events
    assert (event.name, event.staff_id, event.channel) == ("contact_added", "anna", "wecom")
    assert event.identifiers[0].value == "ww1:wm1"
    assert event.properties["state"] == "store-7"
    assert event.properties["reply_token"] == "WC1"
    assert [contact.reference for contact in first.contacts] == ["wm1"]
    assert again.events[0].event_id == event.event_id


@pytest.mark.parametrize(("change", "name"), [("del_follow_user", "contact_blocked"), ("edit_external_contact", None)])
def test_other_changes(change: str, name: str | None) -> None:
    received = channel(answers()[0]).receive(posted(added(ChangeType=change)))
    assert [event.name for event in received.events] == ([name] if name else [])


def test_a_changed_or_foreign_callback_is_refused() -> None:
    for request in (posted(added(), nonce="3"), posted(added(), msg_signature="0" * 40)):
        received = channel(answers()[0]).receive(request)
        assert (received.answer.status, received.events) == (403, ())


def test_details_link_the_union_id_to_the_external_user_id() -> None:
    contact = {"external_userid": "wm1", "name": "小王", "unionid": "ou1"}
    handler, _ = answers({"errcode": 0, "external_contact": contact, "follow_user": []})
    made = channel(handler)
    received = made.receive(posted(added()))
    (event,) = made.details(received.contacts[0])
    assert event.name == "identified"
    assert {(each.namespace, each.value) for each in event.identifiers} == {
        ("external_userid", "ww1:wm1"),
        ("unionid", "ou1"),
    }
    assert event.traits == {"name": "小王"}


@pytest.mark.parametrize("code", [40014, 42001])
def test_a_stale_token_is_renewed_once_and_the_call_repeated(code: int) -> None:
    handler, asked = answers({"errcode": code, "errmsg": "x"}, {"errcode": 0, "msgid": "m1", "fail_list": []})
    assert channel(handler).send(batch("wm1")).reference == "m1"
    paths = [request.url.path.rsplit("/", 1)[1] for request in asked]
    assert paths == ["gettoken", "add_msg_template", "gettoken", "add_msg_template"]
    assert asked[-1].url.params["access_token"] == "T2"


def test_a_token_that_stays_stale_is_not_asked_for_forever() -> None:
    handler, asked = answers({"errcode": 42001}, {"errcode": 42001})
    with pytest.raises(NotTaken) as caught:
        channel(handler).send(batch("wm1"))
    assert caught.value.transient
    assert len(asked) == 4


def test_the_token_is_fetched_once_for_many_calls() -> None:
    handler, asked = answers(*[{"errcode": 0, "msgid": f"m{i}", "fail_list": []} for i in range(3)])
    made = channel(handler)
    for _ in range(3):
        made.send(batch("wm1"))
    assert sum(request.url.path.endswith("/gettoken") for request in asked) == 1


def test_a_batch_is_one_call_and_strangers_are_rejected_in_words() -> None:
    handler, asked = answers({"errcode": 0, "msgid": "m1", "fail_list": ["wm2"]})
    answer = channel(handler).send(batch("wm1", "wm2"))
    body = json.loads(asked[-1].content)
    assert body == {
        "chat_type": "single",
        "external_userid": ["wm1", "wm2"],
        "sender": "anna",
        "text": {"content": "你好"},
    }
    assert list(answer.rejected) == ["ef_1"]
    assert answer.rejected["ef_1"].remedy == Label("检查客户归属的导购", "Check which guide the customer belongs to")


@pytest.mark.parametrize(
    ("code", "transient"), [(45009, True), (45033, True), (-1, True), (60020, False), (48002, False), (99999, False)]
)
def test_every_error_code_has_a_remedy(code: int, transient: bool) -> None:
    handler, _ = answers({"errcode": code, "errmsg": "x"})
    with pytest.raises(NotTaken) as caught:
        channel(handler).send(batch("wm1"))
    assert caught.value.transient is transient
    assert caught.value.problem.code == str(code)
    assert caught.value.problem.remedy.zh
    assert caught.value.problem.remedy.en


def test_a_welcome_code_goes_to_the_welcome_interface() -> None:
    handler, asked = answers({"errcode": 0})
    channel(handler).send(batch("wm1", reply_token="WC1"))
    assert asked[-1].url.path.endswith("externalcontact/send_welcome_msg")
    assert json.loads(asked[-1].content)["welcome_code"] == "WC1"


def test_an_unknown_batch_is_found_by_the_token_in_its_card() -> None:
    task = {
        "msgid": "m9",
        "attachments": [{"msgtype": "miniprogram", "miniprogram": {"page": "pages/coupon?send=snd_1"}}],
    }
    other = {
        "msgid": "m8",
        "attachments": [{"msgtype": "miniprogram", "miniprogram": {"page": "pages/coupon?send=snd_2"}}],
    }
    handler, _ = answers(
        {"errcode": 0, "group_msg_list": [other], "next_cursor": "c"},
        {"errcode": 0, "group_msg_list": [task], "next_cursor": ""},
    )
    made = channel(handler)
    answer = made.find(batch("wm1", card=True), made.host.clock.now())
    assert not isinstance(answer, str)
    assert answer is not None
    assert answer.reference == "m9"
    assert channel(answers()[0]).find(batch("wm1"), made.host.clock.now()) == "cannot_tell"
