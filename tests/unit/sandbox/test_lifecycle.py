"""From a task to an order: who confirms, who receives, who buys, and what the brand hears of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sandbox.stage import START, Brand, Stage, on_stage

DAY = 86_400


def test_a_task_waits_for_its_member_and_then_reaches_its_customers(stage: Stage):
    customers = stage.move_in(3, block_rate=0)
    made = stage.send([*customers, "wm-stranger"])
    assert made["fail_list"] == ["wm-stranger"]
    query = {"msgid": made["msgid"], "userid": "guide1"}
    assert stage.code("externalcontact/get_groupmsg_task", query) == 41063
    assert stage.code("externalcontact/get_groupmsg_send_result", query) == 41063
    stage.tick(0.5)
    assert stage.api("externalcontact/get_groupmsg_task", query)["task_list"] == [{"userid": "guide1", "status": 0}]
    assert set(stage.results(made["msgid"]).values()) == {0}
    assert stage.stat("messages") == 0
    stage.tick(120)
    (task,) = stage.api("externalcontact/get_groupmsg_task", query)["task_list"]
    assert task["status"] == 2
    assert START < task["send_time"] <= START + 120
    assert stage.results(made["msgid"]) == dict.fromkeys(customers, 1)
    assert stage.stat("messages") == 3


def test_without_confirmation_nothing_is_ever_sent_until_a_member_taps(tmp_path: Path):
    with on_stage(tmp_path, confirm=False) as stage:
        made = stage.send(stage.move_in(2))
        stage.tick(30 * DAY)
        assert stage.stat("messages") == 0
        assert stage.do("act", {"action": "confirm", "msgid": made["msgid"]})["reached"] == 2
        assert stage.do("act", {"action": "confirm", "msgid": made["msgid"]})["reached"] == 0
        assert stage.stat("messages") == 2


def test_a_customer_who_left_is_2_and_is_not_shown_the_message(stage: Stage):
    customers = stage.move_in(2)
    made = stage.send(customers)
    stage.do("act", {"action": "block", "external_userid": customers[1]})
    stage.tick(120)
    assert stage.results(made["msgid"]) == {customers[0]: 1, customers[1]: 2}
    assert len(stage.look("messages", external_userid=customers[1])["items"]) == 0
    stage.do("act", {"action": "drop", "external_userid": customers[1]})
    refused = stage.send([customers[1]])
    assert (refused["errcode"], refused["fail_list"]) == (41048, [customers[1]])


@pytest.mark.parametrize(("cap", "limit"), [("month", 31), ("week", 7), ("day", 1)])
def test_over_the_cap_is_3_until_the_next_span(tmp_path: Path, cap: str, limit: int):
    with on_stage(tmp_path, cap=cap, confirm_seconds=1) as stage:
        (customer,) = stage.move_in(1, read_rate=0, block_rate=0)
        codes = []
        for number in range(limit + 2):
            made = stage.send([customer], text=f"第 {number} 条")
            stage.tick(60)
            codes.append(stage.results(made["msgid"])[customer])
        assert codes == [1] * limit + [3, 3]
        stage.tick({"month": 31, "week": 7, "day": 1}[cap] * DAY)
        made = stage.send([customer], text="下一期")
        stage.tick(60)
        assert stage.results(made["msgid"]) == {customer: 1}


def test_without_a_sender_the_member_who_talked_last_gets_the_task(stage: Stage):
    stage.do("customers", [{"external_userid": "wmA", "name": "甲", "staff": ["guide1", "guide2"]}])
    stage.tick(10)
    stage.do("act", {"action": "say", "external_userid": "wmA", "userid": "guide2", "text": "在吗"})
    made = stage.send(["wmA"])
    stage.tick(1)
    tasks = stage.api("externalcontact/get_groupmsg_task", {"msgid": made["msgid"]})["task_list"]
    assert [task["userid"] for task in tasks] == ["guide2"]
    assert stage.send(["wmA"], text="x", sender="GUIDE1")["errcode"] == 0  # userids are case-insensitive


def test_a_cancelled_task_sends_nothing_and_later_use_is_41093(stage: Stage):
    made = stage.send(stage.move_in(2))
    query = {"msgid": made["msgid"]}
    assert stage.code("externalcontact/remind_groupmsg_send", query) == 0
    assert stage.code("externalcontact/cancel_groupmsg_send", query) == 0
    stage.tick(DAY)
    assert stage.stat("messages") == 0
    assert stage.do("act", {"action": "confirm", "msgid": made["msgid"]})["reached"] == 0
    assert stage.code("externalcontact/cancel_groupmsg_send", query) == 41093
    assert stage.code("externalcontact/remind_groupmsg_send", query) == 41093


def test_reading_tapping_and_buying_go_through_the_brands_interfaces(stage: Stage):
    (customer,) = stage.move_in(1, read_rate=1, open_rate=1, redeem_rate=1, block_rate=0)
    stage.brand.threshold = 50_000
    stage.send([customer], send="TOKEN1")
    assert stage.tick(DAY)["settled"] is True
    names = [event["event"] for event in sorted(stage.brand.events, key=lambda event: event["timestamp"])]
    assert sorted(names) == ["coupon_viewed", "message_read", "mini_program_opened", "order_paid"]
    assert names[0] == "message_read"
    for event in stage.brand.events:
        assert event["properties"]["send"] == event["properties"]["send_token"] == "TOKEN1"
        assert {one["type"]: one["id"] for one in event["context"]["externalIds"]} == {
            "external_userid": "ww0123456789abcdef:wm000", "unionid": "union0", "openid": "wx1:open0",
        }  # fmt: skip
        assert "userId" not in event
    (order,) = stage.brand.named("order_paid")
    (redemption,) = stage.brand.redeem_posts
    bought = order["properties"]
    assert bought["order_id"] == redemption["order_id"] == redemption["key"]
    assert (redemption["channel"], redemption["store_id"]) == ("mini_program", "S1")
    assert redemption["amount"] >= 50_000
    # Money is minor units in the coupon API and major units in Segment; the coupon takes 10.00 off.
    assert round(bought["revenue"] * 100) == redemption["amount"] - 1000
    sums = sum(round(line["price"] * 100) * line["quantity"] for line in bought["products"])
    assert sums == redemption["amount"]
    assert bought["effect_id"] == "effect-TOKEN1-wm000"
    basic, bearer = base64.b64encode(b"wk:").decode(), "Bearer qk"
    assert stage.brand.authorization == {f"Basic {basic}", bearer}
    assert (stage.stat("read"), stage.stat("opened"), stage.stat("redeemed")) == (1, 1, 1)


def test_what_the_brand_did_not_answer_is_said_again_with_the_same_ids(stage: Stage):
    (customer,) = stage.move_in(1, read_rate=1, open_rate=1, redeem_rate=1, block_rate=0)
    stage.brand.down = {"/v1/batch": 2, "/redeem": 2}
    stage.send([customer], send="T2")
    assert stage.tick(DAY)["settled"] is True
    assert len({event["messageId"] for event in stage.brand.events}) == len(stage.brand.events) == 4
    assert len(stage.brand.redeemed) == 1


def test_a_refused_coupon_means_no_order(stage: Stage):
    (customer,) = stage.move_in(1, read_rate=1, open_rate=1, redeem_rate=1, block_rate=0)
    stage.brand.refuse = (409, {"code": "coupon_expired", "title": "优惠券已过期"})
    stage.send([customer], send="T3")
    assert stage.tick(DAY)["settled"] is True
    assert stage.brand.named("order_paid") == []
    assert stage.stat("redeemed") == 0
    assert stage.look("outgoing", state="refused")["items"][0]["lane"] == "redeem"


def test_a_blocking_customer_is_told_by_callback_and_reads_nothing(stage: Stage):
    (customer,) = stage.move_in(1, read_rate=1, block_rate=1)
    stage.send([customer], send="T4")
    stage.tick(DAY)
    assert stage.stat("friends") == 0
    (callback,) = stage.brand.callbacks
    assert "<ChangeType><![CDATA[del_follow_user]]></ChangeType>" in callback
    assert f"<ExternalUserID><![CDATA[{customer}]]></ExternalUserID>" in callback
    assert stage.brand.events == []


def test_customers_buy_without_being_asked_at_their_own_rate(stage: Stage):
    stage.move_in(50, purchase_rate=0.1)
    stage.tick(10 * DAY)
    orders = stage.brand.named("order_paid")
    assert 20 <= len(orders) <= 90
    # Who buys has put it into the cart before; most who do so do not buy by themselves.
    carts = stage.brand.named("product_added_to_cart")
    assert 2 * len(orders) < len(carts) < 5 * len(orders)
    assert len({order["properties"]["order_id"] for order in orders}) == len(orders)
    assert all("send" not in order["properties"] for order in orders)


def opening(folder: Path, ticks: list[float]) -> list[tuple[str, str, str]]:
    """The events of the first minutes after 120 people moved in, as (customer, name, time)."""
    with on_stage(folder, Brand(), opening=100) as stage:
        stage.move_in(120, purchase_rate=1e-9)
        for seconds in ticks:
            stage.tick(seconds)
        return sorted(
            (event["context"]["externalIds"][0]["id"], event["event"], event["timestamp"])
            for event in stage.brand.events
        )


def test_the_first_minute_is_a_crowd_and_the_same_one_whatever_the_ticks(tmp_path: Path):
    told = opening(tmp_path / "a", [60.0, 60.0])
    carts = [(who, at) for who, name, at in told if name == "product_added_to_cart"]
    bought = [who for who, name, _ in told if name == "order_paid"]
    assert len(carts) == len({who for who, _ in carts}) == 100
    assert max(at for _, at in carts) < "2026-03-02T01:01:00"
    assert sum(at < "2026-03-02T01:00:30" for _, at in carts) >= 60  # more come early than late
    assert 10 <= len(bought) <= 40
    assert told == opening(tmp_path / "b", [5.0] * 24)


def test_who_never_met_a_guide_adds_one(tmp_path: Path):
    with on_stage(tmp_path, opening=100) as stage:
        new = {"external_userid": "wn1", "name": "新客", "staff": "guide2", "friend": False, "purchase_rate": 1e-9}
        stage.do("customers", [new])
        assert stage.stat("friends") == 0
        stage.tick(60)
        assert stage.stat("friends") == 1
        (callback,) = stage.brand.callbacks
        assert "<ChangeType><![CDATA[add_external_contact]]></ChangeType>" in callback
        stage.tick(3 * DAY)
        assert len(stage.brand.callbacks) == 1


def test_the_shops_open_when_the_first_customers_move_in(tmp_path: Path):
    with on_stage(tmp_path) as stage:
        stage.tick(60)
        stage.move_in(40, purchase_rate=0.3)
        stage.tick(DAY)
        assert len(stage.brand.named("product_added_to_cart")) >= 20  # not only from the second day on


def outcome(folder: Path, ticks: list[float], order: int = 1) -> tuple[list[tuple[Any, ...]], list[str]]:
    with on_stage(folder, brand=Brand()) as stage:
        customers = stage.move_in(40, read_rate=0.7, open_rate=0.7, redeem_rate=0.5, block_rate=0.15, purchase_rate=0.2)
        half = [customers[:20], customers[20:]][::order]
        for part in half:
            stage.send(part, text="两批不同的人", send=f"token{order}")
        for seconds in ticks:
            stage.tick(seconds)
        bubbles = [item for item in stage.look("messages")["items"] if item["kind"] == "miniprogram"]
        rows = [
            (item["external_userid"], item["at"], item["read_at"], item["opened_at"], item["redeemed_at"])
            for item in bubbles
        ]
        told = [event["messageId"] + event["timestamp"] for event in stage.brand.events]
        return sorted(rows), sorted(told)


def test_the_seed_decides_whatever_the_ticks(tmp_path: Path):
    coarse, told = outcome(tmp_path / "a", [7200.0])
    fine, told_finely = outcome(tmp_path / "b", [60.0] * 120)
    assert coarse == fine
    assert told == told_finely
    assert 0 < sum(row[4] is not None for row in coarse) < 40


def test_the_seed_decides_whatever_the_order_and_the_tokens(tmp_path: Path):
    one, _ = outcome(tmp_path / "a", [7200.0], order=1)
    other, _ = outcome(tmp_path / "b", [7200.0], order=-1)
    assert one == other


def test_another_seed_is_another_world(tmp_path: Path):
    worlds = []
    for seed in (7, 8):
        with on_stage(tmp_path / str(seed), seed=seed) as stage:
            stage.send(stage.move_in(30, read_rate=0.5), send="T")
            stage.tick(DAY)
            worlds.append([item["read_at"] for item in stage.look("messages")["items"]])
    assert worlds[0] != worlds[1]


def test_the_same_body_twice_is_two_messages(stage: Stage):
    customers = stage.move_in(1, read_rate=0, block_rate=0)
    first, second = stage.send(customers), stage.send(customers)
    assert first["msgid"] != second["msgid"]
    calls = stage.look("calls", path="externalcontact/add_msg_template")["items"]
    assert len(calls) == 2
    assert len({call["body_hash"] for call in calls}) == 1
    assert [call["subjects"] for call in calls] == [customers, customers]
    assert all(call["wall_at_us"] > START * 1e6 for call in calls)
    stage.tick(120)
    assert stage.stat("messages") == 2
