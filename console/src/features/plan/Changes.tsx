// Differences between two plans, the breaking ones marked.
import { useTranslation } from "react-i18next";
import type { Change } from "@/features/plan/api";
import { Pill } from "@/shared/pill";
import { Empty } from "@/shared/ui";

const SIGN = { added: "+", removed: "−", changed: "~" } as const;
const short = (value: unknown) => (value === null || value === undefined || value === "" ? "–" : typeof value === "string" ? value : JSON.stringify(value));

export function Changes({ items }: { items: Change[] }) {
  const { t } = useTranslation("plan");
  if (!items.length) return <Empty title={t("noDifference")} />;
  return (
    <ul className="plan-changes" tabIndex={0} aria-label={t("whatChanged")} data-testid="plan-changes">
      {items.map((one) => (
        <li key={`${one.kind}/${one.path}`} className={`change-${one.kind}`}>
          <b aria-label={t(`changes.${one.kind}`)}>{SIGN[one.kind]}</b>
          <span>
            <code>{one.path}</code> {one.breaking ? <Pill tone="bad">{t("breaking")}</Pill> : null}
            <small className="faint">{one.kind === "changed" ? `${short(one.before)} → ${short(one.after)}` : short(one.kind === "added" ? one.after : one.before)}</small>
          </span>
        </li>
      ))}
    </ul>
  );
}
