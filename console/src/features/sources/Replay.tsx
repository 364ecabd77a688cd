// A replay in bulk: choose how each event is mended, look at what would happen, then do it.
import { App, Alert, Button, Drawer, Input, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { isWhole, OPERATIONS, useBulkActions, valueOf, type Edit, type Group, type Preview } from "@/features/sources/bulk";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { sentenceOf } from "@/shared/ui";

export default function Replay({ group, close }: { group: Group; close: () => void }) {
  const { t } = useTranslation("sources");
  const named = useSourceName();
  const { message } = App.useApp();
  const actions = useBulkActions();
  const [edits, setEdits] = useState<Edit[]>([]);
  const chosen = { source: group.source, reason: group.reason, edits: edits.filter(isWhole) };
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  const change = (next: Edit[]) => { setEdits(next); actions.preview.reset(); };
  const put = (at: number, patch: Partial<Edit>) => change(edits.map((edit, i) => (i === at ? { ...edit, ...patch } : edit)));
  const preview = actions.preview.data;
  return (
    <Drawer
      open
      size={760}
      onClose={close}
      title={t("bulk.title", { source: named(group.source), reason: say(group.reason_label) })}
      footer={
        <div className="bulk-foot">
          <Button loading={actions.preview.isPending} data-testid="bulk-preview" onClick={() => actions.preview.mutate(chosen, { onError: failed })}>{t("bulk.preview")}</Button>
          <Button
            type="primary"
            data-testid="bulk-start"
            disabled={!preview?.ready}
            loading={actions.start.isPending}
            onClick={() => actions.start.mutate(chosen, { onError: failed, onSuccess: () => { void message.success(t("bulk.started")); close(); } })}
          >
            {t("bulk.start", { n: integer(preview?.ready ?? 0) })}
          </Button>
        </div>
      }
    >
      <p>{t("bulk.note", { items: integer(group.items), since: at(group.first_at) })}</p>
      <h2>{t("bulk.edits")}</h2>
      <p className="faint">{t("bulk.editsNote")}</p>
      <ul className="bulk-edits">
        {edits.map((edit, i) => (
          <li key={i}>
            <Select aria-label={t("bulk.op")} style={{ width: 160 }} value={edit.op} onChange={(op) => put(i, { op })} options={OPERATIONS.map((value) => ({ value, label: t(`bulk.ops.${value}`) }))} />
            <Input aria-label={t("bulk.path")} placeholder="properties.total" value={edit.path} onChange={(event) => put(i, { path: event.target.value })} />
            {edit.op === "rename" ? <Input aria-label={t("bulk.to")} placeholder={t("bulk.to")} value={edit.to} onChange={(event) => put(i, { to: event.target.value })} /> : null}
            {edit.op === "set" ? <Input aria-label={t("bulk.value")} placeholder={t("bulk.value")} onChange={(event) => put(i, { value: valueOf(event.target.value) })} /> : null}
            <Button onClick={() => change(edits.filter((_, other) => other !== i))}>{t("shell:actions.delete")}</Button>
          </li>
        ))}
      </ul>
      <Button size="small" data-testid="bulk-add" onClick={() => change([...edits, { op: "rename", path: "", to: "" }])}>{t("bulk.add")}</Button>
      {preview ? <Outcome preview={preview} /> : null}
    </Drawer>
  );
}

function Outcome({ preview }: { preview: Preview }) {
  const { t } = useTranslation("sources");
  const cells = [["ready", preview.ready], ["stored", preview.stored], ["duplicate", preview.duplicate], ["still", preview.looked - preview.ready]] as const;
  return (
    <section aria-live="polite" data-testid="bulk-outcome">
      <h2>{t("bulk.would")}</h2>
      {preview.looked < preview.total ? <p className="faint">{t("bulk.sample", { looked: integer(preview.looked), total: integer(preview.total) })}</p> : null}
      <div className="bulk-cells">
        {cells.map(([key, value]) => (
          <span key={key} className={key === "still" && value ? "cell-bad" : ""}><b className="number">{integer(value)}</b><small className="faint">{t(`bulk.cells.${key}`)}</small></span>
        ))}
      </div>
      {preview.ready ? null : <Alert type="warning" showIcon title={t("bulk.nothing")} />}
      {preview.examples.length ? (
        <Table
          size="small"
          rowKey="quarantine_id"
          dataSource={preview.examples}
          minWidth={560}
          columns={[
            { title: t("reason"), key: "reason", render: (_, row) => <span>{say(row.reason_label)}<small className="faint">{[row.where, row.detail].filter(Boolean).join(" · ")}</small></span> },
            { title: t("excerpt"), dataIndex: "excerpt", render: (value: string) => <code className="excerpt">{value}</code> },
          ]}
        />
      ) : null}
    </section>
  );
}
