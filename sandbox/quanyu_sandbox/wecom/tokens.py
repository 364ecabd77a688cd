"""gettoken (W:91039) and the check of a token: the same while it is valid, may be revoked before."""

from __future__ import annotations

import hmac
from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Call, Refusal
from quanyu_sandbox.world import World


def gettoken(call: Call) -> dict[str, Any]:
    """`?corpid&corpsecret`."""
    settings, store = call.world.settings, call.world.store
    corp, secret = call.query.get("corpid"), call.query.get("corpsecret")
    if not corp:
        raise Refusal(41002, "corpid missing")
    if not secret:
        raise Refusal(41004, "corpsecret missing")
    if corp != settings.corp_id:
        raise Refusal(40013, "invalid corpid")
    if not hmac.compare_digest(secret.encode(), settings.corp_secret.encode()):
        raise Refusal(40001, "invalid credential")
    row = store.one("SELECT * FROM token WHERE revoked = 0 AND expires_at > ?", call.now)
    if row is None:
        count = store.number("SELECT count(*) FROM token")
        token = call.world.chance.digest("token", settings.corp_id, secret, count)
        expires = call.now + settings.token_seconds * SECOND
        call.db.execute("INSERT INTO token (token, expires_at) VALUES (?,?)", (token, expires))
        return {"access_token": token, "expires_in": settings.token_seconds}
    return {"access_token": row["token"], "expires_in": (row["expires_at"] - call.now) // SECOND}


def check_token(world: World, token: str | None) -> None:
    """Refuses 41001 missing, 40014 unknown or revoked, 42001 expired."""
    if not token:
        raise Refusal(41001, "access_token missing")
    row = world.store.one("SELECT * FROM token WHERE token = ?", token)
    if row is None or row["revoked"]:
        raise Refusal(40014, "invalid access_token")
    if row["expires_at"] <= world.clock.now():
        raise Refusal(42001, "access_token expired")
