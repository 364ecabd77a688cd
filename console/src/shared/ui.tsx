// What every page is made of: its frame, its states, numbers that open, marks of made data.
import { InboxOutlined, LockOutlined, WarningOutlined } from "@ant-design/icons";
import { Button, Skeleton, Tooltip } from "antd";
import i18next from "i18next";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { ApiError } from "@/shared/api";
import { useSession } from "@/shared/session";

export type Drill =
  | { kind: "people"; tree: unknown }
  | { kind: "events"; query: Record<string, string | null | undefined> }
  | null
  | undefined;

export function drillAddress(drill: Drill): string | null {
  if (!drill) return null;
  if (drill.kind === "people") return `/people?tree=${encodeURIComponent(JSON.stringify(drill.tree))}`;
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(drill.query)) if (value) params.set(key, value);
  return `/events?${params.toString()}`;
}

/** A number that opens to the people or events behind it. */
export function DrillNumber({ children, drill, label }: { children: ReactNode; drill: Drill; label?: string }) {
  const { t } = useTranslation("shell");
  const to = drillAddress(drill);
  if (!to) return <span className="number">{children}</span>;
  return (
    <Tooltip title={t(drill?.kind === "people" ? "drill.people" : "drill.events")}>
      <Link className="number drill" to={to} aria-label={label}>
        {children}
      </Link>
    </Tooltip>
  );
}

export function MadeBadge() {
  const { t } = useTranslation("shell");
  return (
    <Tooltip title={t("made.why")}>
      <span className="made">{t("made.badge")}</span>
    </Tooltip>
  );
}

interface PageProps {
  title: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  permission?: string;
  children: ReactNode;
}

/** A page's frame. Without `permission` granted it says so instead of showing the content. */
export function Page({ title, note, actions, permission, children }: PageProps) {
  const { may } = useSession();
  const allowed = !permission || may(permission);
  return (
    <main className="page" id="main">
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          {note ? <p className="page-note">{note}</p> : null}
        </div>
        {allowed && actions ? <div className="page-actions">{actions}</div> : null}
      </header>
      {allowed ? children : <NoPermission />}
    </main>
  );
}

export function Card({ title, extra, children, className }: { title?: ReactNode; extra?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`card ${className ?? ""}`}>
      {title ? (
        <header className="card-head">
          <h2>{title}</h2>
          {extra}
        </header>
      ) : null}
      <div className="card-body">{children}</div>
    </section>
  );
}

export function Empty({ title, hint, action }: { title?: string; hint?: ReactNode; action?: ReactNode }) {
  const { t } = useTranslation("shell");
  return (
    <div className="state" role="status">
      <InboxOutlined aria-hidden />
      <strong>{title ?? t("states.empty")}</strong>
      {hint ? <p>{hint}</p> : null}
      {action}
    </div>
  );
}

export function NoPermission() {
  const { t } = useTranslation("shell");
  return (
    <div className="state card" role="status">
      <LockOutlined aria-hidden />
      <strong>{t("states.noPermission")}</strong>
      <p>{t("states.noPermissionHint")}</p>
    </div>
  );
}

export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation("shell");
  if (error instanceof ApiError && error.status === 403) return <NoPermission />;
  const known = error instanceof ApiError ? error : null;
  // What is not there, or is wrong in itself, is no better at a second try.
  const again = known && [404, 422].includes(known.status) ? undefined : retry;
  return (
    <div className="state card" role="alert">
      <WarningOutlined aria-hidden />
      <strong>{known?.message ?? t("states.error")}</strong>
      {known?.detail ? <p>{known.detail}</p> : null}
      {known?.requestId ? <p className="faint">request_id {known.requestId}</p> : null}
      {again ? <Button onClick={again}>{t("states.retry")}</Button> : null}
    </div>
  );
}

interface Loading {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** What stands where something is on its way. */
export function Waiting({ rows = 4 }: { rows?: number }) {
  const { t } = useTranslation("shell");
  return (
    <div role="status" aria-busy aria-label={t("states.loading")}>
      <Skeleton active title={false} paragraph={{ rows }} />
    </div>
  );
}

/** Skeleton, error or content, whichever the query is at. */
export function Loaded<Q extends Loading & { data: unknown }>({
  query,
  rows = 4,
  children,
}: {
  query: Q;
  rows?: number;
  children: (data: NonNullable<Q["data"]>) => ReactNode;
}) {
  if (query.isError && !query.data) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  // Data, not `isPending`: what is asked for by a mutation is not pending before it was asked.
  if (query.isPending || query.data === undefined || query.data === null) return <Waiting rows={rows} />;
  return <>{children(query.data as NonNullable<Q["data"]>)}</>;
}

/** 查询/重置: filters above a list. */
export function FilterBar({ children, onReset }: { children: ReactNode; onReset: () => void }) {
  const { t } = useTranslation("shell");
  return (
    <div className="filters" role="search">
      {children}
      <Button onClick={onReset}>{t("filters.reset")}</Button>
    </div>
  );
}

/**
 * An error as one sentence, for messages and form fields. A field is called what `named` or the server calls it, else
 * what it is called everywhere; a path in the request is never said.
 */
export function sentenceOf(error: unknown, fallback: string, named?: (field: string) => string | undefined): string {
  if (!(error instanceof ApiError)) return fallback;
  const english = i18next.language === "en";
  const said = error.fields.map((item) => {
    const key = item.field.split(".").findLast((part) => !/^\d+$/.test(part)) ?? "";
    const name = named?.(item.field) ?? item.label ?? i18next.t(`shell:fields.${key}`, { defaultValue: "" });
    return name ? `${name}${english ? ": " : "："}${item.message}` : item.message;
  });
  return [error.message, [...new Set(said)].join(english ? "; " : "；") || error.detail].filter(Boolean).join(" — ");
}
