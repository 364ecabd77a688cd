// What broke the plan: how often, when, with a masked example, and where its events are.
import { Button, Segmented } from "antd";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useViolations, type Violation } from "@/features/plan/api";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useFilters } from "@/shared/lists";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

const PERIODS = [24, 72, 168, 720] as const;
const TONE = { keep: "calm", drop: "warn", quarantine: "bad" } as const;

export function Violations() {
  const { t } = useTranslation("plan");
  const { brand, may } = useSession();
  const { filters, change } = useFilters(["name", "source", "hours"]);
  const hours = Number(filters.hours) || 168;
  const named = useSourceName();
  const query = useViolations(brand.brand, { hours, name: filters.name, source: filters.source });
  return (
    <Card>
      <div className="filters">
        <Segmented aria-label={t("period")} value={hours} onChange={(value) => change({ hours: String(value) })} options={PERIODS.map((value) => ({ value, label: t(`periods.${value}`) }))} />
        {(["name", "source"] as const).filter((key) => filters[key]).map((key) => <Button key={key} onClick={() => change({ [key]: null })}>{t(key === "name" ? "event" : "source")}: {key === "source" ? named(filters[key] ?? "") : say(query.data?.items[0]?.name_label) || filters[key]} ✕</Button>)}
      </div>
      <Loaded query={query} rows={8}>
        {(data) =>
          data.items.length ? (
            <Table<Violation>
              rowKey={(row) => [row.source, row.name, row.property, row.reason, row.rule].join("/")}
              dataSource={data.items}
              label={t("violations")}
              minWidth={960}
              columns={[
                { title: t("event"), key: "event", render: (_, row) => <span>{say(row.name_label)}<small className="faint">{row.name} · {named(row.source)}</small></span> },
                { title: t("property"), dataIndex: "property", render: (value: string) => value || "–" },
                { title: t("reason"), key: "reason", render: (_, row) => say(row.reason_label) },
                { title: t("rule"), dataIndex: "rule", render: (value: Violation["rule"]) => <Pill tone={TONE[value]}>{t(`rules.${value}`)}</Pill> },
                { title: t("trend"), dataIndex: "trend", render: (value: number[]) => <Trend values={value} starts={data.starts} label={t("trend")} /> },
                { title: t("count"), dataIndex: "count", align: "right", render: integer },
                { title: t("exampleMasked"), dataIndex: "example", render: (value: string) => (value ? <code className="excerpt">{value}</code> : "–") },
                { title: t("last"), dataIndex: "last_at", render: (value: string) => <span className="plan-nowrap">{at(value, "MM-DD HH:mm")}</span> },
                { title: "", key: "open", align: "right", render: (_, row) => (row.rule === "quarantine" || may("analytics.read") ? <Link className="plan-nowrap" to={addressOf(row)}>{t("show")}</Link> : null) },
              ]}
            />
          ) : (
            <Empty title={t("noViolations")} hint={t("noViolationsHint")} />
          )
        }
      </Loaded>
    </Card>
  );
}

function addressOf(row: Violation): string {
  if (row.rule === "quarantine") return `/sources?${new URLSearchParams({ tab: "quarantine", source: row.source, reason: row.reason }).toString()}`;
  return `/events?${new URLSearchParams({ name: row.name, from: at(row.first_at, "YYYY-MM-DD"), to: at(row.last_at, "YYYY-MM-DD") }).toString()}`;
}

function Trend({ values, starts, label }: { values: number[]; starts: string[]; label: string }) {
  const most = Math.max(1, ...values);
  return (
    <svg className="plan-trend" viewBox={`0 0 ${values.length * 7} 26`} preserveAspectRatio="none" role="img" aria-label={`${label}: ${values.map(integer).join(", ")}`}>
      {values.map((value, i) => (
        <g key={starts[i]}>
          <title>{`${at(starts[i], "MM-DD HH:mm")} · ${integer(value)}`}</title>
          <rect x={i * 7} y={26 - (value / most) * 25} width={5} height={(value / most) * 25} />
        </g>
      ))}
    </svg>
  );
}
