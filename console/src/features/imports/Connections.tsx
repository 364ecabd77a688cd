// Places that are read by themselves, and webhooks: how each does, and a form to make one.
import { App, Button, Checkbox, Form, Input, Modal, Select, Switch } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useConnections, useImportActions, useKinds, useMappings, type Connection, type ConnectionGiven, type ConnectionKind, type ConnectionMade } from "@/features/imports/api";
import { half, say } from "@/shared/api";
import { ago, at } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

interface FieldOf { title?: string; type?: string; format?: string; default?: unknown }
type Fields = Record<string, FieldOf>;

export default function Connections() {
  const { t } = useTranslation("imports");
  const { message, modal } = App.useApp();
  const { brand, may } = useSession();
  const query = useConnections(brand.brand);
  const kinds = useKinds().data?.items ?? [];
  const actions = useImportActions();
  const [making, setMaking] = useState(false);
  const fail = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")), 6);
  const write = may("sources.write");
  const nameOf = (kind: string) => say(kinds.find((one) => one.kind === kind)?.name ?? kind);
  const ask = (row: Connection) => void modal.confirm({ title: t("disconnectAsk", { name: row.name }), content: t("disconnectHint"), onOk: () => actions.disconnect.mutate(row.connection_id, { onError: fail }) });
  return (
    <div className="grid">
      {write ? <div className="row"><Button type="primary" data-testid="connect" onClick={() => setMaking(true)}>{t("connect")}</Button><span className="faint">{t("connectHint")}</span></div> : null}
      <Loaded query={query} rows={3}>
        {(page) => page.items.length ? (
          <section className="card">
            <Table
              rowKey="connection_id"
              label={t("connections")}
              dataSource={page.items}
              columns={[
                { title: t("connectionName"), dataIndex: "name", render: (name: string, row) => <><strong>{name}</strong><br /><small className="faint">{nameOf(row.kind)}</small></> },
                { title: t("schedule"), dataIndex: "schedule", render: (schedule: string) => schedule || t("called") },
                { title: t("status"), key: "state", render: (_: unknown, row) => row.problem ? <><Pill tone="bad" dot>{t("failing", { n: row.failures })}</Pill><br /><small className="warn">{say(row.problem)}</small></> : <Pill tone={row.active ? "good" : "calm"} dot>{t(row.active ? "working" : "paused")}</Pill> },
                { title: t("ran"), dataIndex: "ran_at", render: (ran: string | null) => ago(ran) },
                { title: t("next"), dataIndex: "next_at", render: (next: string | null, row) => (row.active && next ? at(next) : "—") },
                {
                  title: "",
                  key: "do",
                  render: (_: unknown, row) => write ? (
                    <span className="row">
                      <Switch size="small" checked={row.active} aria-label={t("active")} onChange={(active) => actions.change.mutate({ ...row, active }, { onError: fail })} />
                      {row.kind === "webhook" ? null : <Button size="small" onClick={() => actions.run.mutate(row.connection_id, { onError: fail, onSuccess: () => void message.success(t("soon")) })}>{t("runNow")}</Button>}
                      <Button size="small" danger onClick={() => ask(row)}>{t("disconnect")}</Button>
                    </span>
                  ) : null,
                },
              ]}
            />
          </section>
        ) : <Empty title={t("noConnections")} hint={t("noConnectionsHint")} />}
      </Loaded>
      {making ? <Make kinds={kinds} close={() => setMaking(false)} /> : null}
    </div>
  );
}

function Make({ kinds, close }: { kinds: ConnectionKind[]; close: () => void }) {
  const { t } = useTranslation("imports");
  const { message } = App.useApp();
  const { brand } = useSession();
  const mappings = useMappings(brand.brand).data?.items ?? [];
  const actions = useImportActions();
  const [form] = Form.useForm<ConnectionGiven>();
  const kind = Form.useWatch("kind", form) ?? "folder";
  const fields = (kinds.find((one) => one.kind === kind)?.form["properties"] ?? {}) as Fields;
  const made: ConnectionMade | undefined = actions.connect.data;
  const finish = () =>
    void form.validateFields().then((given) =>
      actions.connect.mutate({ ...given, config: given.config ?? {}, schedule: given.schedule || "every 15m" }, {
        onSuccess: (done) => { if (!done.path) close(); },
        onError: (error) => void message.error(sentenceOf(error, t("shell:states.error")), 6),
      }),
    );
  return (
    <Modal open title={t("connect")} okText={made?.path ? t("shell:actions.close") : t("connect")} confirmLoading={actions.connect.isPending} onCancel={close} onOk={made?.path ? close : finish}>
      {made?.path ? (
        <Card><p>{t("hookOnce")}</p><p className="key" data-testid="hook-path">{location.origin}{made.path}</p></Card>
      ) : (
        <Form form={form} layout="vertical" initialValues={{ kind: "folder", schedule: "every 15m" }}>
          <Form.Item name="kind" label={t("kind")}><Select options={kinds.map((one) => ({ value: one.kind, label: say(one.name) }))} /></Form.Item>
          <Form.Item name="name" label={t("connectionName")} rules={[{ required: true, message: t("needed") }]}><Input maxLength={100} /></Form.Item>
          <Form.Item name="mapping_id" label={t("mapping")} extra={t("mappingFirst")} rules={[{ required: true, message: t("needed") }]}>
            <Select options={mappings.map((one) => ({ value: one.mapping_id, label: `${one.name} · v${one.version}` }))} />
          </Form.Item>
          {Object.entries(fields).map(([name, field]) => (
            <Form.Item key={kind + name} name={["config", name]} label={half(field.title ?? name)} initialValue={field.default} valuePropName={field.type === "boolean" ? "checked" : "value"}>
              {field.type === "boolean" ? <Checkbox /> : field.format === "password" ? <Input.Password autoComplete="new-password" /> : name === "query" ? <Input.TextArea autoSize={{ minRows: 3, maxRows: 10 }} /> : <Input />}
            </Form.Item>
          ))}
          {kind === "webhook" ? null : <Form.Item name="schedule" label={t("schedule")} extra={t("scheduleHint")}><Input /></Form.Item>}
        </Form>
      )}
    </Modal>
  );
}
