// The drawer that makes or edits a channel connection; its fields come from the channel's schema.
import { Alert, Button, Drawer, Form, Input, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCreateConnection, useUpdateConnection, type Channel, type Connection } from "@/features/settings/api";
import { defaults, filled, isSecret, plain, SchemaForm } from "@/features/settings/SchemaForm";
import { half, say } from "@/shared/api";
import { sentenceOf } from "@/shared/ui";

interface Fields {
  kind: string;
  connection: string;
  name: string;
  config: Record<string, unknown>;
}

export default function ConnectionDrawer({ connection, channels, close }: { connection: Connection | null; channels: Channel[]; close: () => void }) {
  const { t } = useTranslation("settings");
  const create = useCreateConnection();
  const update = useUpdateConnection();
  const [form] = Form.useForm<Fields>();
  const [kind, setKind] = useState(connection?.kind ?? channels[0]?.kind ?? "");
  const channel = channels.find((item) => item.kind === kind);
  const schema = channel?.config_schema ?? {};
  const failed = create.error ?? update.error;
  const titled = (field: string) => half(schema.properties?.[field.slice("config.".length)]?.title ?? "") || undefined;
  const initial = (): Partial<Fields> => {
    const stored = Object.entries(connection?.config ?? {}).filter(([name]) => !isSecret(plain(schema.properties?.[name] ?? {})));
    return { connection: connection?.connection, name: connection?.name, config: { ...defaults(schema), ...Object.fromEntries(stored) } };
  };
  const save = async (fields: Fields) => {
    const config = filled(schema, fields.config);
    try {
      if (connection) await update.mutateAsync({ connection: connection.connection, name: fields.name, config });
      else await create.mutateAsync({ kind, connection: fields.connection, name: fields.name, config });
      close();
    } catch {
      // Shown above the form by `failed`.
    }
  };
  return (
    <Drawer
      open
      size={480}
      title={t(connection ? "connections.editTitle" : "connections.new")}
      onClose={close}
      footer={
        <div className="page-actions" style={{ justifyContent: "flex-end" }}>
          <Button onClick={close}>{t("shell:actions.cancel")}</Button>
          <Button type="primary" loading={create.isPending || update.isPending} onClick={() => form.submit()}>
            {t("shell:actions.save")}
          </Button>
        </div>
      }
    >
      {failed ? <Alert type="error" showIcon title={sentenceOf(failed, t("failed"), titled)} style={{ marginBottom: 16 }} /> : null}
      {connection ? null : (
        <Radio.Group
          className="kinds"
          value={kind}
          aria-label={t("connections.kind")}
          onChange={(event) => {
            setKind(event.target.value as string);
            form.resetFields();
          }}
        >
          {channels.map((item) => (
            <Radio key={item.kind} value={item.kind} className="kind">
              <strong>{say(item.label)}</strong>
              <small className="faint">{say(item.description)}</small>
            </Radio>
          ))}
        </Radio.Group>
      )}
      <Form key={kind} form={form} layout="vertical" initialValues={initial()} onFinish={(fields) => void save(fields)}>
        {connection ? null : (
          <Form.Item name="connection" label={t("connections.key")} extra={t("connections.keyHelp")} rules={[{ required: true, pattern: /^[a-z][a-z0-9_-]{1,62}$/, message: t("connections.keyRule") }]}>
            <Input placeholder={`${kind}-main`} />
          </Form.Item>
        )}
        <Form.Item name="name" label={t("connections.name")} rules={[{ required: true }]}>
          <Input />
        </Form.Item>
        <SchemaForm schema={schema} editing={!!connection} />
      </Form>
    </Drawer>
  );
}
