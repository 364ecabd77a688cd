"""add_contact_way and get_contact_way (W:92228): 「联系我」, the channel code."""

from __future__ import annotations

import json
from typing import Any

from quanyu_sandbox.wecom.call import Call, Refusal, invalid
from quanyu_sandbox.wecom.content import checked_attachments

_MOST_CODES = 500_000
_MOST_USERS = 100


def add_contact_way(call: Call) -> dict[str, Any]:
    """A code that customers scan; its `state` comes back with `add_external_contact`."""
    body = call.body
    for name, missing, wrong in (("type", 41037, 41039), ("scene", 41038, 41040)):
        if body.get(name) is None:
            raise Refusal(missing, f"missing contact way {name}")
        if body[name] not in (1, 2):
            raise Refusal(wrong, f"invalid contact way {name}")
    if body.get("style") not in (None, 0, 1, 2, 3):
        raise Refusal(41042, "invalid contact way style")
    call.text("remark", most=30)
    call.text("state", most=30)
    users = [call.member(userid) for userid in call.texts("user", most=10_000)]
    if len(users) > _MOST_USERS:
        raise Refusal(41041, "contact way user exceeds the limit")
    if body["type"] == 1 and len(users) != 1:
        raise invalid("user", "type 1 takes exactly one user")
    if not users and not body.get("party"):
        raise Refusal(40063, "some parameters are empty, user")
    if not users:
        raise invalid("party", "this corporation has no departments, name users")
    conclusions = body.get("conclusions")
    if conclusions is not None:
        if not isinstance(conclusions, dict):
            raise invalid("conclusions", "an object is wanted")
        parts = [{"msgtype": name, name: part} for name, part in conclusions.items() if name != "text"]
        checked_attachments(call, parts)
    count = call.world.store.number("SELECT count(*) FROM contact_way")
    if count >= _MOST_CODES:
        raise Refusal(41045, "contact way number exceeds the limit")
    config = call.world.chance.digest("contact way", call.world.settings.corp_id, count)[:32]
    kept = {
        key: body[key]
        for key in ("type", "scene", "style", "remark", "skip_verify", "state", "party", "is_temp", "expires_in",
                    "chat_expires_in", "unionid", "is_exclusive", "mark_source", "conclusions")
        if key in body
    } | {"user": users}  # fmt: skip
    kept.setdefault("skip_verify", True)
    if body["scene"] == 2:
        kept["qr_code"] = f"{call.base_url}/phone/scan/{config}"
    call.db.execute("INSERT INTO contact_way VALUES (?,?,?)", (config, json.dumps(kept, ensure_ascii=False), call.now))
    return {"config_id": config, **({"qr_code": kept["qr_code"]} if "qr_code" in kept else {})}


def get_contact_way(call: Call) -> dict[str, Any]:
    """`{config_id}`."""
    config = call.body.get("config_id")
    if not config:
        raise Refusal(41043, "missing contact way config_id")
    row = call.world.store.one("SELECT * FROM contact_way WHERE config_id = ?", str(config))
    if row is None:
        raise Refusal(41044, "invalid contact way config_id")
    return {"contact_way": {"config_id": config, **json.loads(row["body"])}}
