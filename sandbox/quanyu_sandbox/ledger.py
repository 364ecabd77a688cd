"""The ledger of API calls: what was asked, when, and what came of it. Tests prove with it that nothing was submitted
twice, and at what instant. Secrets and tokens are not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from quanyu_sandbox.clock import iso
from quanyu_sandbox.world import World

_LONGEST_BODY = 1_000_000
_HIDDEN = ("corpsecret", "access_token")


class Ledger:
    """Written in the transaction of the call itself."""

    def __init__(self, world: World, wall: Callable[[], int]) -> None:
        self.world = world
        self._wall = wall

    def note(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        raw: bytes,
        errcode: int,
        *,
        fault: str | None,
        executed: bool,
        subjects: list[str],
    ) -> None:
        """Add a call. `executed`: whether it changed or read the world, whatever the caller was answered."""
        shown = {key: ("…" if key in _HIDDEN else value) for key, value in query.items()}
        try:
            text: str | None = raw.decode() if len(raw) <= _LONGEST_BODY else None
        except UnicodeDecodeError:
            text = None
        with self.world.store.write() as db:
            db.execute(
                "INSERT INTO call (wall_at, at, method, path, query, body_hash, body, errcode, fault, executed,"
                " subjects) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (
                    self._wall(), self.world.clock.now(), method, path, json.dumps(shown, ensure_ascii=False),
                    hashlib.sha256(raw).hexdigest(), text, errcode, fault, int(executed),
                    json.dumps(subjects, ensure_ascii=False),
                ),
            )  # fmt: skip

    def calls(self, path: str, after: int, limit: int, *, bodies: bool) -> list[dict[str, Any]]:
        """Calls in order, of one path or of all."""
        rows = self.world.store.all(
            "SELECT * FROM call WHERE id > ?1 AND (?2 = '' OR path = ?2) ORDER BY id LIMIT ?3", after, path, limit
        )
        return [
            {
                "id": row["id"], "at": iso(row["at"]), "at_us": row["at"], "wall_at_us": row["wall_at"],
                "method": row["method"], "path": row["path"], "query": json.loads(row["query"]),
                "body_hash": row["body_hash"], "errcode": row["errcode"], "fault": row["fault"],
                "executed": bool(row["executed"]), "subjects": json.loads(row["subjects"]),
                **({"body": row["body"]} if bodies else {}),
            }
            for row in rows
        ]  # fmt: skip
