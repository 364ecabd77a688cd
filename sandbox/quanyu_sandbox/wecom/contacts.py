"""Customers as the API shows them: W:92571, W:92113, W:92114, W:92994, W:92115, W:92118.

`get` and `batch/get_by_user` differ on purpose (`follow_user[].tags` there, `follow_info.tag_id` here), as in WeCom.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Call, Refusal, invalid

_FOLLOWERS = 500


def get_follow_user_list(call: Call) -> dict[str, Any]:
    """The members who have customer contact."""
    return {"follow_user": [row["userid"] for row in call.world.store.all("SELECT userid FROM staff ORDER BY 1")]}


def list_customers(call: Call) -> dict[str, Any]:
    """`?userid`: the ids of a member's customers; 84061 when there are none."""
    userid = call.member(call.query.get("userid"))
    rows = call.world.store.all("SELECT external_userid FROM follow WHERE userid = ? ORDER BY 1", userid)
    if not rows:
        raise Refusal(84061, "not external contact")
    return {"external_userid": [row["external_userid"] for row in rows]}


def _contact(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    contact = {
        "external_userid": row["external_userid"],
        "name": row["name"],
        "avatar": f"{call.base_url}/sandbox/avatar/{row['external_userid']}",
        "type": row["type"],
        "gender": row["gender"],
    }
    # Only for WeChat users, and only when the corporation has bound a WeChat developer id.
    if row["type"] == 1 and row["unionid"] and call.world.settings.developer_bound:
        contact["unionid"] = row["unionid"]
    if row["type"] == 2:
        contact |= {"position": "", "corp_name": "沙箱合作企业", "corp_full_name": "沙箱合作企业有限公司"}
    return contact


def _follow(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "userid": row["userid"],
        "remark": row["remark"] or row["name"],
        "description": row["description"],
        "createtime": row["added_at"] // SECOND,
        "remark_corp_name": row["remark_company"],
        "remark_mobiles": json.loads(row["remark_mobiles"]),
        "oper_userid": row["userid"],
        "add_way": row["add_way"],
        **({"state": row["state"]} if row["state"] else {}),
    }


def get_customer(call: Call) -> dict[str, Any]:
    """`?external_userid&cursor`."""
    external = call.query.get("external_userid")
    if not external:
        raise Refusal(41035, "missing external userid")
    place = call.cursor(call.query.get("cursor", ""))
    store = call.world.store
    row = store.one("SELECT * FROM customer WHERE external_userid = ?", external)
    if row is None:
        raise Refusal(40096, "invalid external userid")
    follows = store.all(
        "SELECT f.*, c.name FROM follow f JOIN customer c USING (external_userid)"
        " WHERE external_userid = ? AND userid > ? ORDER BY userid LIMIT ?",
        external, place, _FOLLOWERS + 1,
    )  # fmt: skip
    if not follows and not place:
        raise Refusal(84061, "not external contact")
    more = len(follows) > _FOLLOWERS
    answer: dict[str, Any] = {
        "external_contact": _contact(call, row),
        "follow_user": [{**_follow(each), "tags": _tags(call, each)} for each in follows[:_FOLLOWERS]],
    }
    if more:
        answer["next_cursor"] = call.next_cursor(follows[_FOLLOWERS - 1]["userid"], more=True)
    return answer


def _tags(call: Call, follow: sqlite3.Row) -> list[dict[str, Any]]:
    rows = call.world.store.all(
        "SELECT g.name AS group_name, t.name, t.tag_id FROM follow_tag f JOIN tag t USING (tag_id)"
        " JOIN tag_group g USING (group_id) WHERE f.userid = ? AND f.external_userid = ? ORDER BY t.tag_id",
        follow["userid"], follow["external_userid"],
    )  # fmt: skip
    return [
        {"group_name": row["group_name"], "tag_name": row["name"], "tag_id": row["tag_id"], "type": 1} for row in rows
    ]


def batch_get_by_user(call: Call) -> dict[str, Any]:
    """`{userid_list <= 100, cursor, limit <= 100}`: customers with one relation each."""
    members = call.texts("userid_list", most=100, errcode=40032)
    if not members:
        raise Refusal(40031, "invalid userid list")
    staff = [call.member(userid) for userid in members]
    limit = call.whole("limit", 50, least=1, most=100)
    after_user, _, after_customer = call.cursor().partition("\n")
    rows = call.world.store.all(
        "SELECT f.*, c.name, c.type, c.gender, c.unionid FROM follow f JOIN customer c USING (external_userid)"
        " WHERE f.userid IN (SELECT value FROM json_each(?)) AND (f.userid, f.external_userid) > (?, ?)"
        " ORDER BY f.userid, f.external_userid LIMIT ?",
        json.dumps(staff), after_user, after_customer, limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    found = []
    for row in page:
        tags = [tag["tag_id"] for tag in _tags(call, row)]
        found.append({"external_contact": _contact(call, row), "follow_info": {**_follow(row), "tag_id": tags}})
    last = page[-1] if page else None
    place = f"{last['userid']}\n{last['external_userid']}" if last is not None else ""
    return {
        "external_contact_list": found,
        "next_cursor": call.next_cursor(place, more=len(rows) > limit),
        "fail_info": {"unlicensed_userid_list": []},
    }


def remark(call: Call) -> dict[str, Any]:
    """`{userid, external_userid, remark, description, remark_company, remark_mobiles}`, at least one of the four."""
    given: dict[str, Any] = {}
    for name, most in (("remark", 20), ("description", 150), ("remark_company", 20)):
        value = call.text(name, most=most)
        if value is not None:
            given[name] = value
    mobiles = call.body.get("remark_mobiles")
    if mobiles is not None:
        numbers = call.texts("remark_mobiles", most=100)
        given["remark_mobiles"] = json.dumps([number for number in numbers if number])  # [""] clears
    userid, external = call.relation()
    if not given and call.body.get("remark_pic_mediaid") is None:
        raise Refusal(40063, "some parameters are empty")
    for name, value in given.items():  # names are the constants above
        call.db.execute(
            f"UPDATE follow SET {name} = ? WHERE userid = ? AND external_userid = ?",  # noqa: S608
            (value, userid, external),
        )
    return {}


def mark_tag(call: Call) -> dict[str, Any]:
    """`{userid, external_userid, add_tag, remove_tag}`, not both lists empty."""
    add, remove = call.texts("add_tag", most=100), call.texts("remove_tag", most=100)
    if not add and not remove:
        raise Refusal(40063, "some parameters are empty")
    if set(add) & set(remove):
        raise invalid("remove_tag", "a tag cannot be added and removed at once")
    userid, external = call.relation()
    for tag in (*add, *remove):
        if call.world.store.one("SELECT 1 FROM tag WHERE tag_id = ?", tag) is None:
            raise Refusal(40068, "invalid tagid")
    call.db.executemany(
        "DELETE FROM follow_tag WHERE userid = ? AND external_userid = ? AND tag_id = ?",
        [(userid, external, tag) for tag in remove],
    )
    call.db.executemany("INSERT OR IGNORE INTO follow_tag VALUES (?,?,?)", [(userid, external, tag) for tag in add])
    return {}
