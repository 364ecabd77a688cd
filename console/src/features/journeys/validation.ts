// What is wrong with a draft as far as the drawing itself tells, at once and without the server. Codes, rules and
// texts are those of the server's own check, which adds what only it knows: templates, audiences, connections.
import type { Label } from "@/shared/api";
import { MAX_NODES, openPorts, portsOf, reachable } from "./graph";
import type { Checked, Fault, Graph, JourneyNode, Kind, Settings } from "./types";

const label = (zh: string, en: string): Label => ({ zh, en });

const NEEDED: Record<Kind, (config: Record<string, unknown>) => [string, Label][]> = {
  trigger: (config) => {
    if (config["on"] === "audience") return [["audience_id", label("请选择人群包", "Choose the audience")]];
    if (config["on"] === "event") return [["event", label("请选择触发事件", "Choose the event that starts the journey")]];
    return [["on", label("请选择触发方式：事件或人群", "Choose what starts it: an event or an audience")]];
  },
  wait: (config) => [
    ["mode", label("请选择等待方式", "Choose how to wait")],
    ["value", label("请填写等待时长", "Fill in how long to wait")],
    ["unit", label("请选择时间单位", "Choose the unit of time")],
    ...(config["mode"] === "event" ? [["event", label("请选择要等待的事件", "Choose the event to wait for")] as [string, Label]] : []),
  ],
  branch: () => [["tree", label("请设置分支条件", "Set the condition of this branch")]],
  send: () => [
    ["connection", label("请选择发送通道", "Choose the connection to send on")],
    ["template_id", label("请选择消息模板", "Choose a message template")],
  ],
  goal: () => [["event", label("请选择目标事件", "Choose the goal event")]],
  exit: () => [],
};

function isBlank(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (typeof value !== "object") return false;
  const children = (value as { children?: unknown[] }).children;
  return children ? children.length === 0 : Object.keys(value).length === 0;
}

export function faultsOf(node: JourneyNode): Fault[] {
  const faults: Fault[] = NEEDED[node.kind](node.config)
    .filter(([field]) => isBlank(node.config[field]))
    .map(([field, message]) => ({ node_id: node.id, field, code: "field_missing", message }));
  const where = node.config["where"];
  if (Array.isArray(where) && where.some((filter: { property?: string; operator?: string; value?: unknown }) => !filter.property || (isBlank(filter.value) && !["known", "unknown"].includes(String(filter.operator)))))
    faults.push({ node_id: node.id, field: "where", code: "field_invalid", message: label("属性限定没有填完", "A property filter is not complete") });
  return faults;
}

export function check(graph: Graph, settings: Settings): Checked {
  const errors: Fault[] = graph.nodes.flatMap(faultsOf);
  const warnings: Fault[] = [];
  const error = (node_id: string | null, code: string, zh: string, en: string, field: string | null = null) =>
    errors.push({ node_id, field, code, message: label(zh, en) });
  const warn = (node_id: string | null, code: string, zh: string, en: string, field: string | null = null) =>
    warnings.push({ node_id, field, code, message: label(zh, en) });

  if (graph.nodes.length > MAX_NODES) error(null, "too_many_nodes", `节点不能超过 ${MAX_NODES} 个`, `At most ${MAX_NODES} nodes`);
  const triggers = graph.nodes.filter((node) => node.kind === "trigger");
  if (!triggers.length) error(null, "trigger_missing", "缺少触发节点", "There is no trigger");
  for (const extra of triggers.slice(1)) error(extra.id, "trigger_repeated", "只能有一个触发节点", "There can be only one trigger");
  const goals = graph.nodes.filter((node) => node.kind === "goal");
  for (const extra of goals.slice(1)) error(extra.id, "goal_repeated", "只能有一个目标节点", "There can be only one goal");
  const start = triggers[0];
  if (start) {
    const inside = reachable(graph, start.id);
    for (const node of graph.nodes)
      if (node.kind !== "trigger" && !inside.has(node.id)) error(node.id, "unreachable", "没有路可以走到这个节点", "No way leads to this node");
  }
  for (const id of looping(graph)) error(id, "loop", "旅程不能绕圈，请删除这条回头的线", "A journey cannot loop; remove this arrow");
  if (settings.reentry.rule === "cooldown" && !settings.reentry.cooldown_days)
    error(null, "cooldown_missing", "请填写再次进入的冷却天数", "Fill in the days of the cool-down", "settings.reentry.cooldown_days");

  for (const node of graph.nodes)
    if (node.kind !== "exit" && node.kind !== "goal" && portsOf(node).length && openPorts(graph, node).length)
      warn(node.id, "way_ends", "有出口没有连线，走到这里的人会结束旅程", "An exit of this node leads nowhere; people who take it leave the journey");
  if (!graph.nodes.some((node) => node.kind === "send")) warn(null, "nothing_sent", "旅程里没有发送节点", "This journey sends nothing");
  if (!goals.length) warn(null, "goal_missing", "没有目标，无法衡量效果", "Without a goal nothing can be measured");
  if (settings.holdout_percent === 0)
    warn(null, "holdout_missing", "没有对照组，无法得出增量效果", "Without a holdout the lift cannot be known", "settings.holdout_percent");
  return { errors, warnings };
}

/** Nodes with an arrow back to where their way came from. The canvas refuses such arrows; a pasted draft may have one. */
function looping(graph: Graph): string[] {
  return [...new Set(graph.edges.filter((edge) => reachable(graph, edge.to).has(edge.from)).map((edge) => edge.from))].sort();
}

/** The server's faults joined to ours: of one node, field and code only one is kept, the server's words first. */
export function join(server: Checked | null, own: Checked): Checked {
  const merge = (theirs: Fault[], ours: Fault[]) => {
    const known = new Set(theirs.map((fault) => `${fault.node_id}|${fault.field}|${fault.code}`));
    return [...theirs, ...ours.filter((fault) => !known.has(`${fault.node_id}|${fault.field}|${fault.code}`))];
  };
  if (!server) return own;
  return { errors: merge(server.errors, own.errors), warnings: merge(server.warnings, own.warnings) };
}

/** Of the server's answer what can still be true: its own checks of nodes that have not been edited since. */
export function stillTrue(server: Checked | null, then: Graph | null, now: Graph): Checked | null {
  if (!server || !then) return null;
  const before = new Map(then.nodes.map((node) => [node.id, node.config]));
  const same = new Set(now.nodes.filter((node) => before.get(node.id) === node.config).map((node) => node.id));
  const beyond = (fault: Fault) => /_(unusable|invalid)$/.test(fault.code) && fault.code !== "field_invalid";
  const keep = (faults: Fault[]) => faults.filter((fault) => beyond(fault) && fault.node_id !== null && same.has(fault.node_id));
  return { errors: keep(server.errors), warnings: keep(server.warnings) };
}
