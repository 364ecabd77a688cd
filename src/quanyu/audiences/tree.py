"""The condition tree: what the console edits, the API takes and an audience stores.

A rule names a predicate and its parameters, a group combines its children; every node has an id that stays while
the tree is edited, so an error can point at it. What a predicate means is not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from quanyu.audiences.errors import RuleError, TreeInvalid
from quanyu.kernel.faults import of_field
from quanyu.kernel.label import Label

MAX_DEPTH = 6
MAX_NODES = 100
MAX_CHILDREN = 50
MAX_BYTES = 64_000

NodeId = Annotated[str, Field(min_length=1, max_length=64)]


class Rule(BaseModel):
    """One predicate with its parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["rule"] = "rule"
    id: NodeId
    predicate: Annotated[str, Field(min_length=1, max_length=64)]
    params: dict[str, Any] = Field(default_factory=dict)


class Group(BaseModel):
    """Children combined: all of them, any, none, or at least `k`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["group"] = "group"
    id: NodeId
    op: Literal["and", "or", "not", "at_least"] = "and"
    k: int | None = None
    children: tuple[Annotated[Group | Rule, Field(discriminator="type")], ...] = ()


Node = Group | Rule
_NODE: TypeAdapter[Node] = TypeAdapter(Annotated[Node, Field(discriminator="type")])


def parse_tree(data: Any) -> Node:
    """The tree of decoded JSON, its shape checked: types, ids, depth, size, `k`.

    Raises TreeInvalid with every fault at the id of its node (`""` where a node has none).
    """
    if isinstance(data, Group | Rule):
        tree: Node = data
    else:
        _check_size(data)
        try:
            tree = _NODE.validate_python(data)
        except ValidationError as error:
            raise TreeInvalid(_shape_errors(data, error)) from None
    errors = list(_structure_errors(tree))
    if errors:
        raise TreeInvalid(errors)
    return tree


def dump_tree(tree: Node) -> dict[str, Any]:
    """The tree as plain JSON data, `k` only where it says something."""
    if isinstance(tree, Rule):
        return tree.model_dump(mode="json")
    data: dict[str, Any] = {"type": "group", "id": tree.id, "op": tree.op}
    if tree.k is not None:
        data["k"] = tree.k
    data["children"] = [dump_tree(child) for child in tree.children]
    return data


def canonical(tree: Node) -> str:
    """One text for equal trees: the key of caches."""
    return json.dumps(dump_tree(tree), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def rules(tree: Node) -> Iterator[Rule]:
    """Every rule of the tree, in reading order."""
    if isinstance(tree, Rule):
        yield tree
    else:
        for child in tree.children:
            yield from rules(child)


def rule(predicate: str, id: str = "r1", /, **params: Any) -> dict[str, Any]:  # noqa: A002 - the tree's own word
    """A rule as JSON data: for the drills of reports and for tests."""
    return {"type": "rule", "id": id, "predicate": predicate, "params": params}


def group(op: str, *children: Mapping[str, Any], id: str = "g1", k: int | None = None) -> dict[str, Any]:  # noqa: A002
    """A group as JSON data; children are renamed so that ids stay unique: `g1`, `g1.1`, `g1.2`, ..."""
    data: dict[str, Any] = {"type": "group", "id": id, "op": op}
    if k is not None:
        data["k"] = k
    data["children"] = [_renamed(child, f"{id}.{i}") for i, child in enumerate(children, 1)]
    return data


def _renamed(node: Mapping[str, Any], name: str) -> dict[str, Any]:
    data = {**node, "id": name}
    if "children" in node:
        data["children"] = [_renamed(child, f"{name}.{i}") for i, child in enumerate(node["children"], 1)]
    return data


def _check_size(data: Any) -> None:
    """Bound the work before pydantic recurses into what a stranger sent."""
    nodes, front, depth = 0, [data], 0
    while front:
        depth += 1
        nodes += len(front)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            at = next((str(node["id"]) for node in front if isinstance(node, Mapping) and "id" in node), "")
            raise TreeInvalid([_too_deep(at) if depth > MAX_DEPTH else _too_many(at)])
        front = [
            child
            for node in front
            if isinstance(node, Mapping) and isinstance(node.get("children"), list | tuple)
            for child in node["children"]
        ]
    if len(json.dumps(data, default=str)) > MAX_BYTES:
        raise TreeInvalid(
            [RuleError("", "", Label("条件过大，请拆成几个人群包", "The conditions are too large; split the audience"))]
        )


def _shape_errors(data: Any, error: ValidationError) -> Iterator[RuleError]:
    for fault in error.errors():
        node: Any = data
        path: list[str] = []
        at = str(data.get("id", "")) if isinstance(data, Mapping) else ""
        for step in fault["loc"]:
            if step in ("group", "rule"):
                continue  # the discriminator's value, not a place in the data
            if isinstance(step, int) and isinstance(node, list | tuple) and step < len(node):
                node = node[step]
                if isinstance(node, Mapping):
                    at, path = str(node.get("id", at)), []
                continue
            node = node.get(step) if isinstance(node, Mapping) else None
            if step != "children":
                path.append(str(step))
        yield RuleError(at, ".".join(path), of_field(fault))


def _structure_errors(tree: Node) -> Iterator[RuleError]:
    seen: set[str] = set()
    total = 0

    def visit(node: Node, depth: int) -> Iterator[RuleError]:
        nonlocal total
        total += 1
        if node.id in seen:
            yield RuleError(node.id, "id", Label("编号重复", "The id occurs twice"))
        seen.add(node.id)
        if depth > MAX_DEPTH:
            yield _too_deep(node.id)
            return
        if isinstance(node, Rule):
            return
        count = len(node.children)
        if not count:
            yield RuleError(node.id, "", Label("条件组是空的，请添加条件", "The group is empty; add a condition"))
        if count > MAX_CHILDREN:
            yield RuleError(
                node.id,
                "",
                Label(f"一组最多 {MAX_CHILDREN} 个条件", f"A group holds {MAX_CHILDREN} conditions at most"),
            )
        if node.op == "at_least" and (node.k is None or not 1 <= node.k <= max(count, 1)):
            yield RuleError(
                node.id, "k", Label(f"“至少满足”的个数应为 1 到 {count}", f"“At least” must be from 1 to {count}")
            )
        for child in node.children:
            yield from visit(child, depth + 1)

    yield from visit(tree, 1)
    if total > MAX_NODES:
        yield _too_many(tree.id)


def _too_deep(at: str) -> RuleError:
    return RuleError(at, "", Label(f"条件最多嵌套 {MAX_DEPTH} 层", f"Conditions nest {MAX_DEPTH} levels at most"))


def _too_many(at: str) -> RuleError:
    return RuleError(at, "", Label(f"条件最多 {MAX_NODES} 个", f"A tree holds {MAX_NODES} conditions at most"))
