// The shapes that the journeys' routes send and take. The graph's rules are in graph.ts, its faults in validation.ts.
import type { Schemas } from "@/shared/schema";
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

export type JourneySummary = Schemas["JourneyItem"];
export type JourneyStatus = JourneySummary["status"];
export type PauseMode = Schemas["PauseIn"]["mode"] & string;

/** What the canvas edits and autosaves. */
export interface Draft {
  name: string;
  graph: Graph;
  settings: Settings;
}

/** The API carries graph and settings as documents; their shape is the canvas's. */
export type Journey = Omit<Schemas["JourneyOut"], "graph" | "settings" | "live_graph"> & Draft & { live_graph: Graph | null };
export type Fault = Schemas["FaultOut"];
export type Checked = Schemas["Validation"];
export type NodeReport = Schemas["NodeReport"];
export type Report = Schemas["JourneyReport"];
export type Lift = Schemas["LiftReport"];
export type Arm = Schemas["ArmReport"];
export type Interval = Schemas["IntervalReport"];
export type Verdict = Lift["verdict"];

/** The people behind a number. */
export type PeopleState =
  | "entered" | "waiting" | "held_out" | "sent" | "accepted" | "rejected" | "unknown" | "suppressed" | "delivered" | "read" | "redeemed" | "converted";

export type Template = Omit<Schemas["TemplateOut"], "variables">;
export type Coupon = Schemas["CouponDefinitionOut"];
export type Connection = Schemas["ConnectionOut"];

export type { Filter, Group };
