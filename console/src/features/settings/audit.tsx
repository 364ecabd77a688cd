import { SafetyCertificateOutlined } from "@ant-design/icons";
import { Alert, Button, Input } from "antd";
import { useTranslation } from "react-i18next";
import { useAudit, useVerifyAudit, type AuditEntry } from "@/features/settings/api";
import { at, integer } from "@/shared/format";
import { LoadMore, useFilters } from "@/shared/lists";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, sentenceOf } from "@/shared/ui";

export default function AuditTab() {
  const { t } = useTranslation("settings");
  const { filters, change, reset } = useFilters(["actor", "action", "subject"]);
  const list = useAudit(filters);
  const verify = useVerifyAudit();
  return (
    <Card
      title={t("audit.title")}
      extra={
        <Button icon={<SafetyCertificateOutlined />} loading={verify.isPending} onClick={() => verify.mutate()}>
          {t("audit.verify")}
        </Button>
      }
    >
      {verify.isError ? <Alert className="spaced" type="error" showIcon title={sentenceOf(verify.error, t("failed"))} /> : null}
      {verify.data ? (
        <Alert
          className="spaced"
          showIcon
          type={verify.data.intact ? "success" : "error"}
          title={t(verify.data.intact ? "audit.intact" : verify.data.broken_at === null ? "audit.brokenElsewhere" : "audit.broken", { count: verify.data.entries, entries: integer(verify.data.entries), at: verify.data.broken_at })}
        />
      ) : null}
      <FilterBar onReset={reset}>
        {(["actor", "action", "subject"] as const).map((name) => (
          <Input.Search
            key={`${name}-${filters[name] ?? ""}`}
            allowClear
            defaultValue={filters[name]}
            placeholder={t(`audit.${name}`)}
            aria-label={t(`audit.${name}`)}
            style={{ width: 190 }}
            onSearch={(value) => change({ [name]: value.trim() })}
          />
        ))}
      </FilterBar>
      <Loaded query={list} rows={8}>
        {() =>
          list.items.length ? (
            <>
              <Table<AuditEntry>
                size="middle"
                rowKey="audit_id"
                dataSource={list.items}
                minWidth={860}
                columns={[
                  { title: t("audit.at"), dataIndex: "at", width: 160, render: (value: string) => <span className="number">{at(value, "YYYY-MM-DD HH:mm:ss")}</span> },
                  {
                    title: t("audit.actor"),
                    key: "actor",
                    render: (_, entry) => (
                      <>
                        {entry.actor.name || entry.actor.id}
                        <small className="faint">{t(`audit.kinds.${entry.actor.kind}`, { defaultValue: entry.actor.kind })}</small>
                      </>
                    ),
                  },
                  {
                    title: t("audit.action"),
                    dataIndex: "action",
                    render: (action: string) => (
                      <>
                        {t(`audit.actions.${action}`, { defaultValue: action })}
                        <small className="faint">{action}</small>
                      </>
                    ),
                  },
                  { title: t("audit.subject"), dataIndex: "subject", render: (subject: string) => <code>{subject}</code> },
                  { title: t("audit.count"), dataIndex: "count", align: "right", render: integer },
                  {
                    title: t("audit.detail"),
                    dataIndex: "detail",
                    render: (detail: AuditEntry["detail"]) =>
                      Object.entries(detail).map(([key, value]) => (
                        <span key={key} className="pair">
                          <span className="faint">{t(`audit.fields.${key}`, { defaultValue: key })}</span> {typeof value === "object" ? JSON.stringify(value) : String(value)}
                        </span>
                      )),
                  },
                ]}
              />
              <LoadMore list={list} />
            </>
          ) : (
            <Empty title={t("audit.empty")} />
          )
        }
      </Loaded>
    </Card>
  );
}
