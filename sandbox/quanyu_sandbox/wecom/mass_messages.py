"""企业群发 (W:92135, W:93338, W:97610, W:97611): tasks that members confirm, their results, reminders, cancellation."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Call, Refusal, invalid
from quanyu_sandbox.wecom.content import checked_content

_DAY = 86_400 * SECOND
_REMINDERS_A_DAY = 3


def add_msg_template(call: Call) -> dict[str, Any]:
    """A task for each member concerned. Who is nobody's customer stands in `fail_list`; nobody left is 41048."""
    chat_type = call.text("chat_type") or "single"
    if chat_type not in ("single", "group"):
        raise invalid("chat_type", "single or group")
    if chat_type == "group":
        raise invalid("chat_type", "this corporation has no customer groups")
    text, attachments = checked_content(call)
    wanted = list(dict.fromkeys(call.texts("external_userid", most=10_000)))
    given = call.text("sender")
    if not wanted and not given:
        if call.body.get("tag_filter"):
            raise invalid("sender", "a tag_filter needs a sender here")
        raise invalid("external_userid", "sender, external_userid and tag_filter are all empty")
    sender = call.member(given) if given else None
    targets = _targets(call, wanted, sender)
    reached = {external for _, external in targets}
    failed = [external for external in wanted if external not in reached]
    if not targets:
        raise Refusal(41048, "no customer can be sent to", fail_list=failed)
    msgid = call.sending.make_task(call.db, call.raw, text, attachments, targets, sender)
    return {"fail_list": failed, "msgid": msgid}


def _targets(call: Call, wanted: list[str], sender: str | None) -> list[tuple[str, str]]:
    """(userid, external_userid): the sender's customers, else each with the member who talked to them last."""
    store = call.world.store
    if sender and not wanted:
        tagged = call.body.get("tag_filter")
        rows = store.all("SELECT external_userid FROM follow WHERE userid = ? ORDER BY 1", sender)
        found = [row["external_userid"] for row in rows]
        return [(sender, each) for each in found if tagged is None or _has_tags(call, sender, each, tagged)]
    rows = store.all(
        "SELECT f.external_userid, f.userid FROM follow f JOIN json_each(?1) j ON j.value = f.external_userid"
        " WHERE ?2 IS NULL OR f.userid = ?2"
        " ORDER BY f.external_userid, f.friend DESC, max(f.chatted_at, f.added_at) DESC, f.userid",
        json.dumps(wanted), sender,
    )  # fmt: skip
    chosen: dict[str, str] = {}
    for row in rows:
        chosen.setdefault(row["external_userid"], row["userid"])
    return [(chosen[each], each) for each in wanted if each in chosen]


def _has_tags(call: Call, userid: str, external: str, tag_filter: Any) -> bool:
    """Any tag of each group, all groups."""
    groups = tag_filter.get("group_list") if isinstance(tag_filter, dict) else None
    if not isinstance(groups, list) or not all(isinstance(each, dict) for each in groups):
        raise invalid("tag_filter", "{group_list: [{tag_list: []}]}")
    rows = call.world.store.all(
        "SELECT tag_id FROM follow_tag WHERE userid = ? AND external_userid = ?", userid, external
    )
    has = {row["tag_id"] for row in rows}
    return all(has & set(group.get("tag_list") or []) for group in groups)


def get_groupmsg_list_v2(call: Call) -> dict[str, Any]:
    """`{chat_type, start_time, end_time, filter_type, limit <= 100, cursor}`; a task shows up once it is dispatched."""
    if call.text("chat_type") not in ("single", "group"):
        raise invalid("chat_type", "single or group")
    start, end = call.whole("start_time", 0, least=1, most=2**33), call.whole("end_time", 0, least=1, most=2**33)
    if not start or not end or end < start or end - start > 31 * 86_400:
        raise invalid("start_time", "start_time and end_time span at most a month")
    limit = call.whole("limit", 50, least=1, most=100)
    place = call.cursor()
    if call.body["chat_type"] == "group" or call.body.get("filter_type", 2) == 1:
        return {"group_msg_list": [], "next_cursor": ""}
    rows = call.world.store.all(
        "SELECT * FROM mass WHERE created_at >= ? AND created_at < ? AND created_at <= ? AND number > ?"
        " ORDER BY number LIMIT ?",
        start * SECOND, (end + 1) * SECOND, call.now - _dispatch(call), int(place or 0), limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    found = []
    for row in page:
        item = {"msgid": row["msgid"], "create_time": row["created_at"] // SECOND, "create_type": 0}
        if row["text"]:
            item["text"] = {"content": row["text"]}
        found.append({**item, "attachments": json.loads(row["attachments"])})
    return {
        "group_msg_list": found,
        "next_cursor": call.next_cursor(page[-1]["number"] if page else 0, more=len(rows) > limit),
    }


def _dispatch(call: Call) -> int:
    speed = 1.0 if call.world.clock.virtual else call.world.settings.speed
    return int(call.world.settings.dispatch_seconds / speed * SECOND)


def _mass(call: Call, *, cancelled_too: bool = False) -> sqlite3.Row:
    msgid = call.body.get("msgid")
    if not msgid:
        raise Refusal(41046, "missing group message id")
    row = call.world.store.one("SELECT * FROM mass WHERE msgid = ?", str(msgid))
    if row is None:
        raise Refusal(41047, "invalid group message id")
    if row["cancelled_at"] is not None and not cancelled_too:
        raise Refusal(41093, "the group message has been cancelled")
    return row


def _dispatched(call: Call) -> sqlite3.Row:
    row = _mass(call, cancelled_too=True)
    if call.now < row["created_at"] + _dispatch(call):
        raise Refusal(41063, "the group message is being dispatched, try again later")
    return row


def get_groupmsg_task(call: Call) -> dict[str, Any]:
    """`{msgid, limit <= 1000, cursor}`: 0 not sent, 2 sent."""
    mass, limit = _dispatched(call), call.whole("limit", 500, least=1, most=1000)
    rows = call.world.store.all(
        "SELECT * FROM task WHERE msgid = ? AND userid > ? ORDER BY userid LIMIT ?",
        mass["msgid"], call.cursor(), limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    return {
        "task_list": [
            {"userid": row["userid"], "status": row["status"]}
            | ({"send_time": row["sent_at"] // SECOND} if row["sent_at"] else {})
            for row in page
        ],
        "next_cursor": call.next_cursor(page[-1]["userid"] if page else "", more=len(rows) > limit),
    }


def get_groupmsg_send_result(call: Call) -> dict[str, Any]:
    """`{msgid, userid, limit <= 1000, cursor}`: 0 not sent, 1 sent, 2 no friend any more, 3 over the cap."""
    mass, limit = _dispatched(call), call.whole("limit", 500, least=1, most=1000)
    userid = call.member(call.body.get("userid"))
    if call.world.store.one("SELECT 1 FROM task WHERE msgid = ? AND userid = ?", mass["msgid"], userid) is None:
        raise Refusal(40003, "invalid userid, no task of this member")
    rows = call.world.store.all(
        "SELECT * FROM delivery WHERE msgid = ? AND userid = ? AND external_userid > ?"
        " ORDER BY external_userid LIMIT ?",
        mass["msgid"], userid, call.cursor(), limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    return {
        "send_list": [
            {"external_userid": row["external_userid"], "userid": row["userid"], "status": row["status"]}
            | ({"send_time": row["sent_at"] // SECOND} if row["sent_at"] else {})
            for row in page
        ],
        "next_cursor": call.next_cursor(page[-1]["external_userid"] if page else "", more=len(rows) > limit),
    }


def remind_groupmsg_send(call: Call) -> dict[str, Any]:
    """`{msgid}`: members who have not confirmed are asked again, three times in 24 hours."""
    mass = _mass(call)
    recent = call.world.store.number(
        "SELECT count(*) FROM reminder WHERE msgid = ? AND at > ?", mass["msgid"], call.now - _DAY
    )
    if recent >= _REMINDERS_A_DAY:
        raise Refusal(41094, "remind too often")
    call.db.execute("INSERT INTO reminder VALUES (?,?)", (mass["msgid"], call.now))
    return {}


def cancel_groupmsg_send(call: Call) -> dict[str, Any]:
    """`{msgid}`: open tasks are closed; what was sent stays sent."""
    mass = _mass(call)
    call.db.execute("UPDATE mass SET cancelled_at = ? WHERE msgid = ?", (call.now, mass["msgid"]))
    call.db.execute("DELETE FROM agenda WHERE kind = 'confirm' AND json_extract(subject, '$[0]') = ?", (mass["msgid"],))
    return {}
