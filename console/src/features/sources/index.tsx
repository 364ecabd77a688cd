// Data sources with their books (accepted = stored + duplicate + quarantined), the quarantine, how to connect.
import { App, Button, Drawer, Form, Input, Modal, Select, Table } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useBooks, useSourceActions, useSources, useStatus, type Source } from "@/features/sources/api";
import { Connect } from "@/features/sources/connect";
import { Quarantine } from "@/features/sources/quarantine";
import { say } from "@/shared/api";
import { ago, at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Parts } from "@/shared/tabs";
import { Card, Empty, Loaded, MadeBadge, Page, sentenceOf } from "@/shared/ui";
import "./sources.css";

export default function SourcesPage() {
  const { t } = useTranslation("sources");
  const { brand, may } = useSession();
  const query = useSources(brand.brand);
  const [open, setOpen] = useState<Source | null>(null);
  const [creating, setCreating] = useState(false);
  return (
    <Page
      title={t("title")}
      permission="sources.read"
      note={t("note")}
      actions={may("sources.write") ? <Button type="primary" data-testid="create-source" onClick={() => setCreating(true)}>{t("create")}</Button> : null}
    >
      <div className="grid">
        <Health />
        <div>
        <Parts label={t("title")} parts={[
            {
              key: "sources",
              label: t("sources"),
              content: (
                <Loaded query={query} rows={6}>
                  {(data) =>
                    data.items.length ? (
                      <div className="grid">
                        {data.items.map((source) => <Book key={source.source} source={source} open={() => setOpen(source)} />)}
                      </div>
                    ) : (
                      <Empty title={t("none")} hint={t("noneHint")} />
                    )
                  }
                </Loaded>
              ),
            },
            { key: "quarantine", label: t("quarantine"), content: <Quarantine /> },
            { key: "connect", label: t("connect"), content: <Connect /> },
          ]} />
        </div>
      </div>
      <Drawer open={open !== null} onClose={() => setOpen(null)} title={open ? say(open.name) : ""} size={720}>
        {open ? <Hours source={open} /> : null}
      </Drawer>
      <Create open={creating} close={() => setCreating(false)} />
    </Page>
  );
}

function Health() {
  const { t } = useTranslation("sources");
  const query = useStatus();
  return (
    <Loaded query={query} rows={1}>
      {(status) => (
        <section className="card health" aria-label={t("health")}>
          <span className={status.worker.alive ? "alive" : "dead"}>{t(status.worker.alive ? "alive" : "dead")}</span>
          <span>{t("backlog")} <strong className="number">{integer(status.worker.backlog_events)}</strong></span>
          <span>{t("lag")} <strong className="number">{status.worker.lag_seconds.toFixed(1)} s</strong></span>
          <span>{t("history")} <strong className="number">{t("rows", { n: integer(status.stores.history_rows) })}</strong></span>
          <span>{t("state")} <strong>{status.stores.state}</strong></span>
        </section>
      )}
    </Loaded>
  );
}

function Book({ source, open }: { source: Source; open: () => void }) {
  const { t } = useTranslation("sources");
  const cells: [string, number, string][] = [
    ["accepted", source.accepted, ""],
    ["stored", source.stored, "="],
    ["duplicate", source.duplicate, "+"],
    ["quarantined", source.quarantined, "+"],
  ];
  return (
    <section className="card book" data-testid={`source-${source.source}`}>
      <div className="book-name">
        <strong>{say(source.name)}</strong> {source.made ? <MadeBadge /> : null}
        <small className="faint">
          {source.source} · {t(`kinds.${source.kind}`, { defaultValue: source.kind })}
          {source.write_key ? ` · ${t("writeKey")} …${source.write_key.replace(/[^\w]/g, "").slice(-4)}` : ""}
        </small>
      </div>
      <div className="equation" aria-label={t("equation")}>
        {cells.map(([key, value, sign]) => (
          <span key={key} className={key === "quarantined" && value ? "cell cell-bad" : "cell"}>
            {sign ? <i aria-hidden>{sign}</i> : null}
            <span>
              <b className="number">{integer(value)}</b>
              <small className="faint">{t(key)}</small>
            </span>
          </span>
        ))}
        <span><Pill tone={source.balanced ? "good" : "bad"} dot>{t(source.balanced ? "balanced" : "unbalanced")}</Pill></span>
      </div>
      <div className="book-end">
        <small className="faint">{source.pending ? t("pending", { n: integer(source.pending) }) : ago(source.last_event_at)}</small>
        <Button size="small" onClick={open}>{t("hours")}</Button>
      </div>
    </section>
  );
}

/** What accepted events became, as stacked from the ground up. */
const PARTS = [
  ["stored", "#5b8ff0"],
  ["duplicate", "#b9c6de"],
  ["quarantined", "#c2261f"],
] as const;

function Hours({ source }: { source: Source }) {
  const { t } = useTranslation("sources");
  const query = useBooks(source.source);
  return (
    <Loaded query={query} rows={8}>
      {(data) => {
        const rows = data.items;
        const most = Math.max(1, ...rows.map((row) => row.accepted));
        if (!rows.length) return <Empty title={t("noHours")} />;
        const bars = [...rows].slice(0, 96).reverse();
        return (
          <>
            <svg viewBox={`0 0 ${Math.max(bars.length, 24) * 7} 90`} className="hours" role="img" aria-label={t("hoursChart")} preserveAspectRatio="none">
              {bars.map((row, i) => {
                const scale = (value: number) => (value / most) * 86;
                let top = 90;
                return (
                  <g key={row.hour_at}>
                    <title>{`${at(row.hour_at)} · ${PARTS.map(([key]) => `${t(key)} ${integer(row[key])}`).join(" · ")}`}</title>
                    {PARTS.map(([key, colour]) => {
                      const height = scale(row[key]);
                      top -= height;
                      return height ? <rect key={key} x={i * 7} y={top} width={5} height={height} fill={colour} /> : null;
                    })}
                  </g>
                );
              })}
            </svg>
            <div className="hours-axis number">
              <span>{at(bars[0]?.hour_at, "MM-DD HH:mm")}</span>
              <span>{at(bars[bars.length - 1]?.hour_at, "MM-DD HH:mm")}</span>
            </div>
            <ul className="hours-legend">
              {PARTS.map(([key, colour]) => (
                <li key={key}>
                  <i style={{ background: colour }} aria-hidden />
                  {t(key)}
                </li>
              ))}
            </ul>
            <Table
              size="small"
              rowKey="hour_at"
              dataSource={rows}
              pagination={{ pageSize: 24, showSizeChanger: false }}
              columns={[
                { title: t("hour"), dataIndex: "hour_at", render: (value: string) => at(value) },
                ...(["accepted", "stored", "duplicate", "quarantined"] as const).map((key) => ({ title: t(key), dataIndex: key, align: "right" as const, render: integer })),
              ]}
            />
          </>
        );
      }}
    </Loaded>
  );
}

function Create({ open, close }: { open: boolean; close: () => void }) {
  const { t } = useTranslation("sources");
  const { message } = App.useApp();
  const actions = useSourceActions();
  const [form] = Form.useForm<{ source: string; name: string; kind: string }>();
  const made = actions.create.data;
  const leave = () => { actions.create.reset(); form.resetFields(); close(); };
  return (
    <Modal
      open={open}
      title={t("create")}
      okText={made ? t("shell:actions.close") : t("create")}
      confirmLoading={actions.create.isPending}
      cancelButtonProps={made ? { style: { display: "none" } } : {}}
      onCancel={leave}
      onOk={() =>
        made
          ? leave()
          : void form.validateFields().then((given) =>
              actions.create.mutate(
                { source: given.source, kind: given.kind, name: { zh: given.name, en: given.name } },
                { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) },
              ),
            )
      }
    >
      {made ? (
        <Card>
          <p>{t("keyOnce")}</p>
          <p className="key" data-testid="write-key">{made.write_key}</p>
        </Card>
      ) : (
        <Form form={form} layout="vertical" initialValues={{ kind: "sdk" }}>
          <Form.Item name="name" label={t("name")} rules={[{ required: true, message: t("needed") }]}><Input /></Form.Item>
          <Form.Item name="source" label={t("key")} rules={[{ required: true, pattern: /^[a-z][a-z0-9_.-]{1,39}$/, message: t("keyRule") }]}><Input /></Form.Item>
          <Form.Item name="kind" label={t("kind")}>
            <Select options={["sdk", "file"].map((value) => ({ value, label: t(`kinds.${value}`) }))} />
          </Form.Item>
        </Form>
      )}
    </Modal>
  );
}
