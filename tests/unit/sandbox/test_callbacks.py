"""Callbacks and welcome messages: the official vectors, who is told what, tries, and the 20 seconds."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from quanyu_sandbox.app import create_app
from quanyu_sandbox.crypto import decrypt, encrypt, signature
from quanyu_sandbox.settings import SandboxSettings
from tests.unit.sandbox.stage import AES_KEY, CORP, SECRET, TOKEN, Brand, Stage, on_stage

SEALED = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUk"
    "SUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNX"
    "ZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k"
    "22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
)
TEXT = {"text": {"content": "欢迎"}}


def test_wecoms_own_vector_opens_and_seals_alike():
    assert signature("QDG6eK", "1409659813", "1372623149", SEALED) == "477715d11cdb4164915debcba66cb864d751f3e6"
    message, receiver = decrypt("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", SEALED)
    assert receiver == "wx5823bf96d3bd56c7"
    assert "<Content><![CDATA[hello]]></Content>" in message
    assert encrypt("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", message, receiver, b"0960688932c47ef1") == SEALED


def test_the_second_vector_seals_chinese():
    key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    sealed = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    assert encrypt(key, "我是中文abcd123", "wxb11529c136998cb6", b"aaaabbbbccccdddd") == sealed
    assert decrypt(key, sealed) == ("我是中文abcd123", "wxb11529c136998cb6")


def test_what_was_not_sealed_does_not_open():
    with pytest.raises(ValueError, match="padding"):
        decrypt(AES_KEY, encrypt("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "x", CORP, b"0" * 16))


# ---------------------------------------------------------------------- the address
def test_an_address_is_saved_only_if_it_answers_the_bare_text(stage: Stage):
    body = {"url": "http://brand/callbacks/other", "token": TOKEN, "aes_key": AES_KEY}
    stage.brand.echo = '"{word}"'
    assert "bare plain text" in stage.do("callback", body, status=409)["error"]
    stage.brand.echo = "{word}"
    assert stage.do("callback", body) == {"ok": True}
    stage.do("callback", {**body, "aes_key": "short"}, status=422)


# ---------------------------------------------------------------------- events
def add(stage: Stage, customer: str = "wm000", **more: Any) -> str:
    answer = stage.do("act", {"action": "add", "external_userid": customer, **more})
    stage.tick(0)
    return str(answer["welcome_code"])


def strangers(stage: Stage, count: int = 1) -> list[str]:
    return stage.move_in(count, friend=False)


def test_adding_a_member_tells_state_and_welcome_code(stage: Stage):
    strangers(stage)
    code = add(stage, state="CHANNEL_A")
    (event,) = stage.brand.callbacks
    for name, value in (
        ("ToUserName", CORP), ("FromUserName", "sys"), ("MsgType", "event"), ("Event", "change_external_contact"),
        ("ChangeType", "add_external_contact"), ("UserID", "guide1"), ("ExternalUserID", "wm000"),
        ("State", "CHANNEL_A"), ("WelcomeCode", code),
    ):  # fmt: skip
        assert f"<{name}><![CDATA[{value}]]></{name}>" in event
    assert "<CreateTime>1772413200</CreateTime>" in event
    stage.do("act", {"action": "add", "external_userid": "wm000"}, status=409)


def test_a_channel_code_brings_its_state_and_its_member(stage: Stage):
    strangers(stage)
    stage.do("staff", [{"userid": "guide9"}])
    body = {"type": 1, "scene": 2, "user": ["guide9"], "state": "POSTER"}
    config = stage.api("externalcontact/add_contact_way", body)["config_id"]
    add(stage, config_id=config)
    (event,) = stage.brand.callbacks
    assert "<State><![CDATA[POSTER]]></State>" in event
    assert "<UserID><![CDATA[guide9]]></UserID>" in event
    follow = stage.api("externalcontact/get", external_userid="wm000")["follow_user"][0]
    assert (follow["userid"], follow["state"], follow["add_way"]) == ("guide9", "POSTER", 1)
    stage.do("act", {"action": "add", "external_userid": "wm000", "config_id": "gone"}, status=404)


def test_what_the_api_does_is_not_told_and_what_people_do_is(stage: Stage):
    stage.move_in(1)
    relation = {"userid": "guide1", "external_userid": "wm000"}
    stage.api("externalcontact/remark", {**relation, "remark": "老客"})
    tag = stage.api("externalcontact/add_corp_tag", {"group_name": "g", "tag": [{"name": "a"}]})["tag_group"]["tag"][0]
    stage.api("externalcontact/mark_tag", {**relation, "add_tag": [tag["id"]]})
    stage.tick(1)
    assert stage.brand.callbacks == []
    stage.do("act", {"action": "edit", "external_userid": "wm000", "remark": "新备注"})
    made = stage.do("tags", {"group": "console", "name": "b"})
    stage.do("tags", {"delete": made["tag_id"]})
    stage.do("act", {"action": "drop", "external_userid": "wm000"})
    stage.tick(1)
    changes = [event.split("<ChangeType><![CDATA[")[1].split("]]")[0] for event in stage.brand.callbacks]
    assert changes == ["edit_external_contact", "create", "create", "delete", "del_external_contact"]
    assert f"<TagType><![CDATA[tag]]></TagType><Id><![CDATA[{made['tag_id']}]]></Id>" in stage.brand.callbacks[2]


def test_a_silent_receiver_is_tried_three_times_and_then_given_up(stage: Stage):
    strangers(stage, 2)
    stage.brand.down = {"/callbacks": 2}
    add(stage, "wm000")
    assert (stage.brand.callback_posts, len(stage.brand.callbacks)) == (3, 1)
    stage.brand.down = {"/callbacks": 9}
    add(stage, "wm001")
    assert (stage.brand.callback_posts, len(stage.brand.callbacks)) == (6, 1)
    assert [row["state"] for row in stage.look("outgoing", lane="callback")["items"]] == ["failed", "done"]


def test_an_http_error_is_an_answer_and_not_tried_again(tmp_path: Path):
    class Broken(Brand):
        def _callback(self, request: httpx.Request) -> httpx.Response:
            self.callback_posts += 1
            return httpx.Response(500)

    with on_stage(tmp_path, brand=Broken()) as stage:
        strangers(stage)
        add(stage)
        assert stage.brand.callback_posts == 1
        assert stage.look("outgoing", state="refused")["items"][0]["tries"] == 1


@pytest.mark.parametrize(("kind", "times"), [("duplicate", 2), ("drop", 0)])
def test_callbacks_can_be_doubled_and_lost(stage: Stage, kind: str, times: int):
    strangers(stage)
    stage.do("faults", {"path": "callback", "kind": kind})
    add(stage)
    assert len(stage.brand.callbacks) == times
    assert stage.look("faults")["items"][0]["happened"] == 1


# ---------------------------------------------------------------------- welcome
def welcome(stage: Stage, code: str) -> int:
    return stage.code("externalcontact/send_welcome_msg", {"welcome_code": code, **TEXT})


def test_a_welcome_code_works_once(stage: Stage):
    strangers(stage)
    code = add(stage)
    assert [welcome(stage, code), welcome(stage, code)] == [0, 41051]
    (bubble,) = stage.look("messages")["items"]
    assert (bubble["sent_as"], bubble["body"]) == ("welcome", {"content": "欢迎"})


@pytest.mark.parametrize(("after", "errcode"), [(19.9, 0), (20.0, 41050)])
def test_a_welcome_code_lives_for_twenty_seconds(stage: Stage, after: float, errcode: int):
    strangers(stage)
    code = add(stage)
    stage.tick(after)
    assert welcome(stage, code) == errcode


def test_no_welcome_once_the_chat_has_started_or_the_customer_left(stage: Stage):
    strangers(stage, 2)
    code = add(stage, "wm000")
    stage.do("act", {"action": "say", "external_userid": "wm000", "text": "你好"})
    assert welcome(stage, code) == 41051
    code = add(stage, "wm001")
    stage.do("act", {"action": "block", "external_userid": "wm001"})
    assert welcome(stage, code) == 84061


def test_no_code_for_a_wecom_contact_or_a_member_with_a_welcome_of_the_console(stage: Stage):
    stage.do("staff", [{"userid": "greeter", "own_welcome": True}])
    stage.do("customers", [{"external_userid": "wo1", "name": "同行", "type": 2, "staff": "guide1", "friend": False}])
    strangers(stage)
    assert add(stage, "wo1") == "None"
    assert add(stage, "wm000", userid="greeter") == "None"
    assert all("WelcomeCode" not in event for event in stage.brand.callbacks)


def test_a_second_app_is_told_to_wait_while_the_first_one_greets(tmp_path: Path):
    async def both() -> list[int]:
        app = create_app(SandboxSettings(tmp_path, corp_id=CORP, corp_secret=SECRET, virtual=True))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
            query = {"corpid": CORP, "corpsecret": SECRET}
            token = (await http.get("/cgi-bin/gettoken", params=query)).json()["access_token"]
            row = {"external_userid": "wm1", "name": "甲", "staff": "g", "friend": False}
            await http.post("/sandbox/customers", json=[row])
            added = (await http.post("/sandbox/act", json={"action": "add", "external_userid": "wm1"})).json()
            path = "externalcontact/send_welcome_msg"
            await http.post("/sandbox/faults", json={"path": path, "kind": "delay", "seconds": 0.3})

            async def greet(wait: float) -> int:
                await asyncio.sleep(wait)
                body = {"welcome_code": added["welcome_code"], **TEXT}
                answer = await http.post(f"/cgi-bin/{path}", params={"access_token": token}, json=body)
                return int(answer.json()["errcode"])

            return list(await asyncio.gather(greet(0), greet(0.1)))

    assert asyncio.run(both()) == [0, 41096]


def test_the_ledger_keeps_no_secrets(stage: Stage):
    stage.send(stage.move_in(1))
    text = stage.http.get("/sandbox/calls", params={"bodies": "1"}).text
    assert SECRET not in text
    assert stage.token() not in text
    row = stage.look("calls", path="externalcontact/add_msg_template", bodies=1)["items"][0]
    assert hashlib.sha256(row["body"].encode()).hexdigest() == row["body_hash"]
