// The form of a connection, new or to be changed: a place's settings as its kind states them, its mapping and its schedule.
import { Alert, AutoComplete, Checkbox, Form, Input, Modal, Select, Switch } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useImportActions, useMappings, type Connection, type ConnectionKind, type ConnectionMade, type Document } from "@/features/imports/api";
import { secretsOf, sent, type Fields } from "@/features/imports/model";
import { ApiError, half, say } from "@/shared/api";
import { useSession } from "@/shared/session";
import { Card, sentenceOf } from "@/shared/ui";

interface Values {
  kind: string;
  name: string;
  mapping_id: string;
  config?: Document;
  schedule?: string;
  active?: boolean;
  from_start?: boolean;
  cleared?: Record<string, boolean>;
}

const SCHEDULES = ["every 5m", "every 15m", "every 1h", "0 3 * * *"];

export default function ConnectionForm({ connection, kinds, close }: { connection: Connection | null; kinds: ConnectionKind[]; close: () => void }) {
  const { t } = useTranslation("imports");
  const { brand } = useSession();
  const mappings = useMappings(brand.brand).data?.items ?? [];
  const actions = useImportActions();
  const [form] = Form.useForm<Values>();
  const [refused, setRefused] = useState<string>();
  const kind = Form.useWatch("kind", form) ?? connection?.kind ?? "folder";
  const schema = kinds.find((one) => one.kind === kind)?.form;
  const fields = (schema?.["properties"] ?? {}) as Fields;
  const required = (schema?.["required"] ?? []) as string[];
  const stored = connection ? secretsOf(fields, connection.config) : {};
  const cleared = Form.useWatch("cleared", form) ?? {};
  const made: ConnectionMade | undefined = actions.connect.data;
  const options = mappings.map((one) => ({ value: one.mapping_id, label: `${one.name} · v${one.version}` }));
  if (connection && mappings.length && !options.some((one) => one.value === connection.mapping_id)) options.push({ value: connection.mapping_id, label: t("archivedOne") });

  const fail = (error: unknown) => {
    setRefused(sentenceOf(error, t("shell:states.error"), (field) => half(fields[field.slice("config.".length)]?.title ?? "") || undefined));
    if (!(error instanceof ApiError)) return;
    const known = error.fields.filter((one) => one.field === "schedule" || one.field.slice("config.".length) in fields);
    form.setFields(known.map((one) => ({ name: one.field.split(".") as ["config", string], errors: [one.message] })));
  };
  const finish = () =>
    void form.validateFields().then((given) => {
      setRefused(undefined);
      const config = sent(fields, given.config ?? {}, connection !== null, given.cleared);
      const schedule = given.schedule || "every 15m";
      if (connection)
        actions.change.mutate(
          { ...connection, name: given.name, mapping_id: given.mapping_id, config, schedule, active: given.active ?? true, from_start: given.from_start ?? false },
          { onSuccess: close, onError: fail },
        );
      else actions.connect.mutate({ kind: given.kind, name: given.name, mapping_id: given.mapping_id, config, schedule }, { onSuccess: (done) => { if (!done.path) close(); }, onError: fail });
    }, () => undefined);

  if (made?.path)
    return (
      <Modal open title={t("connect")} okText={t("shell:actions.close")} onCancel={close} onOk={close} cancelButtonProps={{ hidden: true }}>
        <Card><p>{t("hookOnce")}</p><p className="key" data-testid="hook-path">{location.origin}{made.path}</p></Card>
      </Modal>
    );
  return (
    <Modal
      open
      title={connection ? t("edit", { name: connection.name }) : t("connect")}
      okText={connection ? t("shell:actions.save") : t("connect")}
      confirmLoading={actions.connect.isPending || actions.change.isPending}
      onCancel={close}
      onOk={finish}
    >
      <Form
        form={form}
        layout="vertical"
        initialValues={connection ? { ...connection, config: sent(fields, connection.config, true) } : { kind: "folder", schedule: "every 15m" }}
      >
        <Form.Item name="kind" label={t("kind")}><Select disabled={connection !== null} options={kinds.map((one) => ({ value: one.kind, label: say(one.name) }))} /></Form.Item>
        <Form.Item name="name" label={t("connectionName")} rules={[{ required: true, message: t("needed") }]}><Input maxLength={100} /></Form.Item>
        <Form.Item name="mapping_id" label={t("mapping")} extra={t("mappingFirst")} rules={[{ required: true, message: t("needed") }]}><Select options={options} /></Form.Item>
        {Object.entries(fields).map(([name, field]) => {
          const secret = field.format === "password";
          const needed = required.includes(name) && !(secret && stored[name]);
          return (
            <div key={kind + name}>
              <Form.Item
                name={["config", name]}
                label={half(field.title ?? name)}
                extra={secret && connection ? t(stored[name] ? "secretSet" : "secretUnset") : undefined}
                rules={[{ required: needed, message: t("needed") }]}
                initialValue={connection ? undefined : field.default}
                valuePropName={field.type === "boolean" ? "checked" : "value"}
              >
                {field.type === "boolean" ? <Checkbox /> : secret ? <Input.Password autoComplete="new-password" disabled={cleared[name]} placeholder={stored[name] ? "••••••" : ""} /> : name === "query" ? <Input.TextArea autoSize={{ minRows: 3, maxRows: 10 }} /> : <Input autoComplete="off" />}
              </Form.Item>
              {stored[name] && !required.includes(name) ? <Form.Item name={["cleared", name]} valuePropName="checked"><Checkbox>{t("secretClear")}</Checkbox></Form.Item> : null}
            </div>
          );
        })}
        {kind === "webhook" ? null : (
          <Form.Item name="schedule" label={t("schedule")} extra={t("scheduleHint")}>
            <AutoComplete options={SCHEDULES.map((value) => ({ value, label: `${value} · ${t(`schedules.${value}`)}` }))} />
          </Form.Item>
        )}
        {connection ? <Form.Item name="active" label={t("active")} valuePropName="checked"><Switch /></Form.Item> : null}
        {connection && kind !== "webhook" ? <Form.Item name="from_start" extra={t("fromStartHint")} valuePropName="checked"><Checkbox>{t("fromStart")}</Checkbox></Form.Item> : null}
      </Form>
      {refused ? <Alert type="error" showIcon role="alert" title={refused} /> : null}
    </Modal>
  );
}
