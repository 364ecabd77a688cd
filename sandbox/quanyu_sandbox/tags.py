"""Corp tags and their groups: one place that keeps them, for the API (silent) and the console (told by callback)."""

from __future__ import annotations

import sqlite3
from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.world import World

MOST_TAGS = 10_000


class Tags:
    """The tags of the corporation."""

    def __init__(self, world: World) -> None:
        self.world = world

    def count(self) -> int:
        """How many tags there are."""
        return self.world.store.number("SELECT count(*) FROM tag")

    def group(self, db: sqlite3.Connection, name: str, place: int = 0) -> tuple[str, bool]:
        """The id of the group of that name, and whether it had to be made."""
        row = self.world.store.one("SELECT group_id FROM tag_group WHERE name = ?", name)
        if row is not None:
            return str(row["group_id"]), False
        group_id = "etSBXg" + self.world.chance.digest("tag group", name)[:26]
        db.execute("INSERT INTO tag_group VALUES (?,?,?,?)", (group_id, name, place, self.world.clock.now()))
        return group_id, True

    def add(self, db: sqlite3.Connection, group_id: str, name: str, place: int = 0) -> tuple[str, bool]:
        """The id of the tag of that name in a group, and whether it had to be made."""
        row = self.world.store.one("SELECT tag_id FROM tag WHERE group_id = ? AND name = ?", group_id, name)
        if row is not None:
            return str(row["tag_id"]), False
        tag_id = "etSBX" + self.world.chance.digest("tag", group_id, name)[:27]
        db.execute("INSERT INTO tag VALUES (?,?,?,?,?)", (tag_id, group_id, name, place, self.world.clock.now()))
        return tag_id, True

    def document(self, group_id: str, *, deleted: bool = True) -> dict[str, Any]:
        """A group as WeCom shows it; `deleted` only in lists."""
        group = self.world.store.one("SELECT * FROM tag_group WHERE group_id = ?", group_id)
        assert group is not None
        flag = {"deleted": False} if deleted else {}
        tags = self.world.store.all(
            "SELECT * FROM tag WHERE group_id = ? ORDER BY place DESC, created_at, tag_id", group_id
        )
        return {
            "group_id": group_id,
            "group_name": group["name"],
            "create_time": group["created_at"] // SECOND,
            "order": group["place"],
            **flag,
            "tag": [
                {
                    "id": tag["tag_id"], "name": tag["name"], "create_time": tag["created_at"] // SECOND,
                    "order": tag["place"], **flag,
                }
                for tag in tags
            ],
        }  # fmt: skip
