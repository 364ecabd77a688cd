// What failed a check: why, where, the raw text; mend it and send it through again, or give it up.
import { App, Button, Input, Modal, Popconfirm } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useQuarantine, useSourceActions, type Held } from "@/features/sources/api";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

export default function Quarantine() {
  const { t } = useTranslation("sources");
  const { brand, may } = useSession();
  const { message } = App.useApp();
  const query = useQuarantine(brand.brand);
  const actions = useSourceActions();
  const [open, setOpen] = useState<Held | null>(null);
  const [body, setBody] = useState("");
  const [why, setWhy] = useState("");
  const [original, setOriginal] = useState("");
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  const look = (row: Held) =>
    actions.raw.mutate(row.quarantine_id, {
      onError: failed,
      onSuccess: (found) => { setBody(found.raw); setOriginal(found.raw); setWhy(""); setOpen(row); },
    });
  return (
    <Card>
      <Loaded query={query} rows={6}>
        {(data) =>
          data.items.length ? (
            <Table<Held>
              size="middle"
              rowKey="quarantine_id"
              dataSource={data.items}
              minWidth={820}
              columns={[
                { title: t("received"), dataIndex: "received_at", render: (value: string) => at(value, "MM-DD HH:mm:ss") },
                { title: t("source"), dataIndex: "source" },
                { title: t("reason"), key: "reason", render: (_, row) => <span>{say(row.reason_label)}<small className="faint">{[row.where, row.detail].filter(Boolean).join(" · ")}</small></span> },
                { title: t("excerpt"), dataIndex: "excerpt", render: (value: string) => <code className="excerpt">{value}</code> },
                { title: t("events"), dataIndex: "count", align: "right", render: integer },
                { title: t("status"), dataIndex: "status", render: (value: string) => <Pill tone={value === "held" ? "warn" : value === "replayed" ? "good" : "calm"} dot>{t(`held.${value}`)}</Pill> },
                { title: "", key: "act", align: "right", render: (_, row) => (row.status === "held" ? <Button size="small" loading={actions.raw.isPending && actions.raw.variables === row.quarantine_id} onClick={() => look(row)}>{t("look")}</Button> : null) },
              ]}
            />
          ) : (
            <Empty title={t("quarantineEmpty")} hint={t("quarantineHint")} />
          )
        }
      </Loaded>
      <Modal
        open={open !== null}
        title={open ? say(open.reason_label) : ""}
        width={720}
        onCancel={() => setOpen(null)}
        footer={
          may("sources.write") && open ? (
            <>
              <Popconfirm
                title={t("discardTitle")}
                description={
                  <div style={{ maxWidth: 280 }}>
                    <p>{t("discardNote")}</p>
                    <Input aria-label={t("why")} placeholder={t("why")} value={why} onChange={(event) => setWhy(event.target.value)} />
                  </div>
                }
                okText={t("discard")}
                okButtonProps={{ danger: true, disabled: !why.trim() }}
                onConfirm={() => actions.discard.mutate({ id: open.quarantine_id, reason: why.trim() }, { onError: failed, onSuccess: () => setOpen(null) })}
              >
                <Button danger loading={actions.discard.isPending}>{t("discard")}</Button>
              </Popconfirm>
              <Button
                type="primary"
                loading={actions.replay.isPending}
                onClick={() =>
                  actions.replay.mutate({ id: open.quarantine_id, ...(body !== original ? { body } : {}) }, {
                    onError: failed,
                    onSuccess: (done) => {
                      if (done.outcome === "quarantined") void message.warning(t("stillBad", { why: done.reason ?? "" }));
                      else { setOpen(null); void message.success(t(`outcome.${done.outcome}`)); }
                    },
                  })
                }
              >
                {t("replay")}
              </Button>
            </>
          ) : null
        }
      >
        <p className="faint">{open ? [open.where, open.detail].filter(Boolean).join(" · ") : ""}</p>
        <p>{t("rawNote")}</p>
        <Input.TextArea aria-label={t("raw")} value={body} rows={14} className="rawtext" onChange={(event) => setBody(event.target.value)} readOnly={!may("sources.write")} />
      </Modal>
    </Card>
  );
}
