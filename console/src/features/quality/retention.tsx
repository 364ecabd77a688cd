// Retention (保留期限): how long each kind of event stays, what history holds of it, when events go and which went.
import { Button } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { OTHERS, useRetention, type Kind, type Rule } from "@/features/quality/api";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

const Change = lazy(() => import("@/features/quality/RetentionDialog"));

export function Retention() {
  const { t } = useTranslation("quality");
  const { brand, may } = useSession();
  const query = useRetention(brand.brand);
  const [changing, setChanging] = useState<{ rule: Rule; name: string } | null>(null);
  const writable = may("settings.write");
  const stays = (days: number | null) => (days === null ? t("retention.forever") : t("retention.days", { count: days, n: integer(days) }));
  return (
    <Loaded query={query} rows={8}>
      {({ items, others }) => (
        <div className="grid">
          <Card title={t("retention.general")} extra={writable ? <Button data-testid="retention-others" onClick={() => setChanging({ rule: { event: OTHERS, keep: others.days === null ? "forever" : "days", days: others.days }, name: t("retention.allOthers") })}>{t("retention.change")}</Button> : null}>
            <p className="retention-general">
              <strong>{stays(others.days)}</strong>
              {others.from_at && Date.parse(others.from_at) > Date.now() ? <span className="faint">{t("retention.from", { when: at(others.from_at, "MM-DD HH:mm") })}</span> : null}
            </p>
            <p className="faint">{t("retention.note")}</p>
          </Card>
          <Card title={t("retention.kinds")}>
            {items.length ? (
              <Table<Kind>
                rowKey="event"
                dataSource={items}
                label={t("retention.kinds")}
                minWidth={860}
                columns={[
                  { title: t("retention.event"), key: "event", render: (_, row) => <span>{say(row.label)}<small className="faint">{row.event}</small></span> },
                  { title: t("retention.stays"), key: "stays", render: (_, row) => <span>{stays(row.days)}<small className="faint">{row.keep === "others" ? t("retention.asOthers") : t("retention.setBy", { who: row.set_by, when: at(row.set_at, "MM-DD") })}</small></span> },
                  { title: t("retention.events"), dataIndex: "events", align: "right", render: integer, sorter: (one, other) => one.events - other.events },
                  { title: t("retention.oldest"), dataIndex: "begins_on", render: (value: string | null) => value ?? "–", sorter: (one, other) => (one.begins_on ?? "9").localeCompare(other.begins_on ?? "9") },
                  { title: t("retention.next"), dataIndex: "next_at", render: (value: string | null) => (!value ? "–" : Date.parse(value) <= Date.now() ? t("retention.now") : at(value)) },
                  { title: t("retention.last"), key: "last", render: (_, row) => (row.removed_at ? <span>{t("retention.removed", { count: row.removed, n: integer(row.removed) })}<small className="faint">{at(row.removed_at)}</small></span> : "–") },
                  ...(writable
                    ? [{ title: t("retention.act"), key: "act", align: "right" as const, render: (_: unknown, row: Kind) => <Button size="small" data-testid={`retention-${row.event}`} aria-label={t("retention.changeOf", { name: say(row.label) })} onClick={() => setChanging({ rule: { event: row.event, keep: row.keep, days: row.keep === "days" ? row.days : null }, name: say(row.label) })}>{t("retention.change")}</Button> }]
                    : []),
                ]}
              />
            ) : (
              <Empty title={t("retention.empty")} hint={t("retention.emptyHint")} />
            )}
          </Card>
          <Suspense fallback={null}>{changing ? <Change {...changing} others={stays(others.days)} close={() => setChanging(null)} /> : null}</Suspense>
        </div>
      )}
    </Loaded>
  );
}
