// The colour of each state of a send.
import type { Tone } from "@/shared/pill";
import type { SendStatus } from "./types";

export const TONES: Record<SendStatus, Tone> = {
  intended: "info",
  claimed: "info",
  submitted: "info",
  accepted: "good",
  rejected: "bad",
  unknown: "warn",
  suppressed: "bad",
  deferred: "warn",
  held_out: "calm",
};
