"""send_welcome_msg (W:92137): within 20 seconds of the event, and once."""

from __future__ import annotations

from typing import Any

from quanyu_sandbox.wecom.call import Call, Refusal
from quanyu_sandbox.wecom.content import checked_content


def send_welcome_msg(call: Call) -> dict[str, Any]:
    """`{welcome_code, text, attachments}`. 41096 is given by the gateway while another call holds the code."""
    code = call.body.get("welcome_code")
    if not code:
        raise Refusal(41049, "missing welcome code")
    text, attachments = checked_content(call)
    row = call.world.store.one("SELECT * FROM welcome WHERE code = ?", str(code))
    if row is None or row["expires_at"] <= call.now:
        raise Refusal(41050, "invalid or expired welcome code")
    chat = call.world.store.one(
        "SELECT friend, chatted_at FROM follow WHERE userid = ? AND external_userid = ?",
        row["userid"], row["external_userid"],
    )  # fmt: skip
    if row["used_at"] is not None or (chat is not None and chat["chatted_at"]):
        raise Refusal(41051, "the chat has started, or the welcome message was sent")
    if chat is None or not chat["friend"]:
        raise Refusal(84061, "not external contact")
    call.db.execute("UPDATE welcome SET used_at = ? WHERE code = ?", (call.now, row["code"]))
    call.sending.welcome(call.db, row["code"], row["userid"], row["external_userid"], text, attachments)
    return {}
