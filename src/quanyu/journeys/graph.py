"""A journey as it is drawn, and as it runs: reading a draft, saying what is wrong with it, compiling it.

A draft may be anything the canvas sends. A `Plan` is a draft without faults: frozen, acyclic, every node typed.
A journey has no loops, so a person visits each node at most once per participation; that is what makes
`(participation, node)` a key for what was seen and sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from quanyu.journeys.nodes import KIND_LABELS, Config, Fault, Goal, Trigger, ports, read
from quanyu.kernel.label import Label

MAX_NODES = 200


class Position(BaseModel):
    """Where a node is drawn, in canvas units."""

    x: float = 0
    y: float = 0


class DraftNode(BaseModel):
    """A node as the canvas sends it."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1, max_length=64)
    kind: str = Field(max_length=32)
    config: dict[str, Any] = Field(default_factory=dict)
    position: Position = Field(default_factory=Position)


class DraftEdge(BaseModel):
    """An arrow from one port of a node to another node."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    id: str = Field(min_length=1, max_length=128)
    source: str = Field(alias="from", max_length=64)
    port: str = Field(default="next", max_length=32)
    target: str = Field(alias="to", max_length=64)


class Draft(BaseModel):
    """The graph that the canvas edits and the API carries."""

    nodes: list[DraftNode] = Field(default_factory=list, max_length=2 * MAX_NODES)
    edges: list[DraftEdge] = Field(default_factory=list, max_length=4 * MAX_NODES)


class Reentry(BaseModel):
    """Whether a person may enter again: once; after having left; that and not within some days; or once per key."""

    model_config = ConfigDict(frozen=True)
    rule: Literal["once", "after_exit", "cooldown", "per_key"] = "once"
    cooldown_days: int | None = Field(default=None, ge=1, le=3650)


class QuietHours(BaseModel):
    """No message between `from` and `to`, brand-local wall clock (`22:00` to `08:00` crosses midnight)."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    start: str = Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(alias="to", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")


class JourneySettings(BaseModel):
    """What holds for the whole journey."""

    model_config = ConfigDict(frozen=True)
    holdout_percent: float = Field(default=10, ge=0, le=50)
    reentry: Reentry = Field(default_factory=Reentry)
    category: Literal["marketing", "service"] = "marketing"
    purpose: Literal["marketing", "service", "profiling", "sharing"] = "marketing"
    priority: int = Field(default=50, ge=0, le=100)
    daily_cap: int | None = Field(default=1, ge=1, le=1000)
    quiet_hours: QuietHours | None = None
    exit_on_goal: bool = True


@dataclass(frozen=True, slots=True)
class PlanNode:
    """A node of a plan: its settings, and where each of its ports leads (None ends the journey there)."""

    node_id: str
    kind: str
    config: Config
    ways: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph without faults, `order` from the trigger downwards (every arrow points forward in it)."""

    nodes: Mapping[str, PlanNode]
    order: tuple[str, ...]
    trigger: PlanNode
    goal: Goal | None

    @property
    def entry(self) -> Trigger:
        """The settings of the trigger."""
        assert isinstance(self.trigger.config, Trigger)
        return self.trigger.config

    def of_kind(self, kind: str) -> list[PlanNode]:
        """The nodes of a kind, in order."""
        return [self.nodes[node_id] for node_id in self.order if self.nodes[node_id].kind == kind]


class References(Protocol):
    """What a graph may name: asked while validating. Each answers whether it exists and can be used."""

    def connection_problem(self, connection: str) -> Label | None:
        """Why a connection cannot be used, None when it can."""
        ...

    def template_problem(self, template_id: str, connection: str, coupon_id: str | None) -> Label | None:
        """Why a template cannot be used on this connection and with this coupon, None when it can."""
        ...

    def coupon_problem(self, coupon_id: str) -> Label | None:
        """Why a coupon cannot be given, None when it can."""
        ...

    def audience_problem(self, audience_id: str) -> Label | None:
        """Why an audience cannot be used, None when it can."""
        ...

    def tree_problems(self, tree: dict[str, Any]) -> list[tuple[str, Label]]:
        """What is wrong with a condition tree: (path within it, sentence)."""
        ...


@dataclass(slots=True)
class Validation:
    """What is wrong (`errors` stop publishing), what is odd (`warnings` do not), and the plan if nothing is wrong."""

    errors: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    plan: Plan | None = None


def compile_graph(graph: Mapping[str, Any]) -> Plan:
    """The plan of a stored graph that was valid when it was published. Raises ValueError if it is not."""
    result = validate(Draft.model_validate(graph), JourneySettings(), None)
    if result.plan is None:
        raise ValueError(f"stored graph is not valid: {[fault.code for fault in result.errors]}")
    return result.plan


def validate(draft: Draft, settings: JourneySettings, references: References | None) -> Validation:
    """Everything that is wrong with a draft, node by node, in both languages.

    Without `references` only what the graph itself says is checked.
    """
    result = Validation()
    errors = result.errors
    configs: dict[str, Config] = {}
    kinds: dict[str, DraftNode] = {}
    for node in draft.nodes:
        if node.id in kinds:
            errors.append(Fault(node.id, "id", "node_repeated", Label("节点编号重复", "Two nodes have the same id")))
            continue
        kinds[node.id] = node
        config, faults = read(node.id, node.kind, node.config)
        errors.extend(faults)
        if config is not None:
            configs[node.id] = config
    _check_shape(kinds, errors)
    ways = _read_edges(draft, kinds, result)
    order = _order(kinds, ways, errors)
    if settings.reentry.rule == "cooldown" and settings.reentry.cooldown_days is None:
        errors.append(
            Fault(
                None,
                "settings.reentry.cooldown_days",
                "cooldown_missing",
                Label("请填写再次进入的冷却天数", "Fill in the days of the cool-down"),
            )
        )
    if references is not None:
        _check_references(kinds, configs, references, errors)
    if not errors:
        nodes = {key: PlanNode(key, kinds[key].kind, configs[key], ways[key]) for key in order}
        trigger = next(node for node in nodes.values() if node.kind == "trigger")
        goal = next((node.config for node in nodes.values() if isinstance(node.config, Goal)), None)
        result.plan = Plan(nodes, tuple(order), trigger, goal)
        _warn(result, settings)
    return result


def _check_shape(kinds: Mapping[str, DraftNode], errors: list[Fault]) -> None:
    if len(kinds) > MAX_NODES:
        errors.append(
            Fault(None, None, "too_many_nodes", Label(f"节点不能超过 {MAX_NODES} 个", f"At most {MAX_NODES} nodes"))
        )
    triggers = [node.id for node in kinds.values() if node.kind == "trigger"]
    if not triggers:
        errors.append(Fault(None, None, "trigger_missing", Label("缺少触发节点", "There is no trigger")))
    errors.extend(
        Fault(extra, None, "trigger_repeated", Label("只能有一个触发节点", "There can be only one trigger"))
        for extra in triggers[1:]
    )
    goals = [node.id for node in kinds.values() if node.kind == "goal"]
    errors.extend(
        Fault(extra, None, "goal_repeated", Label("只能有一个目标节点", "There can be only one goal"))
        for extra in goals[1:]
    )


def _read_edges(draft: Draft, kinds: Mapping[str, DraftNode], result: Validation) -> dict[str, dict[str, str | None]]:
    ways: dict[str, dict[str, str | None]] = {
        key: dict.fromkeys(ports(node.kind, node.config)) for key, node in kinds.items()
    }
    for edge in draft.edges:
        if edge.source not in kinds or edge.target not in kinds:
            result.errors.append(
                Fault(
                    edge.source if edge.source in kinds else None,
                    None,
                    "edge_dangling",
                    Label("连线指向不存在的节点，请删除后重连", "An arrow leads to a node that does not exist"),
                )
            )
        elif edge.port not in ways[edge.source]:
            result.errors.append(
                Fault(
                    edge.source,
                    None,
                    "port_unknown",
                    Label(f"该节点没有“{edge.port}”出口", f"This node has no exit called {edge.port}"),
                )
            )
        elif ways[edge.source][edge.port] is not None:
            result.errors.append(
                Fault(
                    edge.source,
                    None,
                    "port_repeated",
                    Label("一个出口只能连一条线", "An exit can lead to one node only"),
                )
            )
        elif kinds[edge.target].kind == "trigger":
            result.errors.append(
                Fault(
                    edge.source,
                    None,
                    "trigger_target",
                    Label("不能连回触发节点", "Nothing can lead back to the trigger"),
                )
            )
        else:
            ways[edge.source][edge.port] = edge.target
    return ways


def _order(
    kinds: Mapping[str, DraftNode], ways: Mapping[str, Mapping[str, str | None]], errors: list[Fault]
) -> list[str]:
    """Topological order from the trigger; faults for loops and for nodes that nobody can reach."""
    start = next((key for key, node in kinds.items() if node.kind == "trigger"), None)
    if start is None:
        return []
    state: dict[str, int] = {}
    finished: list[str] = []
    looping: set[str] = set()
    stack: list[tuple[str, list[str]]] = [(start, [to for to in ways[start].values() if to])]
    state[start] = 1
    while stack:
        node, rest = stack[-1]
        if rest:
            target = rest.pop(0)
            if state.get(target) == 1:
                looping.add(node)
            elif target not in state:
                state[target] = 1
                stack.append((target, [to for to in ways[target].values() if to]))
        else:
            state[node] = 2
            finished.append(node)
            stack.pop()
    errors.extend(
        Fault(key, None, "loop", Label("旅程不能绕圈，请删除这条回头的线", "A journey cannot loop; remove this arrow"))
        for key in sorted(looping)
    )
    errors.extend(
        Fault(key, None, "unreachable", Label("没有路可以走到这个节点", "No way leads to this node"))
        for key in kinds
        if key not in state and kinds[key].kind != "trigger"
    )
    return finished[::-1]


def _check_references(
    kinds: Mapping[str, DraftNode], configs: Mapping[str, Config], references: References, errors: list[Fault]
) -> None:
    for key, node in kinds.items():
        config = node.config
        if key not in configs:
            continue
        found: list[tuple[str, str, Label | None]] = []
        if node.kind == "trigger" and config["on"] == "audience":
            found.append(("audience_id", "audience_unusable", references.audience_problem(config["audience_id"])))
        elif node.kind == "branch":
            found += [
                (f"tree.{path}" if path else "tree", "condition_invalid", message)
                for path, message in references.tree_problems(config["tree"])
            ]
        elif node.kind == "send":
            coupon = config.get("coupon_id") or None
            problem = references.connection_problem(config["connection"])
            found.append(("connection", "connection_unusable", problem))
            if problem is None:
                message = references.template_problem(config["template_id"], config["connection"], coupon)
                found.append(("template_id", "template_unusable", message))
            if coupon:
                found.append(("coupon_id", "coupon_unusable", references.coupon_problem(coupon)))
        errors.extend(Fault(key, path, code, text) for path, code, text in found if text is not None)


def _warn(result: Validation, settings: JourneySettings) -> None:
    assert result.plan is not None
    plan, warnings = result.plan, result.warnings
    for node in plan.nodes.values():
        open_ports = [port for port, to in node.ways.items() if to is None]
        if open_ports and node.kind not in ("exit", "goal"):
            warnings.append(
                Fault(
                    node.node_id,
                    None,
                    "way_ends",
                    Label(
                        f"“{KIND_LABELS[node.kind].zh}”的出口没有连线，走到这里的人会结束旅程",
                        "An exit of this node leads nowhere; people who take it leave the journey",
                    ),
                )
            )
    if not plan.of_kind("send"):
        warnings.append(Fault(None, None, "nothing_sent", Label("旅程里没有发送节点", "This journey sends nothing")))
    if plan.goal is None:
        warnings.append(
            Fault(None, None, "goal_missing", Label("没有目标，无法衡量效果", "Without a goal nothing can be measured"))
        )
    if settings.holdout_percent == 0:
        warnings.append(
            Fault(
                None,
                "settings.holdout_percent",
                "holdout_missing",
                Label("没有对照组，无法得出增量效果", "Without a holdout the lift cannot be known"),
            )
        )
