// Touchpoints: a connection per channel, its form made from the plugin's schema, its check step by step.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App, Button, Form, Input, Modal, Select, Switch, Table, Tag } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { get, post, put, say, type Label, type Page } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

interface Field {
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  enum?: string[];
  default?: unknown;
}

interface Kind {
  kind: string;
  label: Label;
  description: Label;
  config_schema: { properties?: Record<string, Field>; required?: string[] };
}

interface Connection {
  connection: string;
  kind: string;
  name: string;
  enabled: boolean;
  config: Record<string, unknown>;
  status: { ok: boolean; message: Label; checked_at: string } | null;
  sent_24h: number;
}

interface Step {
  name: Label;
  ok: boolean;
  message: Label;
}

export function Connections() {
  const { t } = useTranslation("settings");
  const { may } = useSession();
  const { message, modal } = App.useApp();
  const queries = useQueryClient();
  const [editing, setEditing] = useState<Connection | "new" | null>(null);
  const kinds = useQuery({ queryKey: ["settings", "/channels"], queryFn: ({ signal }) => get<Page<Kind>>("/channels", undefined, signal) });
  const query = useQuery({ queryKey: ["settings", "/connections"], queryFn: ({ signal }) => get<Page<Connection>>("/connections", undefined, signal) });
  const done = () => void queries.invalidateQueries({ queryKey: ["settings", "/connections"] });
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  const check = useMutation({
    mutationFn: (name: string) => post<{ ok: boolean; steps: Step[] }>(`/connections/${name}/check`, {}),
    onError: failed,
    onSuccess: (result) => {
      done();
      void modal[result.ok ? "success" : "error"]({
        title: t(result.ok ? "checkOk" : "checkBad"),
        content: <ul className="steps">{result.steps.map((step) => <li key={step.name.en}>{step.ok ? "✓" : "✗"} {say(step.name)}: {say(step.message)}</li>)}</ul>,
      });
    },
  });
  const enable = useMutation({ mutationFn: (given: { name: string; enabled: boolean }) => put(`/connections/${given.name}`, { enabled: given.enabled }), onSuccess: done, onError: failed });
  return (
    <Card title={t("connections")} extra={may("settings.write") ? <Button type="primary" onClick={() => setEditing("new")}>{t("newConnection")}</Button> : null}>
      <Loaded query={query}>
        {(data) =>
          data.items.length ? (
            <Table<Connection>
              size="middle"
              rowKey="connection"
              pagination={false}
              dataSource={data.items}
              scroll={{ x: 760 }}
              columns={[
                { title: t("connection"), key: "name", render: (_, row) => <span>{row.name}<small className="faint">{row.connection} · {say(kinds.data?.items.find((kind) => kind.kind === row.kind)?.label) || row.kind}</small></span> },
                { title: t("condition"), key: "status", render: (_, row) => row.status ? <span><Tag color={row.status.ok ? "blue" : "red"}>{say(row.status.message)}</Tag><small className="faint">{at(row.status.checked_at)}</small></span> : t("unchecked") },
                { title: t("sent24"), dataIndex: "sent_24h", align: "right", render: integer },
                { title: t("active"), key: "on", render: (_, row) => <Switch checked={row.enabled} disabled={!may("settings.write")} aria-label={row.name} onChange={(enabled) => enable.mutate({ name: row.connection, enabled })} /> },
                { title: "", key: "act", align: "right", render: (_, row) => may("settings.write") ? <><Button size="small" loading={check.isPending && check.variables === row.connection} onClick={() => check.mutate(row.connection)}>{t("check")}</Button> <Button size="small" onClick={() => setEditing(row)}>{t("shell:actions.edit")}</Button></> : null },
              ]}
            />
          ) : (
            <Empty title={t("noConnections")} hint={t("noConnectionsHint")} />
          )
        }
      </Loaded>
      {editing ? <Editor kinds={kinds.data?.items ?? []} given={editing === "new" ? null : editing} close={() => setEditing(null)} done={done} /> : null}
    </Card>
  );
}

function Editor({ kinds, given, close, done }: { kinds: Kind[]; given: Connection | null; close: () => void; done: () => void }) {
  const { t } = useTranslation("settings");
  const { message } = App.useApp();
  const [form] = Form.useForm<{ kind: string; connection: string; name: string; config: Record<string, unknown> }>();
  const kind = Form.useWatch("kind", form) ?? given?.kind ?? kinds[0]?.kind;
  const schema = kinds.find((item) => item.kind === kind)?.config_schema;
  const save = useMutation({
    mutationFn: (values: { kind: string; connection: string; name: string; config: Record<string, unknown> }) =>
      given ? put(`/connections/${given.connection}`, { name: values.name, config: values.config }) : post("/connections", values),
    onSuccess: () => { done(); close(); },
    onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))),
  });
  return (
    <Modal open title={given ? given.name : t("newConnection")} okText={t("shell:actions.save")} confirmLoading={save.isPending} onCancel={close} onOk={() => void form.validateFields().then((values) => save.mutate({ ...values, kind: kind ?? "" }))}>
      <Form form={form} layout="vertical" initialValues={given ?? { kind: kinds[0]?.kind }}>
        {given ? null : (
          <>
            <Form.Item name="kind" label={t("channelKind")}><Select options={kinds.map((item) => ({ value: item.kind, label: say(item.label) }))} /></Form.Item>
            <Form.Item name="connection" label={t("connectionKey")} rules={[{ required: true, pattern: /^[a-z][a-z0-9_-]{0,39}$/, message: t("keyRule") }]}><Input /></Form.Item>
          </>
        )}
        <Form.Item name="name" label={t("connectionName")} rules={[{ required: true, message: t("needed") }]}><Input /></Form.Item>
        {Object.entries(schema?.properties ?? {}).map(([key, field]) => (
          <Form.Item key={key} name={["config", key]} label={field.title ?? key} extra={field.description} initialValue={given ? undefined : field.default} rules={[{ required: schema?.required?.includes(key) ?? false, message: t("needed") }]}>
            {field.enum ? <Select options={field.enum.map((value) => ({ value, label: value }))} /> : field.format === "password" ? <Input.Password autoComplete="off" /> : field.type === "boolean" ? <Switch /> : <Input />}
          </Form.Item>
        ))}
      </Form>
    </Modal>
  );
}
