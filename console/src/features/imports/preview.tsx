// What a mapping makes of a file, before anything is recorded: counts, the refused rows by reason, the first events.
import { useTranslation } from "react-i18next";
import type { BadRow, Preview } from "@/features/imports/api";
import { say } from "@/shared/api";
import { at, integer, money } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";

export function PreviewTable({ preview }: { preview: Preview }) {
  const { t } = useTranslation("imports");
  const { brand } = useSession();
  const counts: [string, number][] = [["rows", preview.rows], ["events_", preview.events], ["bad", preview.bad], ["skipped", preview.skipped], ["repeated", preview.repeated], ["masked", preview.masked]];
  const rows = preview.first as Record<string, unknown>[];
  return (
    <>
      <Counts counts={counts} />
      {preview.reasons.length ? (
        <>
          <h3>{t("refusedRows")}</h3>
          <ul className="reasons">
            {preview.reasons.map((one) => <li key={one.reason + one.column}><strong>{integer(one.rows)}</strong> {t("rowsOf")} · {one.column ? `${one.column} · ` : ""}{say(one.label)}</li>)}
          </ul>
          <BadTable rows={preview.bad_rows} />
        </>
      ) : null}
      <h3>{t("first", { n: rows.length })}</h3>
      <Table
        size="small"
        rowKey={(row) => String(row["key"])}
        label={t("preview")}
        dataSource={rows}
        columns={[
          { title: t("roles.key"), key: "key", render: (_: unknown, row) => <span className="mono">{String(row["key"])}</span> },
          { title: t("roles.occurred_at"), key: "at", render: (_: unknown, row) => (row["occurred_at"] ? at(String(row["occurred_at"]), "YYYY-MM-DD HH:mm:ss") : "—") },
          { title: t("people"), key: "who", render: (_: unknown, row) => <Identifiers given={row["identifiers"]} /> },
          { title: t("roles.amount"), key: "amount", align: "right", render: (_: unknown, row) => (typeof row["amount"] === "number" ? money(row["amount"], brand.currency) : "—") },
          { title: t("more"), key: "more", render: (_: unknown, row) => <span className="sample mono">{rest(row, (name) => t(`parts.${name}`, { defaultValue: name }))}</span> },
        ]}
      />
    </>
  );
}

const SHOWN = new Set(["key", "occurred_at", "identifiers", "amount", "name", "order_id"]);

function rest(row: Record<string, unknown>, named: (name: string) => string): string {
  return Object.entries(row).filter(([name]) => !SHOWN.has(name)).map(([name, value]) => `${named(name)}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(" · ");
}

function Identifiers({ given }: { given: unknown }) {
  const { t } = useTranslation("imports");
  const all = (given ?? []) as { namespace: string; value: string }[];
  if (!all.length) return <span className="faint">{t("nobody")}</span>;
  return <>{all.map((one) => <div key={one.namespace + one.value}>{t(`roles.id.${one.namespace}`, { defaultValue: one.namespace })} <span className="mono">{one.value}</span></div>)}</>;
}

export function BadTable({ rows }: { rows: BadRow[] }) {
  const { t } = useTranslation("imports");
  return (
    <Table
      size="small"
      rowKey={(row) => `${row.row}${row.column}${row.reason}`}
      label={t("refusedRows")}
      dataSource={rows}
      columns={[
        { title: t("rowNumber"), dataIndex: "row", width: 110, render: (row: number) => t("line", { n: integer(row) }) },
        { title: t("column"), dataIndex: "column", render: (name: string) => name || "—" },
        { title: t("reason"), dataIndex: "label", render: (label: BadRow["label"]) => say(label) },
        { title: t("value"), dataIndex: "value", render: (value: string) => <span className="sample mono">{value || "—"}</span> },
      ]}
    />
  );
}

export function Counts({ counts }: { counts: [string, number][] }) {
  const { t } = useTranslation("imports");
  return (
    <dl className="counts">
      {counts.map(([key, value]) => (
        <div key={key} className={key === "bad" && value ? "bad" : ""}><dt>{t(`counts.${key}`)}</dt><dd className="number">{integer(value)}</dd></div>
      ))}
    </dl>
  );
}
