"""Stored sets as others need them: in a condition, as an option, page by page, counted within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import bitmaps, store
from quanyu.audiences.contracts import PeoplePage, UsedBy
from quanyu.audiences.errors import RuleError, TreeInvalid
from quanyu.audiences.options import Option, contains
from quanyu.audiences.store import StoredVersion
from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.label import Label, same
from quanyu.storage.state import State


def stored_members(tx: sa.Connection, scope: Scope, audience_id: str) -> BitMap:
    """The newest stored set of an audience of the brand. Raises NotFound."""
    stored = store.get(tx, scope.brand_id, audience_id)
    return store.members(tx, audience_id, stored.version)


def audiences_in(tx: sa.Connection, scope: Scope, audience_id: str) -> Sequence[UsedBy]:
    """The brand's audiences whose trees name this one."""
    return [
        UsedBy("audience", one.audience_id, one.name)
        for one in store.of_brand(tx, scope.brand_id)
        if audience_id in named_audiences(one.tree)
    ]


def named_audiences(node: Mapping[str, Any]) -> set[str]:
    """The audiences that a tree's rules name."""
    if node.get("type") == "rule":
        return {node["params"]["audience_id"]} if node["predicate"] == "in_audience" else set()
    return {name for child in node.get("children", ()) for name in named_audiences(child)}


class AudienceOptions:
    """Audiences as options, with the size of their newest version (for the whole brand only)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Audiences whose name contains `q`."""
        with self._state.read() as tx:
            hits = [one for one in store.of_brand(tx, scope.brand_id) if contains(q, one.audience_id, same(one.name))]
            sizes = {
                one.audience_id: store.versions(tx, one.audience_id, 1)[0].size
                for one in hits[:limit]
                if one.version is not None and scope.whole_brand
            }
        return [Option(one.audience_id, same(one.name), sizes.get(one.audience_id)) for one in hits[:limit]]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those audiences that exist."""
        with self._state.read() as tx:
            return {
                one.audience_id: same(one.name) for one in store.of_brand(tx, scope.brand_id) if one.audience_id in keys
            }


def refuse_circle(tx: sa.Connection, scope: Scope, audience_id: str, tree: Mapping[str, Any]) -> None:
    """Raise TreeInvalid, at the first rule that names an audience, if the tree made the audience rest on itself."""
    trees = {one.audience_id: one.tree for one in store.of_brand(tx, scope.brand_id)} | {audience_id: dict(tree)}
    front, seen = [audience_id], set[str]()
    while front:
        for other in named_audiences(trees.get(front.pop(), {})):
            if other == audience_id:
                fault = Label("人群包不能直接或间接包含自己", "An audience cannot rest on itself")
                raise TreeInvalid([RuleError(_first_naming(tree), "audience_id", fault)])
            if other not in seen:
                seen.add(other)
                front.append(other)


def _first_naming(node: Mapping[str, Any]) -> str:
    if node.get("type") == "rule":
        return str(node["id"]) if node["predicate"] == "in_audience" else ""
    return next((found for child in node["children"] if (found := _first_naming(child))), "")


def sizes_within(tx: sa.Connection, audience_id: str, v: StoredVersion, visible: BitMap | None) -> tuple[int, int, int]:
    """Size, entered and left of a version; for a narrower scope counted anew, 0 where nothing is kept to count."""
    if visible is None:
        return v.size, v.entered, v.left
    if not v.kept:
        return 0, 0, 0
    now = store.members(tx, audience_id, v.version) & visible
    try:
        before = store.members(tx, audience_id, v.version - 1) & visible if v.version > 1 else BitMap()
    except QuanyuError:
        return len(now), 0, 0
    return len(now), now.difference_cardinality(before), before.difference_cardinality(now)


def page_of(found: BitMap, after: int | None, limit: int) -> PeoplePage:
    """One page of a set, in ascending `person_id`, after `after`."""
    ids = bitmaps.to_ids(found)
    start = 0 if after is None else int(np.searchsorted(ids, after, side="right"))
    page = tuple(int(i) for i in ids[start : start + limit])
    return PeoplePage(page, page[-1] if start + limit < ids.size else None, len(found))
