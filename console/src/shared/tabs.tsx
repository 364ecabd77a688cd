// Parts of a page, one at a time, kept in the address (?tab=). They scroll sideways where there is no room.
import type { ReactNode } from "react";
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
      <nav className="parts" aria-label={label}>
        {parts.map((part) => (
          <button
            key={part.key}
            type="button"
            aria-current={part === open ? "page" : undefined}
            data-testid={`tab-${part.key}`}
            onClick={() => change({ tab: part === parts[0] ? null : part.key })}
          >
            {part.label}
          </button>
        ))}
      </nav>
      {open.content}
    </>
  );
}
