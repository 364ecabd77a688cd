// Sends as the API gives them.
import type { Label } from "@/shared/api";

export const STATUSES = ["intended", "claimed", "submitted", "accepted", "rejected", "unknown", "suppressed", "deferred", "held_out"] as const;
export type SendStatus = (typeof STATUSES)[number];

/** States in which the coupon of a message stands; in the others it was taken back with the message. */
export const KEEPS_COUPON: ReadonlySet<SendStatus> = new Set(["intended", "claimed", "submitted", "accepted", "unknown", "deferred"]);

export interface Send {
  effect_id: string;
  person: { person_id: string; name: string | null } | null;
  connection: string;
  journey: { journey_id: string; name: string } | null;
  node_id: string | null;
  status: SendStatus;
  reason: string | null;
  reason_label: Label | null;
  title: string | null;
  coupon_code: string | null;
  created_at: string;
  claimed_at: string | null;
  submitted_at: string | null;
  settled_at: string | null;
  delivered_at: string | null;
  read_at: string | null;
  wake_at: string | null;
}

export interface SendDetail extends Send {
  history: { at: string; status: string; reason?: string | null; reason_label?: Label | null; detail: string | null }[];
  content: unknown;
}

export interface Summary {
  by_status: { status: SendStatus; count: number }[];
  suppressed: { reason: string; label: Label; count: number }[];
  unknown: number;
}

export type Outcome = "accepted" | "rejected" | "resend";

export interface Filters {
  journey_id: string | null;
  node_id: string | null;
  status: SendStatus | null;
  reason: string | null;
  connection: string | null;
  person_id: string | null;
}
