// Sends as the API gives them.
import type { Schemas } from "@/shared/schema";

export const STATUSES = ["intended", "claimed", "submitted", "accepted", "rejected", "unknown", "suppressed", "deferred", "held_out"] as const;
export type SendStatus = (typeof STATUSES)[number];

export type Send = Omit<Schemas["SendOut"], "status"> & { status: SendStatus };
export type SendDetail = Omit<Schemas["SendDetail"], "status"> & { status: SendStatus };
export type Summary = Omit<Schemas["SendSummary"], "by_status"> & { by_status: (Omit<Schemas["StatusCount"], "status"> & { status: SendStatus })[] };

export type Outcome = Schemas["ResolutionIn"]["outcome"];

export interface Filters {
  journey_id: string | null;
  node_id: string | null;
  status: SendStatus | null;
  reason: string | null;
  connection: string | null;
  person_id: string | null;
}
