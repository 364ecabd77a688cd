// Lists of the settings page: what can be looked at.
import { useQuery } from "@tanstack/react-query";
import { Alert, Button, Table, Tag } from "antd";
import { useTranslation } from "react-i18next";
import { get, say, type Label, type Page } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { Card, Empty, Loaded } from "@/shared/ui";

function useList<T>(key: string) {
  return useQuery({ queryKey: ["settings", key], queryFn: ({ signal }) => get<Page<T>>(key, undefined, signal) });
}

interface Policy {
  namespace: string;
  label: Label;
  strength: number;
  max_per_person: number | null;
  max_people: number | null;
  over_limit: string;
  blocked: string[];
  personal: boolean;
}

export function Policies() {
  const { t } = useTranslation("settings");
  const query = useList<Policy>("/identity/policies");
  return (
    <Card>
      <p>{t("policiesNote")}</p>
      <Loaded query={query}>
        {(data) => (
          <Table<Policy>
            size="middle"
            rowKey="namespace"
            pagination={false}
            dataSource={data.items}
            scroll={{ x: 760 }}
            columns={[
              { title: t("namespace"), key: "ns", render: (_, row) => <span>{say(row.label)}<small className="faint">{row.namespace}</small></span> },
              { title: t("strength"), dataIndex: "strength", align: "right" },
              { title: t("perPerson"), dataIndex: "max_per_person", align: "right", render: (value: number | null) => value ?? t("unlimited") },
              { title: t("shared"), dataIndex: "max_people", align: "right", render: (value: number | null) => value ?? t("unlimited") },
              { title: t("overLimit"), dataIndex: "over_limit", render: (value: string) => t(`over.${value}`, { defaultValue: value }) },
              { title: t("blocked"), dataIndex: "blocked", render: (values: string[]) => <span className="faint">{values.slice(0, 8).join("、")}{values.length > 8 ? "…" : ""}</span> },
            ]}
          />
        )}
      </Loaded>
    </Card>
  );
}

interface ConsentCount {
  purpose: string;
  channel: string;
  purpose_label?: Label;
  channel_label?: Label;
  granted: number;
  denied: number;
  unknown: number;
}

export function ConsentSummary() {
  const { t } = useTranslation("settings");
  const query = useList<ConsentCount>("/consent/summary");
  return (
    <Card>
      <p>{t("consentNote")}</p>
      <Loaded query={query}>
        {(data) =>
          data.items.length ? (
            <Table<ConsentCount>
              size="middle"
              rowKey={(row) => `${row.purpose}/${row.channel}`}
              pagination={false}
              dataSource={data.items}
              columns={[
                { title: t("purpose"), key: "purpose", render: (_, row) => (row.purpose_label ? say(row.purpose_label) : t(`purposes.${row.purpose}`, { defaultValue: row.purpose })) },
                { title: t("channel"), key: "channel", render: (_, row) => (row.channel_label ? say(row.channel_label) : t(`channels.${row.channel}`, { defaultValue: row.channel })) },
                { title: t("granted"), dataIndex: "granted", align: "right", render: integer },
                { title: t("denied"), dataIndex: "denied", align: "right", render: integer },
                { title: t("unknown"), dataIndex: "unknown", align: "right", render: integer },
              ]}
            />
          ) : (
            <Empty />
          )
        }
      </Loaded>
    </Card>
  );
}

interface Setting {
  name: string;
  variable: string;
  value: string;
  default: string;
  help: Label;
  source: string;
}

export function SettingsList() {
  const { t } = useTranslation("settings");
  const query = useList<Setting>("/settings");
  return (
    <Card>
      <p>{t("settingsNote")}</p>
      <Loaded query={query}>
        {(data) => (
          <Table<Setting>
            size="middle"
            rowKey="name"
            pagination={false}
            dataSource={data.items}
            scroll={{ x: 700 }}
            columns={[
              { title: t("setting"), key: "name", render: (_, row) => <span>{say(row.help)}<small className="faint">{row.variable}</small></span> },
              { title: t("value"), dataIndex: "value", render: (value: string) => <code>{value || "–"}</code> },
              { title: t("from"), dataIndex: "source", render: (value: string) => t(`origins.${value}`, { defaultValue: value }) },
            ]}
          />
        )}
      </Loaded>
    </Card>
  );
}

interface Audit {
  audit_id: number;
  at: string;
  actor: { kind: string; id: string; name: string };
  action: string;
  subject: string;
  detail: Record<string, unknown>;
  count: number;
}

export function AuditLedger() {
  const { t } = useTranslation("settings");
  const query = useList<Audit>("/audit");
  const check = useQuery({ queryKey: ["audit-verification"], queryFn: () => get<{ intact: boolean; entries: number; broken_at: number | null }>("/audit/verification"), enabled: false });
  return (
    <Card extra={null}>
      <p>
        {t("auditNote")}{" "}
        <Button size="small" loading={check.isFetching} onClick={() => void check.refetch()}>{t("verify")}</Button>
      </p>
      {check.data ? <Alert showIcon type={check.data.intact ? "success" : "error"} title={t(check.data.intact ? "intact" : "broken", { n: integer(check.data.entries), at: check.data.broken_at })} style={{ marginBottom: 12 }} /> : null}
      <Loaded query={query}>
        {(data) => (
          <Table<Audit>
            size="middle"
            rowKey="audit_id"
            pagination={false}
            dataSource={data.items}
            scroll={{ x: 760 }}
            columns={[
              { title: t("at"), dataIndex: "at", render: (value: string) => at(value, "YYYY-MM-DD HH:mm:ss") },
              { title: t("who"), key: "who", render: (_, row) => <>{row.actor.name} <Tag>{t(`actors.${row.actor.kind}`, { defaultValue: row.actor.kind })}</Tag></> },
              { title: t("action"), dataIndex: "action", render: (value: string) => t(`actions.${value}`, { defaultValue: value }) },
              { title: t("subject"), dataIndex: "subject", render: (value: string) => <code>{value.length > 24 ? `${value.slice(0, 24)}…` : value}</code> },
              { title: t("count"), dataIndex: "count", align: "right", render: integer },
              { title: t("detail"), dataIndex: "detail", render: (value: object) => <small className="faint">{JSON.stringify(value)}</small> },
            ]}
          />
        )}
      </Loaded>
    </Card>
  );
}
