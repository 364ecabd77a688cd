// The plan's events as a list, each opening to its properties.
import { Button, Input } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { newEvent, type Plan, type PlanEvent } from "@/features/plan/api";
import { say, type Label } from "@/shared/api";
import { integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty } from "@/shared/ui";

const EventDrawer = lazy(() => import("@/features/plan/EventDrawer"));

interface Props {
  plan: Plan;
  labels: Record<string, Label>;
  writable: boolean;
  change: (plan: Plan) => void;
}

type Row = PlanEvent & { name: string };

export function PlanEvents({ plan, labels, writable, change }: Props) {
  const { t } = useTranslation("plan");
  const [open, setOpen] = useState<string | null>(null);
  const [text, setText] = useState("");
  const named = useSourceName();
  const events = plan.events ?? {};
  const rows: Row[] = Object.entries(events)
    .map(([name, event]) => ({ name, ...event }))
    .filter((row) => !text || `${row.name} ${say(labels[row.name])} ${row.description}`.toLowerCase().includes(text.toLowerCase()))
    .sort((a, b) => a.name.localeCompare(b.name));
  const put = (name: string, event: PlanEvent, was?: string) => {
    const rest = { ...events };
    if (was && was !== name) delete rest[was];
    change({ ...plan, events: { ...rest, [name]: event } });
  };
  const drop = (name: string) => {
    const rest = { ...events };
    delete rest[name];
    change({ ...plan, events: rest });
  };
  return (
    <Card
      title={t("events", { n: integer(Object.keys(events).length) })}
      extra={
        <div className="plan-tools">
          <Input allowClear aria-label={t("find")} placeholder={t("find")} value={text} onChange={(event) => setText(event.target.value)} />
          {writable ? <Button data-testid="plan-add" onClick={() => setOpen("")}>{t("addEvent")}</Button> : null}
        </div>
      }
    >
      {rows.length || text ? (
        <Table<Row>
          rowKey="name"
          dataSource={rows}
          minWidth={820}
          columns={[
            { title: t("event"), key: "name", render: (_, row) => <Button type="link" className="plain" onClick={() => setOpen(row.name)}>{say(labels[row.name]) || row.name}<small className="faint">{row.name}</small></Button> },
            { title: t("description"), dataIndex: "description", render: (value: string) => value || "–" },
            { title: t("owner"), dataIndex: "owner", render: (value: string) => value || "–" },
            { title: t("sources"), dataIndex: "sources", render: (value?: string[]) => (value?.length ? value.map(named).join(" · ") : t("allSources")) },
            { title: t("properties"), key: "properties", align: "right", render: (_, row) => integer(Object.keys(row.properties ?? {}).length) },
            { title: t("rule"), dataIndex: "rule", render: (value: string) => <Pill tone={value === "quarantine" ? "bad" : value === "drop" ? "warn" : "calm"}>{t(`rules.${value}`)}</Pill> },
          ]}
        />
      ) : (
        <Empty title={t("none")} hint={writable ? t("noneHint") : undefined} />
      )}
      <Suspense fallback={null}>
        {open !== null ? (
          <EventDrawer
            name={open}
            label={say(labels[open])}
            event={events[open] ?? newEvent()}
            taken={Object.keys(events)}
            writable={writable}
            close={() => setOpen(null)}
            save={(name, event) => { put(name, event, open); setOpen(null); }}
            remove={() => { drop(open); setOpen(null); }}
          />
        ) : null}
      </Suspense>
    </Card>
  );
}
