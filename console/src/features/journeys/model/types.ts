// Journeys, their reports and what their nodes name, as the API gives them.
import type { Label } from "@/shared/api";
import type { Graph } from "./graph";

export type Status = "draft" | "running" | "paused" | "ended";
export type PauseMode = "stop_entry" | "freeze" | "hold_sends";

export interface JourneySummary {
  journey_id: string;
  name: string;
  status: Status;
  version: number | null;
  entered: number;
  active: number;
  converted: number;
  updated_at: string;
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

export interface Journey {
  journey_id: string;
  name: string;
  status: Status;
  pause_mode: PauseMode | null;
  version: number | null;
  graph: Graph;
  settings: Settings;
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

export interface Validation {
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

interface Arm {
  people: number;
  converted: number;
  rate: number;
  amount: number;
}

export interface Lift {
  confidence: number;
  method: Label;
  treated: Arm;
  holdout: Arm;
  difference: number;
  interval: { low: number; high: number };
  relative: number | null;
  p_value: number | null;
  amount_per_person: { treated: number; holdout: number; difference: number; interval: { low: number; high: number } };
  verdict: "positive" | "negative" | "inconclusive" | "too_few";
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
  edges: { from: string; port: string; to: string; count: number }[];
  lift: Lift | null;
}

export interface Template {
  template_id: string;
  name: string;
  kind: "text" | "card";
  text: string;
  card?: { title: string; page: string; image?: string | null } | null;
}

export interface CouponDefinition {
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
  label?: Label | null;
  enabled: boolean;
  status: { ok: boolean; message: Label; checked_at: string } | null;
}

export type PeopleState =
  | "entered" | "waiting" | "held_out" | "sent" | "accepted" | "rejected" | "unknown" | "suppressed" | "delivered" | "read" | "redeemed" | "converted";
