// A state in one word, in colours whose contrast holds on white.
import type { ReactNode } from "react";
import "./pill.css";

export type Tone = "good" | "bad" | "warn" | "info" | "calm";

export function Pill({ tone = "calm", dot, children, title }: { tone?: Tone; dot?: boolean; children: ReactNode; title?: string }) {
  return (
    <span className={`pill pill-${tone}`} title={title}>
      {dot ? <i aria-hidden /> : null}
      {children}
    </span>
  );
}
