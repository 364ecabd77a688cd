import { CheckCircleFilled, CloseCircleFilled, PlusOutlined } from "@ant-design/icons";
import { Alert, App, Button, Switch } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useChannels, useCheckConnection, useConnections, useUpdateConnection, type Channel, type CheckStep, type Connection } from "@/features/settings/api";
import { half, say } from "@/shared/api";
import { ago, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

// The form is only loaded by whoever edits.
const ConnectionDrawer = lazy(() => import("@/features/settings/ConnectionDrawer"));

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
                <ConnectionCard key={item.connection} connection={item} channel={channels.data?.items.find((one) => one.kind === item.kind)} edit={() => setEditing(item)} />
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
        <Suspense>
          <ConnectionDrawer connection={editing === "new" ? null : editing} channels={channels.data.items} close={() => setEditing(null)} />
        </Suspense>
      ) : null}
    </>
  );
}

function ConnectionCard({ connection, channel, edit }: { connection: Connection; channel?: Channel; edit: () => void }) {
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
            <dt>{half(channel?.config_schema.properties?.[name]?.title ?? name)}</dt>
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
