"""What is wrong with a tree is said at the id of its node, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest

from quanyu.audiences.errors import TreeInvalid
from quanyu.audiences.tree import MAX_DEPTH, MAX_NODES, canonical, dump_tree, group, parse_tree, rule

LEAF = rule("tag", tags=["t"])


def faults(data: Any) -> list[tuple[str, str]]:
    with pytest.raises(TreeInvalid) as caught:
        parse_tree(data)
    assert all(error.message.zh and error.message.en for error in caught.value.errors)
    return [(error.id, error.field) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"type": "group", "id": "g", "op": "and", "children": []}, [("g", "")]),
        ({"type": "group", "id": "g", "op": "xor", "children": [LEAF]}, [("g", "op")]),
        ({"type": "group", "id": "g", "op": "at_least", "children": [LEAF]}, [("g", "k")]),
        ({"type": "group", "id": "g", "op": "at_least", "k": 2, "children": [LEAF]}, [("g", "k")]),
        ({"type": "group", "id": "g", "op": "at_least", "k": 0, "children": [LEAF]}, [("g", "k")]),
        ({"type": "group", "id": "g", "children": [LEAF, {**LEAF, "predicate": 7, "id": "r2"}]}, [("r2", "predicate")]),
        ({"type": "group", "id": "g", "children": [LEAF, LEAF]}, [("r1", "id")]),
        ({"type": "rule", "id": "r", "predicate": "tag", "params": [], "x": 1}, [("r", "params"), ("r", "x")]),
        ({"type": "rule", "predicate": "tag", "params": {}}, [("", "id")]),
        ({"type": "leaf", "id": "r"}, [("r", "")]),
        (["not", "a", "tree"], [("", "")]),
        (None, [("", "")]),
        ("x", [("", "")]),
    ],
)
def test_faults_are_found_where_they_are(data: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(data) == expected


def test_depth_and_size_are_bounded_before_anything_recurses() -> None:
    deep: dict[str, Any] = LEAF
    for level in range(50_000):
        deep = {"type": "group", "id": f"g{level}", "op": "and", "children": [deep]}
    assert faults(deep) == [("g49993", "")]
    wide = {"type": "group", "id": "g", "op": "and", "children": [{**LEAF, "id": str(i)} for i in range(MAX_NODES)]}
    assert faults(wide) == [("0", "")]
    big = rule("tag", "r", tags=["t" * 70_000])
    assert faults(big) == [("", "")]


def test_the_deepest_tree_that_is_allowed_is_taken() -> None:
    tree: dict[str, Any] = {**LEAF, "id": "leaf"}
    for level in range(MAX_DEPTH - 1):
        tree = {"type": "group", "id": f"g{level}", "op": "or", "children": [tree]}
    assert dump_tree(parse_tree(tree)) == tree


def test_equal_trees_have_one_text() -> None:
    one = group("and", LEAF, group("at_least", LEAF, LEAF, k=2))
    other = {key: one[key] for key in reversed(one)}
    assert canonical(parse_tree(one)) == canonical(parse_tree(other))
    assert [c["id"] for c in one["children"][1]["children"]] == ["g1.2.1", "g1.2.2"]
    assert dump_tree(parse_tree(one)) == one


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"id": "g"}, "缺少 'type'"),
        ({"type": "x", "id": "g"}, "'type' 只能是 'group', 'rule' 之一"),
        ({"type": "group", "id": "g", "children": "a"}, "应为列表"),
        ({"type": "group", "id": "g", "op": "xor"}, "只能是 'and', 'or', 'not', 'at_least' 之一"),
        (5, "应为「名称: 值」的对象"),
    ],
)
def test_the_shape_is_said_in_words_and_not_in_a_librarys(data: Any, said: str) -> None:
    with pytest.raises(TreeInvalid) as caught:
        parse_tree(data)
    assert [error.message.zh for error in caught.value.errors] == [said]
