"""get_corp_tag_list and add_corp_tag (W:92117)."""

from __future__ import annotations

from typing import Any

from quanyu_sandbox.tags import MOST_TAGS, Tags
from quanyu_sandbox.wecom.call import Call, Refusal

_LONGEST = 30
_PLACES = 2**32


def get_corp_tag_list(call: Call) -> dict[str, Any]:
    """`{tag_id, group_id}`; both empty is everything, group_id wins."""
    tags, groups = call.texts("tag_id", most=10_000), call.texts("group_id", most=10_000)
    keeper = Tags(call.world)
    found = []
    for row in call.world.store.all("SELECT group_id FROM tag_group ORDER BY place DESC, created_at, group_id"):
        group = keeper.document(row["group_id"])
        if groups:
            if group["group_id"] in groups:
                found.append(group)
        elif tags:
            group["tag"] = [tag for tag in group["tag"] if tag["id"] in tags]
            if group["tag"]:
                found.append(group)
        else:
            found.append(group)
    return {"tag_group": found}


def add_corp_tag(call: Call) -> dict[str, Any]:
    """`{group_id | group_name, order, tag: [{name, order}]}`: the same names collapse, the same group appends."""
    given = call.body.get("tag")
    if not isinstance(given, list) or not given:
        raise Refusal(40063, "some parameters are empty, tag")
    wanted = [(_name(item), _place(item)) for item in given]
    keeper, name = Tags(call.world), call.text("group_name")
    group_id = call.text("group_id")
    if group_id:
        if call.world.store.one("SELECT 1 FROM tag_group WHERE group_id = ?", group_id) is None:
            raise Refusal(40068, "invalid tagid, group_id")
    elif not name:
        raise Refusal(40063, "some parameters are empty, group_name")
    elif len(name) > _LONGEST:
        raise Refusal(40072, "invalid tag name length, group_name")
    if keeper.count() + len({each for each, _ in wanted}) > MOST_TAGS:
        raise Refusal(40126, "corp tag number exceeds the limit")
    if not group_id:
        group_id, _ = keeper.group(call.db, str(name), _place(call.body))
    made = {keeper.add(call.db, group_id, each, place)[0] for each, place in wanted}
    group = keeper.document(group_id, deleted=False)
    group["tag"] = [tag for tag in group["tag"] if tag["id"] in made]
    return {"tag_group": group}


def _name(item: Any) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str) or not name:
        raise Refusal(40071, "invalid tag name")
    if len(name) > _LONGEST:
        raise Refusal(40072, "invalid tag name length")
    return name


def _place(item: dict[str, Any]) -> int:
    place = item.get("order", 0)
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < _PLACES:
        raise Refusal(40058, "invalid Request Parameter: order, from 0 to 2^32 - 1")
    return place
