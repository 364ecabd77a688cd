// Parts of a page, one at a time, kept in the address (?tab=). They scroll sideways where there is no room.
import { useEffect, useRef, type ReactNode } from "react";
import { useFilters } from "@/shared/lists";
import "./tabs.css";

export interface Part {
  key: string;
  label: ReactNode;
  content: ReactNode;
}

export function Parts({ parts, label }: { parts: Part[]; label: string }) {
  const { filters, change } = useFilters(["tab"]);
  const open = parts.find((part) => part.key === filters.tab) ?? parts[0];
  if (!open) return null;
  return (
    <>
      <PartsBar parts={parts} label={label} open={open.key} onOpen={(key) => change({ tab: key === parts[0]?.key ? null : key })} />
      {open.content}
    </>
  );
}

/** Only the names of the parts, for a page that shows them itself. */
export function PartsBar({ parts, label, open, onOpen }: { parts: Omit<Part, "content">[]; label: string; open: string; onOpen: (key: string) => void }) {
  const bar = useRef<HTMLElement>(null);
  // Where the names have no room side by side, the one that is open must be in sight.
  useEffect(() => {
    // Only the bar moves, and not the page: somebody who opens a person begins at the top.
    const at = bar.current?.querySelector("[aria-current]")?.getBoundingClientRect();
    if (bar.current && at) {
      const around = bar.current.getBoundingClientRect();
      bar.current.scrollLeft += at.left + at.width / 2 - (around.left + around.width / 2);
    }
  }, [open]);
  return (
    <nav className="parts" aria-label={label} ref={bar}>
      {parts.map((part) => (
        <button key={part.key} type="button" aria-current={part.key === open ? "page" : undefined} data-testid={`tab-${part.key}`} onClick={() => onOpen(part.key)}>
          {part.label}
        </button>
      ))}
    </nav>
  );
}
