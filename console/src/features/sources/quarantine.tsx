// What failed a check: why, where, the raw text; mend it and send it through again, or give it up.
import { App, Button, Input, Modal, Popconfirm, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useQuarantine, useSourceActions, useSources, type Held } from "@/features/sources/api";
import { Groups, Replays } from "@/features/sources/held";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { LoadMore, useFilters } from "@/shared/lists";
import { Pill } from "@/shared/pill";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, sentenceOf } from "@/shared/ui";

export default function Quarantine() {
  const { t } = useTranslation("sources");
  const { brand, may } = useSession();
  const { message } = App.useApp();
  const { filters, change, reset, active } = useFilters(["source", "reason", "status", "since"]);
  const query = useQuarantine(brand.brand, filters);
  const sources = useSources(brand.brand);
  const named = useSourceName();
  const actions = useSourceActions();
  const [open, setOpen] = useState<Schemas["QuarantinedRaw"] | null>(null);
  const [body, setBody] = useState("");
  const [why, setWhy] = useState("");
  const [original, setOriginal] = useState("");
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  // A row of a file or a stream is where it is found; other places are paths in the payload, the same in every language.
  const placed = (row: Held) => [row.where, row.detail].map((part) => part.replace(/^row (\d+)/, (_, n: string) => t("rowN", { n })));
  const look = (row: Held) =>
    actions.raw.mutate(row.quarantine_id, {
      onError: failed,
      onSuccess: (found) => { setBody(found.raw); setOriginal(found.raw); setWhy(""); setOpen(found); },
    });
  return (
    <div className="grid">
    <Groups choose={(group) => change({ source: group.source, reason: group.reason, status: "held" })} />
    <Replays />
    <Card>
      <FilterBar onReset={reset}>
        <Select allowClear style={{ width: 180 }} aria-label={t("source")} placeholder={t("source")} value={filters.source} onChange={(source?: string) => change({ source })} options={(sources.data?.items ?? []).map((one) => ({ value: one.source, label: say(one.name) }))} />
        <Select allowClear style={{ width: 150 }} aria-label={t("status")} placeholder={t("status")} value={filters.status} onChange={(status?: string) => change({ status })} options={["held", "replayed", "discarded"].map((value) => ({ value, label: t(`held.${value}`) }))} />
        {filters.reason ? <Button onClick={() => change({ reason: null })}>{t("reason")}: {say(query.items[0]?.reason_label) || filters.reason} ✕</Button> : null}
        {filters.since ? <Button onClick={() => change({ since: null })}>{t("receivedSince", { when: at(filters.since, "MM-DD HH:mm") })} ✕</Button> : null}
      </FilterBar>
      <Loaded query={query} rows={6}>
        {() =>
          query.items.length ? (
            <>
            <Table<Held>
              label={t("quarantine")}
              rowKey="quarantine_id"
              dataSource={query.items}
              minWidth={820}
              columns={[
                { title: t("received"), dataIndex: "received_at", render: (value: string) => at(value, "MM-DD HH:mm:ss") },
                { title: t("source"), dataIndex: "source", render: named },
                { title: t("reason"), key: "reason", render: (_, row) => <span>{say(row.reason_label)}<small className="faint">{placed(row).filter(Boolean).join(" · ")}</small></span> },
                { title: t("excerpt"), dataIndex: "excerpt", render: (value: string) => <code className="excerpt">{value}</code> },
                { title: t("events"), dataIndex: "count", align: "right", render: integer },
                { title: t("status"), dataIndex: "status", render: (value: string) => <Pill tone={value === "held" ? "warn" : value === "replayed" ? "good" : "calm"} dot>{t(`held.${value}`)}</Pill> },
                { title: "", key: "act", align: "right", render: (_, row) => (row.status === "held" ? <Button size="small" loading={actions.raw.isPending && actions.raw.variables === row.quarantine_id} onClick={() => look(row)}>{t(may("sources.write") ? "look" : "read")}</Button> : null) },
              ]}
            />
            <LoadMore list={query} />
            </>
          ) : (
            <Empty title={active ? t("noneChosen") : t("quarantineEmpty")} hint={active ? undefined : t("quarantineHint")} />
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
                      if (done.outcome === "quarantined") void message.warning(t("stillBad", { why: say(done.reason_label) || (done.reason ?? "") }));
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
        <p className="faint">{open ? [named(open.source), ...placed(open)].filter(Boolean).join(" · ") : ""}</p>
        <p>{t(!may("sources.write") ? "rawRead" : open?.masked ? "rawMasked" : "rawNote")}</p>
        <Input.TextArea aria-label={t("raw")} value={body} rows={14} className="rawtext" onChange={(event) => setBody(event.target.value)} readOnly={!may("sources.write") || open?.masked} />
      </Modal>
    </Card>
    </div>
  );
}
