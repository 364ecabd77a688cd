// The shapes that the journeys' routes send and take. The graph's rules are in graph.ts, its faults in validation.ts.
import type { Label } from "@/shared/api";
import type { Filter, Group } from "@/shared/ruletree";

export const KINDS = ["trigger", "wait", "branch", "send", "goal", "exit"] as const;
export type Kind = (typeof KINDS)[number];
export type Port = "next" | "yes" | "no" | "event" | "timeout";
export type Config = Record<string, unknown>;

export interface JourneyNode {
  id: string;
  kind: Kind;
  config: Config;
  position: { x: number; y: number };
}

export interface JourneyEdge {
  id: string;
  from: string;
  port: Port;
  to: string;
}

export interface Graph {
  nodes: JourneyNode[];
  edges: JourneyEdge[];
}

export interface Settings {
  holdout_percent: number;
  reentry: { rule: "once" | "after_exit" | "cooldown" | "per_key"; cooldown_days?: number | null };
  category: "marketing" | "service";
  purpose: string;
  priority: number;
  daily_cap: number | null;
  quiet_hours: { from: string; to: string } | null;
  exit_on_goal: boolean;
}

export type JourneyStatus = "draft" | "running" | "paused" | "ended";
export type PauseMode = "stop_entry" | "freeze" | "hold_sends";

export interface JourneySummary {
  journey_id: string;
  name: string;
  status: JourneyStatus;
  version: number | null;
  entered: number;
  active: number;
  converted: number;
  updated_at: string;
}

/** What the canvas edits and autosaves. */
export interface Draft {
  name: string;
  graph: Graph;
  settings: Settings;
}

export interface Journey extends Draft {
  journey_id: string;
  status: JourneyStatus;
  pause_mode: PauseMode | null;
  version: number | null;
  live_graph: Graph | null;
  has_draft_changes: boolean;
  updated_at: string;
  published_at: string | null;
}

export interface Fault {
  node_id: string | null;
  field: string | null;
  code: string;
  message: Label;
}

export interface Checked {
  errors: Fault[];
  warnings: Fault[];
}

export interface NodeReport {
  node_id: string;
  entered: number;
  waiting: number;
  left: number;
  held_out: number;
  intended: number;
  sent: number;
  accepted: number;
  rejected: number;
  unknown: number;
  delivered: number;
  read: number;
  redeemed: number;
  converted: number;
  suppressed: { reason: string; label: Label; count: number }[];
  deferred: number;
}

export interface Arm {
  people: number;
  converted: number;
  rate: number;
  amount: number;
}

export interface Interval {
  low: number;
  high: number;
}

export type Verdict = "positive" | "negative" | "inconclusive" | "too_few";

export interface Lift {
  confidence: number;
  method: Label;
  treated: Arm;
  holdout: Arm;
  difference: number;
  interval: Interval;
  relative: number | null;
  p_value: number | null;
  amount_per_person: { treated: number; holdout: number; difference: number; interval: Interval | null } | null;
  verdict: Verdict;
  explanation: Label;
}

export interface Report {
  as_of: string;
  version: number | null;
  entered: number;
  active: number;
  exited: number;
  goal_converted: number;
  nodes: NodeReport[];
  edges: { from: string; port: Port; to: string; count: number }[];
  exits?: { reason: string; label: Label; count: number }[];
  lift: Lift | null;
}

/** The people behind a number. */
export type PeopleState =
  | "entered" | "waiting" | "held_out" | "sent" | "accepted" | "rejected" | "unknown" | "suppressed" | "delivered" | "read" | "redeemed" | "converted";

export interface Template {
  template_id: string;
  name: string;
  kind: "text" | "card";
  text: string;
  card?: { title: string; page: string; image?: string | null } | null;
}

export interface Coupon {
  coupon_id: string;
  name: string;
  kind: "amount_off" | "percent_off";
  value: number;
  threshold: number;
  currency: string;
  total: number | null;
  issued: number;
  redeemed: number;
  per_person: number;
  valid_days: number;
}

export interface Connection {
  connection: string;
  kind: string;
  name: string;
  label: string | Label;
  enabled: boolean;
  status: { ok: boolean; message: Label; checked_at: string } | null;
}

export type { Filter, Group };
