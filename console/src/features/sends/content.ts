// What was really sent, whatever form the channel kept it in.
import type { PhoneMessage } from "@/shared/phone";

/** The content as the phone preview takes it; null when there is none or its form is not known. */
export function messageOf(content: unknown): PhoneMessage | null {
  if (typeof content === "string") return content ? { kind: "text", text: content, card: null } : null;
  if (typeof content !== "object" || content === null) return null;
  const { text, card } = content as { text?: unknown; card?: { title?: unknown; page?: unknown } | null };
  const found = card && typeof card.title === "string" ? { title: card.title, page: typeof card.page === "string" ? card.page : "" } : null;
  if (typeof text !== "string" && !found) return null;
  return { kind: found ? "card" : "text", text: typeof text === "string" ? text : "", card: found };
}
