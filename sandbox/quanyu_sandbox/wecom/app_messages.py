"""message/send (W:90236): app messages to members. What exceeds 30 a minute for one member is dropped in silence."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Call, Refusal, invalid

_KINDS = ("text", "textcard", "markdown", "news", "miniprogram_notice", "image", "file", "video", "template_card")
_A_MINUTE, _AN_HOUR = 30, 1000


def send_app_message(call: Call) -> dict[str, Any]:
    """To members named in `touser` ('a|b' or '@all'); this corporation has no departments and no member tags."""
    body = call.body
    if body.get("agentid") is None:
        raise Refusal(41011, "missing agentid")
    if str(body["agentid"]) != call.world.settings.agent_id:
        raise Refusal(40056, "invalid agentid")
    kind = body.get("msgtype")
    if kind not in _KINDS or not isinstance(body.get(kind), dict):
        raise Refusal(40008, "invalid msgtype")
    _check_content(kind, body[kind])
    wanted = [each for each in str(body.get("touser") or "").split("|") if each]
    parties = [each for each in str(body.get("toparty") or "").split("|") if each]
    labels = [each for each in str(body.get("totag") or "").split("|") if each]
    if not wanted and not parties and not labels:
        raise Refusal(82001, "touser, toparty and totag are all empty")
    if len(wanted) > 1000:
        raise Refusal(81017, "too many users, at most 1000")
    staff = {row["userid"].lower(): row["userid"] for row in call.world.store.all("SELECT userid FROM staff")}
    everybody = wanted == ["@all"]
    receivers = (
        sorted(staff.values()) if everybody else [staff[each.lower()] for each in wanted if each.lower() in staff]
    )
    unknown = [] if everybody else [each.lower() for each in wanted if each.lower() not in staff]
    if not receivers:
        raise Refusal(81013, "user, party and tag are all invalid")
    count = call.world.store.number("SELECT count(*) FROM staff_message")
    msgid = "APP" + call.world.chance.digest("app message", count, call.now)[:40]
    content = json.dumps(body[kind], ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(f"{kind}{content}".encode()).hexdigest()
    for userid in dict.fromkeys(receivers):
        call.db.execute(
            "INSERT INTO staff_message (msgid, userid, at, msgtype, body, content_hash, dropped)"
            " VALUES (?,?,?,?,?,?,?)",
            (msgid, userid, call.now, kind, content, digest, _dropped(call, userid, digest)),
        )
    call.world.bell.ring()
    answer = {
        "invaliduser": "|".join(unknown), "invalidparty": "|".join(parties), "invalidtag": "|".join(labels),
        "unlicenseduser": "", "msgid": msgid,
    }  # fmt: skip
    if kind == "template_card":
        answer["response_code"] = call.world.chance.digest("response code", msgid)[:32]
    return answer


def _check_content(kind: str, part: dict[str, Any]) -> None:
    if kind in ("text", "markdown"):
        if not part.get("content"):
            raise Refusal(44004, "empty content")
        if len(str(part["content"]).encode()) > 2048:
            raise Refusal(45002, "content size out of limit, at most 2048 bytes")
    if kind == "textcard":
        for name, most in (("title", 128), ("description", 512), ("url", 2048)):
            value = part.get(name)
            if not value:
                raise invalid(f"textcard.{name}", "it is missing")
            if len(str(value)) > most:
                raise Refusal(45002, f"textcard.{name} size out of limit, at most {most}")
        if not str(part["url"]).startswith(("http://", "https://")):
            raise Refusal(45034, "the url needs a scheme")


def _dropped(call: Call, userid: str, digest: str) -> str | None:
    """Why a member never sees this message, or None."""
    store = call.world.store
    for span, most in ((60, _A_MINUTE), (3600, _AN_HOUR)):
        had = store.number(
            "SELECT count(*) FROM staff_message WHERE userid = ? AND dropped IS NULL AND at > ?",
            userid, call.now - span * SECOND,
        )  # fmt: skip
        if had >= most:
            return f"more than {most} in {span} s"
    if call.body.get("enable_duplicate_check") == 1:
        interval = call.whole("duplicate_check_interval", 1800, least=1, most=4 * 3600)
        twin = store.number(
            "SELECT count(*) FROM staff_message WHERE userid = ? AND content_hash = ? AND dropped IS NULL AND at > ?",
            userid, digest, call.now - interval * SECOND,
        )  # fmt: skip
        if twin:
            return "a duplicate within the interval"
    return None
