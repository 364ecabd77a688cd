"""The pages are served, and what they ask for is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import quanyu_sandbox
from tests.unit.sandbox.stage import Stage

STATIC = Path(quanyu_sandbox.__file__).parent / "static"


@pytest.mark.parametrize("path", ["/", "/phone", "/phone?lang=en"])
def test_a_page_loads_only_from_here(stage: Stage, path: str):
    answer = stage.http.get(path)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    parts = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert len(parts) >= 3
    for part in parts:
        assert stage.http.get(part).status_code == 200


def test_nothing_is_fetched_from_elsewhere_and_no_markup_is_made_of_text():
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "innerHTML" not in text, path


def test_every_word_is_there_in_both_languages():
    text = (STATIC / "texts.js").read_text(encoding="utf-8")
    chinese, english = text.split("  en: {")
    keys = [set(re.findall(r"(?:^|[{,\s])(\w+): \"", part)) for part in (chinese, english.split("const address")[0])]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 100
    used = set()
    for path in STATIC.glob("*.js"):
        used |= set(re.findall(r'\bt\("(\w+)"', path.read_text(encoding="utf-8")))
    for path in STATIC.glob("*.html"):
        used |= set(re.findall(r'data-t="(\w+)"', path.read_text(encoding="utf-8")))
    assert used <= keys[0]


def test_the_phone_shows_what_arrived_and_what_a_tap_brings(stage: Stage):
    (customer,) = stage.move_in(1, automatic=False)
    stage.send([customer], send="T1")
    stage.tick(120)
    (row,) = stage.look("customers", q="顾客0")["items"]
    assert (row["unread"], row["friend"]) == (2, True)
    (chat,) = stage.look(f"customers/{customer}")["chats"]
    assert (chat["userid"], chat["unread"], chat["last"]["kind"]) == ("guide1", 2, "miniprogram")
    text, card = stage.look("chat", external_userid=customer, userid="guide1")["messages"]
    assert (text["kind"], text["body"]) == ("text", {"content": "你好"})
    assert stage.do("act", {"action": "read", "external_userid": customer}) == {"read": 1}
    assert stage.do("act", {"action": "tap", "message_id": card["message_id"]})["send_token"] == "T1"
    (coupon,) = stage.look("coupons", message_id=card["message_id"])["items"]
    assert coupon["status"] == "issued"
    done = stage.do("act", {"action": "redeem", "message_id": card["message_id"]})
    assert done["outcome"] == "redeemed"
    again = stage.do("act", {"action": "redeem", "message_id": card["message_id"]})
    assert again["order_id"] == done["order_id"]
    assert len(stage.brand.redeemed) == 1
    assert stage.look("coupons", message_id=card["message_id"])["items"][0]["status"] == "redeemed"
    stage.tick(0)
    names = [event["event"] for event in stage.brand.events]
    assert sorted(names) == ["coupon_viewed", "message_read", "mini_program_opened", "order_paid"]
    assert stage.look("customers")["items"][0]["unread"] == 0


def test_a_refusal_is_told_in_the_brands_words_and_may_be_tried_again(stage: Stage):
    (customer,) = stage.move_in(1, automatic=False)
    stage.send([customer], send="T1")
    stage.tick(120)
    card = stage.look("chat", external_userid=customer)["messages"][1]["message_id"]
    stage.brand.refuse = (409, {"code": "coupon_expired", "title": "优惠券已过期", "detail": "优惠券已于昨天过期"})
    assert stage.do("act", {"action": "redeem", "message_id": card}, status=409) == {"error": "优惠券已于昨天过期"}
    stage.brand.refuse = None
    assert stage.do("act", {"action": "redeem", "message_id": card})["outcome"] == "redeemed"


def test_faces_are_drawn_and_names_are_no_markup(stage: Stage):
    stage.do("customers", [{"external_userid": "wmX", "name": "<script>", "staff": "g"}])
    answer = stage.http.get("/sandbox/avatar/wmX")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "&lt;" in answer.text
    assert "<script" not in answer.text


def test_a_scanned_code_leads_to_the_phone(stage: Stage):
    answer = stage.http.get("/phone/scan/abc", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/phone?scan=abc")
