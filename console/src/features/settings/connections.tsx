import { CheckCircleFilled, CloseCircleFilled, PlusOutlined } from "@ant-design/icons";
import { Alert, App, Button, Drawer, Form, Input, Radio, Switch } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useChannels, useCheckConnection, useConnections, useCreateConnection, useUpdateConnection, type Channel, type CheckStep, type Connection } from "@/features/settings/api";
import { defaults, filled, isSecret, plain, SchemaForm } from "@/features/settings/SchemaForm";
import { say } from "@/shared/api";
import { ago, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

interface Fields {
  kind: string;
  connection: string;
  name: string;
  config: Record<string, unknown>;
}

export default function ConnectionsTab() {
  const { t } = useTranslation("settings");
  const { may } = useSession();
  const channels = useChannels();
  const query = useConnections();
  const [editing, setEditing] = useState<Connection | "new" | null>(null);
  return (
    <>
      <div className="tab-head">
        <p className="page-note">{t("connections.note")}</p>
        {may("settings.write") ? (
          <Button type="primary" icon={<PlusOutlined />} onClick={() => setEditing("new")}>
            {t("connections.new")}
          </Button>
        ) : null}
      </div>
      <Loaded query={query}>
        {(data) =>
          data.items.length ? (
            <div className="grid connections">
              {data.items.map((item) => (
                <ConnectionCard key={item.connection} connection={item} edit={() => setEditing(item)} />
              ))}
            </div>
          ) : (
            <Card>
              <Empty title={t("connections.empty")} hint={t("connections.emptyHint")} />
            </Card>
          )
        }
      </Loaded>
      {editing && channels.data ? (
        <ConnectionDrawer connection={editing === "new" ? null : editing} channels={channels.data.items} close={() => setEditing(null)} />
      ) : null}
    </>
  );
}

function ConnectionCard({ connection, edit }: { connection: Connection; edit: () => void }) {
  const { t } = useTranslation("settings");
  const { may } = useSession();
  const { message, modal } = App.useApp();
  const update = useUpdateConnection();
  const check = useCheckConnection();
  const toggle = () => {
    const change = () =>
      update
        .mutateAsync({ connection: connection.connection, enabled: !connection.enabled })
        .catch((error: unknown) => void message.error(sentenceOf(error, t("failed"))));
    if (!connection.enabled) return void change();
    modal.confirm({ title: t("connections.disableTitle", { name: connection.name }), content: t("connections.disableText"), okButtonProps: { danger: true }, onOk: change });
  };
  return (
    <Card
      title={
        <>
          {connection.name} <Pill tone="info">{say(connection.label)}</Pill>
        </>
      }
      extra={may("settings.write") ? <Switch checked={connection.enabled} onChange={toggle} aria-label={t("connections.enabled")} /> : null}
    >
      <dl className="facts">
        <dt>{t("connections.key")}</dt>
        <dd>
          <code>{connection.connection}</code>
        </dd>
        <dt>{t("connections.sent")}</dt>
        <dd className="number">{integer(connection.sent_24h)}</dd>
        <dt>{t("connections.state")}</dt>
        <dd>
          {connection.status ? (
            <Pill tone={connection.status.ok ? "good" : "bad"} dot title={ago(connection.status.checked_at)}>
              {say(connection.status.message)}
            </Pill>
          ) : (
            <Pill>{t("connections.unchecked")}</Pill>
          )}
        </dd>
        {Object.entries(connection.config).map(([name, value]) => (
          <div className="fact" key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{typeof value === "object" ? JSON.stringify(value) : String(value)}</code>
            </dd>
          </div>
        ))}
      </dl>
      {check.isError ? <Alert type="error" showIcon title={sentenceOf(check.error, t("failed"))} /> : null}
      {check.data ? <Steps steps={check.data.steps} /> : null}
      {may("settings.write") ? (
        <div className="page-actions card-actions">
          <Button loading={check.isPending} onClick={() => check.mutate(connection.connection)}>
            {t("connections.check")}
          </Button>
          <Button type="text" onClick={edit}>
            {t("shell:actions.edit")}
          </Button>
        </div>
      ) : null}
    </Card>
  );
}

function Steps({ steps }: { steps: CheckStep[] }) {
  return (
    <ol className="steps" aria-live="polite">
      {steps.map((step, index) => (
        <li key={index}>
          {step.ok ? <CheckCircleFilled style={{ color: "var(--down)" }} /> : <CloseCircleFilled style={{ color: "var(--up)" }} />}
          <span>
            <strong>{say(step.name)}</strong>
            <span>{say(step.message)}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}

function ConnectionDrawer({ connection, channels, close }: { connection: Connection | null; channels: Channel[]; close: () => void }) {
  const { t } = useTranslation("settings");
  const create = useCreateConnection();
  const update = useUpdateConnection();
  const [form] = Form.useForm<Fields>();
  const [kind, setKind] = useState(connection?.kind ?? channels[0]?.kind ?? "");
  const channel = channels.find((item) => item.kind === kind);
  const schema = channel?.config_schema ?? {};
  const failed = create.error ?? update.error;
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
      {failed ? <Alert type="error" showIcon title={sentenceOf(failed, t("failed"))} style={{ marginBottom: 16 }} /> : null}
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
