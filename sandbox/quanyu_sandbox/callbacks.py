"""WeCom's callbacks: which event is told for what, as encrypted XML (W:90968, W:92130), and the check of an address.

What was done through the API is never told; what customers, staff and the admin console do is.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.crypto import encrypt, signature
from quanyu_sandbox.world import World

_NUMBERS = frozenset({"CreateTime"})


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where callbacks go, and with which keys."""

    url: str
    token: str
    aes_key: str


class Callbacks:
    """Writes callbacks into the outgoing list, and seals them when they go."""

    def __init__(self, world: World) -> None:
        self.world = world

    def receiver(self) -> Receiver:
        """The address that was saved last, else the one of the settings."""
        saved = self.world.store.meta("callback")
        if saved is not None:
            return Receiver(**json.loads(saved))
        settings = self.world.settings
        return Receiver(settings.callback_url, settings.token, settings.aes_key)

    def save(self, receiver: Receiver) -> None:
        """Keep a receiver over restarts."""
        self.world.store.remember(
            "callback",
            json.dumps({"url": receiver.url, "token": receiver.token, "aes_key": receiver.aes_key}),
        )

    # ------------------------------------------------------------------ what is told
    def contact_changed(
        self, db: sqlite3.Connection, change: str, userid: str, external_userid: str, at: int, **more: str
    ) -> None:
        """`change_external_contact` with a ChangeType; empty fields are left out, as WeCom does."""
        fields = {"ChangeType": change, "UserID": userid, "ExternalUserID": external_userid}
        fields.update({name: value for name, value in more.items() if value})
        self._queue(db, "change_external_contact", fields, at)

    def tag_changed(self, db: sqlite3.Connection, change: str, tag_type: str, key: str, at: int) -> None:
        """`change_external_tag`: create, update or delete of a tag or a tag group in the console."""
        self._queue(db, "change_external_tag", {"ChangeType": change, "TagType": tag_type, "Id": key}, at)

    def _queue(self, db: sqlite3.Connection, event: str, fields: dict[str, str], at: int) -> None:
        message = {
            "ToUserName": self.world.settings.corp_id,
            "FromUserName": "sys",
            "CreateTime": str(at // SECOND),
            "MsgType": "event",
            "Event": event,
            **fields,
        }
        number = self.world.store.number("SELECT max(id) FROM outgoing") + 1
        self.world.tell(db, "callback", f"callback:{number}", {"fields": message}, at)

    # ------------------------------------------------------------------ how it is told
    def request(self, fields: dict[str, str], key: str, receiver: Receiver) -> tuple[dict[str, str], bytes]:
        """The query and body of one delivery; `key` makes its nonce and its random bytes."""
        sealed, query = self._sealed(to_xml(fields), key, receiver)
        body = (
            f"<xml><ToUserName><![CDATA[{self.world.settings.corp_id}]]></ToUserName>"
            f"<AgentID><![CDATA[{self.world.settings.agent_id}]]></AgentID>"
            f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        )
        return query, body.encode()

    def echo(self, key: str, receiver: Receiver) -> tuple[dict[str, str], str]:
        """The query of an address check, and the plain text that must come back."""
        word = str(int(self.world.chance.digest("echo", key)[:15], 16))
        sealed, query = self._sealed(word, key, receiver)
        return {**query, "echostr": sealed}, word

    def _sealed(self, text: str, key: str, receiver: Receiver) -> tuple[str, dict[str, str]]:
        digest = self.world.chance.digest("callback", key)
        sealed = encrypt(receiver.aes_key, text, self.world.settings.corp_id, digest[:16].encode())
        timestamp, nonce = str(self.world.clock.now() // SECOND), str(int(digest[16:28], 16))[:10]
        signed = signature(receiver.token, timestamp, nonce, sealed)
        return sealed, {"msg_signature": signed, "timestamp": timestamp, "nonce": nonce}


def to_xml(fields: dict[str, Any]) -> str:
    """The XML of an event: texts in CDATA, CreateTime bare."""
    parts = []
    for name, value in fields.items():
        text = str(value)
        inner = escape(text) if name in _NUMBERS or "]]>" in text else f"<![CDATA[{text}]]>"
        parts.append(f"<{name}>{inner}</{name}>")
    return f"<xml>{''.join(parts)}</xml>"
