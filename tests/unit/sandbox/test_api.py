"""WeCom's API by its documents: shapes and error codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.sandbox.stage import CORP, PNG, SECRET, Stage, on_stage

ADD = "externalcontact/add_msg_template"
TEXT = {"text": {"content": "x"}}


def get(stage: Stage, path: str, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.http.get(f"/cgi-bin/{path}", params=query).json()
    return found


# ---------------------------------------------------------------------- token and transport
@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({"corpsecret": SECRET}, 41002),
        ({"corpid": CORP}, 41004),
        ({"corpid": "ww-other", "corpsecret": SECRET}, 40013),
        ({"corpid": CORP, "corpsecret": "wrong"}, 40001),
    ],
)
def test_a_token_is_refused_by_the_book(stage: Stage, query: dict[str, str], errcode: int):
    answer = get(stage, "gettoken", **query)
    assert answer["errcode"] == errcode
    assert f"e={errcode}" in answer["errmsg"]
    assert "hint: [" in answer["errmsg"]


def test_a_token_repeats_while_it_is_valid_and_expires(stage: Stage):
    first = get(stage, "gettoken", corpid=CORP, corpsecret=SECRET)
    assert (first["errcode"], first["expires_in"]) == (0, 7200)
    stage.tick(100)
    again = get(stage, "gettoken", corpid=CORP, corpsecret=SECRET)
    assert (again["access_token"], again["expires_in"]) == (first["access_token"], 7100)
    path, token = "externalcontact/get_follow_user_list", first["access_token"]
    assert get(stage, path)["errcode"] == 41001
    assert get(stage, path, access_token="nonsense")["errcode"] == 40014
    assert get(stage, path, access_token=token)["errcode"] == 0
    stage.tick(7100)
    assert get(stage, path, access_token=token)["errcode"] == 42001
    assert stage.token() != token


def test_what_is_not_played_is_said(stage: Stage):
    assert stage.code("externalcontact/groupchat/list", {}) == 48002


def test_malformed_json_is_warned_of(stage: Stage):
    answer = stage.http.post(f"/cgi-bin/{ADD}", params={"access_token": stage.token()}, content=b"{").json()
    assert answer["errcode"] == 40063
    assert "Warning: wrong json format." in answer["errmsg"]


def test_too_many_calls_are_45009_for_a_minute(stage: Stage):
    stage.do("limits", {"path": "externalcontact/list", "per_minute": 2})
    stage.move_in(1)
    assert [stage.code("externalcontact/list", userid="guide1") for _ in range(3)] == [0, 0, 45009]
    stage.tick(59)
    assert stage.code("externalcontact/list", userid="guide1") == 45009
    stage.tick(2)
    assert stage.code("externalcontact/list", userid="guide1") == 0
    assert stage.code("externalcontact/get_follow_user_list") == 0


def test_an_hour_of_too_many_calls_blocks_for_an_hour(tmp_path: Path):
    path = "externalcontact/get_follow_user_list"
    with on_stage(tmp_path, rate_per_hour=3, rate_per_minute=0) as stage:
        stage.do("limits", {"path": "gettoken"})  # 0 is no limit: the token's own calls do not count here
        assert [stage.code(path) for _ in range(4)] == [0, 0, 0, 45009]
        stage.tick(3599)
        assert stage.code(path) == 45009
        stage.tick(1)
        assert stage.code(path) == 0


def test_an_untrusted_address_is_60020(tmp_path: Path):
    with on_stage(tmp_path, trusted_ips=("10.0.0.1",)) as stage:
        assert stage.code("externalcontact/get_follow_user_list") == 60020


# ---------------------------------------------------------------------- customers
def test_customers_and_their_two_shapes(stage: Stage):
    stage.move_in(3)
    stage.do(
        "customers", [{"external_userid": "wo1", "name": "企微好友", "type": 2, "unionid": "x", "staff": "Guide2"}]
    )
    assert stage.api("externalcontact/get_follow_user_list")["follow_user"] == ["guide1", "Guide2"]
    assert stage.api("externalcontact/list", userid="GUIDE1")["external_userid"] == ["wm000", "wm001", "wm002"]
    tags = stage.api("externalcontact/add_corp_tag", {"group_name": "兴趣", "tag": [{"name": "羽绒"}]})["tag_group"]
    tag = tags["tag"][0]["id"]
    mark = {"userid": "guide1", "external_userid": "wm000", "add_tag": [tag]}
    assert stage.code("externalcontact/mark_tag", mark) == 0
    one = stage.api("externalcontact/get", external_userid="wm000")
    assert one["external_contact"]["unionid"] == "union0"
    assert one["follow_user"][0]["tags"] == [{"group_name": "兴趣", "tag_name": "羽绒", "tag_id": tag, "type": 1}]
    assert "unionid" not in stage.api("externalcontact/get", external_userid="wo1")["external_contact"]
    body = {"userid_list": ["guide1", "Guide2"], "limit": 2}
    first = stage.api("externalcontact/batch/get_by_user", body)
    second = stage.api("externalcontact/batch/get_by_user", {**body, "cursor": first["next_cursor"]})
    rows = first["external_contact_list"] + second["external_contact_list"]
    assert [row["external_contact"]["external_userid"] for row in rows] == ["wo1", "wm000", "wm001", "wm002"]
    assert rows[1]["follow_info"]["tag_id"] == [tag]
    assert second["next_cursor"] == ""


def test_no_unionid_without_a_bound_developer_id(tmp_path: Path):
    with on_stage(tmp_path, developer_bound=False) as stage:
        stage.move_in(1)
        assert "unionid" not in stage.api("externalcontact/get", external_userid="wm000")["external_contact"]


@pytest.mark.parametrize(
    ("path", "query", "errcode"),
    [
        ("externalcontact/list", {}, 41009),
        ("externalcontact/list", {"userid": "nobody"}, 60111),
        ("externalcontact/list", {"userid": "lonely"}, 84061),
        ("externalcontact/get", {}, 41035),
        ("externalcontact/get", {"external_userid": "wm-x"}, 40096),
        ("externalcontact/get", {"external_userid": "wmalone"}, 84061),
        ("externalcontact/get", {"external_userid": "wm000", "cursor": "zzz"}, 50100),
    ],
)
def test_looking_up_customers_is_refused_by_the_book(stage: Stage, path: str, query: dict[str, str], errcode: int):
    stage.move_in(1)
    stage.do("staff", [{"userid": "lonely"}])
    stage.do("customers", [{"external_userid": "wmalone", "name": "独", "staff": "guide1", "friend": False}])
    assert stage.code(path, **query) == errcode


RELATION = {"userid": "guide1", "external_userid": "wm000"}


@pytest.mark.parametrize(
    ("path", "body", "errcode"),
    [
        ("batch/get_by_user", {}, 40031),
        ("batch/get_by_user", {"userid_list": ["a"] * 101}, 40032),
        ("batch/get_by_user", {"userid_list": ["nobody"]}, 60111),
        ("batch/get_by_user", {"userid_list": ["guide1"], "limit": 101}, 40058),
        ("batch/get_by_user", {"userid_list": ["guide1"], "cursor": "zzz"}, 50100),
        ("remark", {**RELATION}, 40063),
        ("remark", {**RELATION, "remark": "长" * 21}, 40058),
        ("remark", {**RELATION, "description": "长" * 151}, 40058),
        ("remark", {**RELATION, "remark": 5}, 40058),
        ("remark", {**RELATION, "remark": "好", "external_userid": "wm-x"}, 84061),
        ("remark", {**RELATION, "remark": "好", "external_userid": None}, 41035),
        ("mark_tag", {**RELATION}, 40063),
        ("mark_tag", {**RELATION, "add_tag": ["et-x"]}, 40068),
        ("mark_tag", {**RELATION, "add_tag": ["et-x"], "external_userid": "wm-x"}, 84061),
        ("mark_tag", {**RELATION, "add_tag": ["a"], "remove_tag": ["a"]}, 40058),
        ("add_corp_tag", {"group_name": "g"}, 40063),
        ("add_corp_tag", {"tag": [{"name": "a"}]}, 40063),
        ("add_corp_tag", {"group_name": "g", "tag": [{"name": ""}]}, 40071),
        ("add_corp_tag", {"group_name": "g", "tag": [{"name": "长" * 31}]}, 40072),
        ("add_corp_tag", {"group_name": "长" * 31, "tag": [{"name": "a"}]}, 40072),
        ("add_corp_tag", {"group_id": "et-x", "tag": [{"name": "a"}]}, 40068),
        ("add_corp_tag", {"group_name": "g", "tag": [{"name": "a", "order": -1}]}, 40058),
        ("add_corp_tag", {"group_name": "g", "tag": [{"name": f"t{i}"} for i in range(10_001)]}, 40126),
        ("add_contact_way", {"scene": 2}, 41037),
        ("add_contact_way", {"type": 1}, 41038),
        ("add_contact_way", {"type": 3, "scene": 2}, 41039),
        ("add_contact_way", {"type": 1, "scene": 9}, 41040),
        ("add_contact_way", {"type": 1, "scene": 2, "user": ["guide1"], "style": 9}, 41042),
        ("add_contact_way", {"type": 2, "scene": 2, "user": ["guide1"] * 101}, 41041),
        ("add_contact_way", {"type": 1, "scene": 2, "user": []}, 40058),
        ("add_contact_way", {"type": 1, "scene": 2, "user": ["nobody"]}, 60111),
        ("add_contact_way", {"type": 1, "scene": 2, "user": ["guide1"], "state": "x" * 31}, 40058),
        ("get_contact_way", {}, 41043),
        ("get_contact_way", {"config_id": "x"}, 41044),
        ("get_groupmsg_task", {}, 41046),
        ("get_groupmsg_task", {"msgid": "x"}, 41047),
        ("get_groupmsg_send_result", {}, 41046),
        ("remind_groupmsg_send", {"msgid": "x"}, 41047),
        ("cancel_groupmsg_send", {}, 41046),
        ("get_groupmsg_list_v2", {"chat_type": "single"}, 40058),
        ("get_groupmsg_list_v2", {"chat_type": "x", "start_time": 1, "end_time": 2}, 40058),
        ("get_groupmsg_list_v2", {"chat_type": "single", "start_time": 1, "end_time": 32 * 86_400 + 1}, 40058),
        ("send_welcome_msg", TEXT, 41049),
        ("send_welcome_msg", {"welcome_code": "x"}, 40063),
        ("send_welcome_msg", {"welcome_code": "x", **TEXT}, 41050),
    ],
)
def test_bodies_are_refused_by_the_book(stage: Stage, path: str, body: dict[str, Any], errcode: int):
    stage.move_in(1)
    assert stage.code(f"externalcontact/{path}", body) == errcode


def attach(kind: str, **fields: Any) -> dict[str, Any]:
    return {"attachments": [{"msgtype": kind, kind: fields}], "external_userid": ["wm000"]}


PICTURE = {"msgtype": "image", "image": {"pic_url": "http://x"}}
CARD = {"title": "券", "appid": "wx1", "page": "pages/coupon"}


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40063),
        (TEXT, 40058),
        ({**TEXT, "external_userid": ["wm-nobody"]}, 41048),
        ({**TEXT, "external_userid": "wm000"}, 40058),
        ({**TEXT, "external_userid": ["wm000"] * 10_001}, 40058),
        ({**TEXT, "external_userid": ["wm000"], "sender": "nobody"}, 60111),
        ({**TEXT, "external_userid": ["wm000"], "chat_type": "group"}, 40058),
        ({"text": {"content": "长" * 1334}, "external_userid": ["wm000"]}, 45002),
        ({"text": "x", "external_userid": ["wm000"]}, 40058),
        ({"attachments": [PICTURE] * 10, "external_userid": ["wm000"]}, 40058),
        (attach("dance"), 41065),
        ({"attachments": [{"msgtype": "image"}], "external_userid": ["wm000"]}, 41088),
        (attach("miniprogram", **CARD), 40058),
        (attach("miniprogram", **CARD, pic_media_id="no-such"), 40007),
        (attach("miniprogram", **{**CARD, "title": "长" * 22}, pic_media_id="no-such"), 45002),
        (attach("miniprogram", appid="wx1", pic_media_id="x"), 40058),
        (attach("link", title="t", url="ftp://x"), 40058),
        (attach("link", title="t"), 40058),
    ],
)
def test_mass_messages_are_refused_by_the_book(stage: Stage, body: dict[str, Any], errcode: int):
    stage.move_in(1)
    assert stage.code(ADD, body) == errcode
    assert stage.stat("mass") == 0


def test_a_picture_expires_after_three_days(stage: Stage):
    stage.move_in(1)
    body = {"attachments": [stage.card()], "external_userid": ["wm000"]}
    assert stage.code(ADD, body) == 0
    stage.tick(3 * 86_400)
    assert stage.code(ADD, body) == 40145


@pytest.mark.parametrize(
    ("kind", "data", "errcode"),
    [("image", PNG, 0), ("song", PNG, 40004), ("image", b"", 44001), ("image", b"GIF8", 40006),
     ("image", b"GIF89a....", 40123), ("image", PNG + b"0" * 10_500_000, 45001), ("file", b"some text", 0)],
)  # fmt: skip
def test_uploads_are_checked(stage: Stage, kind: str, data: bytes, errcode: int):
    params = {"access_token": stage.token(), "type": kind}
    answer = stage.http.post("/cgi-bin/media/upload", params=params, files={"media": ("a.png", data)}).json()
    assert answer["errcode"] == errcode
    if kind == "image" and not errcode:
        assert stage.http.get(f"/sandbox/media/{answer['media_id']}").content == PNG


def test_tags_collapse_append_and_are_listed(stage: Stage):
    first = stage.api("externalcontact/add_corp_tag", {"group_name": "等级", "tag": [{"name": "金"}, {"name": "金"}]})
    again = stage.api("externalcontact/add_corp_tag", {"group_name": "等级", "tag": [{"name": "银", "order": 9}]})
    assert first["tag_group"]["group_id"] == again["tag_group"]["group_id"]
    (group,) = stage.api("externalcontact/get_corp_tag_list", {})["tag_group"]
    assert [tag["name"] for tag in group["tag"]] == ["银", "金"]
    one = stage.api("externalcontact/get_corp_tag_list", {"tag_id": [group["tag"][1]["id"]]})["tag_group"][0]
    assert [tag["name"] for tag in one["tag"]] == ["金"]
    assert stage.api("externalcontact/get_corp_tag_list", {"group_id": ["x"]})["tag_group"] == []


def test_a_contact_way_is_kept_as_it_was_made(stage: Stage):
    stage.move_in(1)
    body = {"type": 1, "scene": 2, "user": ["guide1"], "state": "POSTER", "remark": "门口海报"}
    made = stage.api("externalcontact/add_contact_way", body)
    kept = stage.api("externalcontact/get_contact_way", {"config_id": made["config_id"]})["contact_way"]
    assert kept == {**body, "config_id": made["config_id"], "qr_code": made["qr_code"], "skip_verify": True}
    assert "qr_code" not in stage.api("externalcontact/add_contact_way", {**body, "scene": 1})


def test_mass_messages_are_listed_in_pages_once_dispatched(stage: Stage):
    customers = stage.move_in(1)
    made = [stage.send(customers, text=str(number))["msgid"] for number in range(3)]
    now = int(stage.look("calls")["items"][-1]["at_us"] / 1e6)
    body = {"chat_type": "single", "start_time": now - 60, "end_time": now + 60, "limit": 2}
    assert stage.api("externalcontact/get_groupmsg_list_v2", body)["group_msg_list"] == []
    stage.tick(1)
    first = stage.api("externalcontact/get_groupmsg_list_v2", body)
    second = stage.api("externalcontact/get_groupmsg_list_v2", {**body, "cursor": first["next_cursor"]})
    assert [item["msgid"] for item in first["group_msg_list"] + second["group_msg_list"]] == made
    assert second["next_cursor"] == ""
    assert stage.api("externalcontact/get_groupmsg_list_v2", {**body, "filter_type": 1})["group_msg_list"] == []
    assert stage.code("externalcontact/get_groupmsg_list_v2", {**body, "cursor": "zzz"}) == 50100


def test_results_come_in_pages(stage: Stage):
    customers = stage.move_in(5)
    made = stage.send(customers)
    stage.tick(60)
    seen: list[str] = []
    cursor = ""
    while True:
        body = {"msgid": made["msgid"], "userid": "guide1", "limit": 2, "cursor": cursor}
        answer = stage.api("externalcontact/get_groupmsg_send_result", body)
        seen += [row["external_userid"] for row in answer["send_list"]]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert seen == customers
    assert stage.code("externalcontact/get_groupmsg_send_result", {**body, "userid": "nobody"}) == 60111
    stage.do("staff", [{"userid": "other"}])
    assert stage.code("externalcontact/get_groupmsg_send_result", {**body, "userid": "other"}) == 40003


def test_reminding_more_than_thrice_a_day_is_41094(stage: Stage):
    body = {"msgid": stage.send(stage.move_in(1))["msgid"]}
    assert [stage.code("externalcontact/remind_groupmsg_send", body) for _ in range(4)] == [0, 0, 0, 41094]
    stage.tick(86_401)
    assert stage.code("externalcontact/remind_groupmsg_send", body) == 0


def test_a_tag_filter_chooses_the_senders_customers(stage: Stage):
    stage.move_in(3)
    group = stage.api("externalcontact/add_corp_tag", {"group_name": "g", "tag": [{"name": "a"}]})["tag_group"]
    tag = group["tag"][0]["id"]
    stage.api("externalcontact/mark_tag", {"userid": "guide1", "external_userid": "wm001", "add_tag": [tag]})
    made = stage.api(ADD, {**TEXT, "sender": "guide1", "tag_filter": {"group_list": [{"tag_list": [tag]}]}})
    stage.tick(60)
    assert stage.results(made["msgid"]) == {"wm001": 1}


# ---------------------------------------------------------------------- app messages
APP: dict[str, Any] = {"agentid": 1000002, "touser": "guide1", "msgtype": "text", "text": {"content": "去回访"}}


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({}, 0), ({"agentid": None}, 41011), ({"agentid": 5}, 40056), ({"msgtype": "song"}, 40008),
        ({"text": {"content": ""}}, 44004), ({"text": {"content": "长" * 700}}, 45002), ({"touser": ""}, 82001),
        ({"touser": "x|y"}, 81013), ({"touser": "|".join(f"u{i}" for i in range(1001))}, 81017),
        ({"msgtype": "textcard", "textcard": {"title": "t", "description": "d"}}, 40058),
        ({"msgtype": "textcard", "textcard": {"title": "t" * 129, "description": "d", "url": "http://x"}}, 45002),
        ({"msgtype": "textcard", "textcard": {"title": "t", "description": "d", "url": "x"}}, 45034),
    ],
)  # fmt: skip
def test_app_messages_are_checked(stage: Stage, change: dict[str, Any], errcode: int):
    stage.move_in(1)
    assert stage.code("message/send", {**APP, **change}) == errcode


def test_app_messages_reach_members_and_too_many_are_dropped_in_silence(stage: Stage):
    stage.move_in(1)
    answer = stage.api("message/send", {**APP, "touser": "Guide1|Nobody"})
    assert (answer["errcode"], answer["invaliduser"]) == (0, "nobody")
    for number in range(32):
        assert stage.code("message/send", {**APP, "text": {"content": str(number)}}) == 0
    rows = stage.look("staff-messages", userid="guide1")["items"]
    assert len(rows) == 33
    assert sum(row["dropped"] is not None for row in rows) == 3


def test_a_duplicate_app_message_is_dropped_when_asked(stage: Stage):
    stage.move_in(1)
    for _ in range(2):
        assert stage.code("message/send", {**APP, "enable_duplicate_check": 1}) == 0
    assert [row["dropped"] is None for row in stage.look("staff-messages")["items"]] == [False, True]
