// Values that identify nobody: the brand's own, which can be taken back, and those that hold for everybody.
import { Alert, Button, Form, Input, Modal, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useBlock, useBlocked, useUnblock, type BlockedValue, type Policy } from "@/features/settings/api";
import { say } from "@/shared/api";
import { at } from "@/shared/format";
import { LoadMore } from "@/shared/lists";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

export function BlockedCard({ policies }: { policies: Policy[] }) {
  const { t } = useTranslation("settings");
  const { may } = useSession();
  const list = useBlocked();
  const [blocking, setBlocking] = useState(false);
  const [freeing, setFreeing] = useState<BlockedValue | null>(null);
  const writes = may("settings.write");
  const block = (
    <Button data-testid="block-value" onClick={() => setBlocking(true)}>
      {t("blocked.new")}
    </Button>
  );
  return (
    <Card title={t("blocked.title")} extra={writes && list.items.length ? block : <span className="faint">{t("blocked.note")}</span>}>
      <Loaded query={list}>
        {() =>
          list.items.length ? (
            <Table<BlockedValue>
              rowKey="value_id"
              dataSource={list.items}
              minWidth={720}
              label={t("blocked.title")}
              columns={[
                {
                  title: t("blocked.value"),
                  key: "value",
                  render: (_, one) => (
                    <>
                      <code>{one.masked}</code> <small className="faint">{say(one.namespace_label)}</small>
                    </>
                  ),
                },
                { title: t("blocked.reason"), dataIndex: "reason" },
                {
                  title: t("blocked.by"),
                  key: "by",
                  render: (_, one) => (
                    <>
                      {one.blocked_by} <small className="faint">{at(one.blocked_at)}</small>
                    </>
                  ),
                },
                {
                  title: "",
                  key: "free",
                  align: "right",
                  render: (_, one) =>
                    writes ? (
                      <Button type="link" size="small" data-testid="unblock-value" onClick={() => setFreeing(one)}>
                        {t("blocked.free")}
                      </Button>
                    ) : null,
                },
              ]}
            />
          ) : (
            <Empty title={t("blocked.empty")} hint={t("blocked.emptyHint")} action={writes ? block : undefined} />
          )
        }
      </Loaded>
      <LoadMore list={list} />
      <BuiltIn policies={policies} />
      {blocking ? <BlockDialog policies={policies} close={() => setBlocking(false)} /> : null}
      {freeing ? <FreeDialog one={freeing} close={() => setFreeing(null)} /> : null}
    </Card>
  );
}

/** What holds for every brand: placeholders of all kinds of identifiers, then what only some have. */
function BuiltIn({ policies }: { policies: Policy[] }) {
  const { t } = useTranslation("settings");
  const common = policies[0]?.blocked.filter((value) => policies.every((policy) => policy.blocked.includes(value))) ?? [];
  const rows = [
    { key: "all", label: t("blocked.allKinds"), values: common, why: t("blocked.why.placeholder") },
    ...policies.map((policy) => ({
      key: policy.namespace,
      label: say(policy.label),
      values: policy.blocked.filter((value) => !common.includes(value)),
      why: t("blocked.why.test"),
    })),
  ].filter((row) => row.values.length);
  return (
    <div className="built-in">
      <h3>{t("blocked.builtIn")}</h3>
      <p className="faint">{t("blocked.builtInNote")}</p>
      <dl>
        {rows.map((row) => (
          <div key={row.key}>
            <dt>{row.label}</dt>
            <dd>
              <span className="codes">
                {row.values.map((value) => (
                  <code key={value}>{value}</code>
                ))}
              </span>
              <span className="faint">{row.why}</span>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function BlockDialog({ policies, close }: { policies: Policy[]; close: () => void }) {
  const { t } = useTranslation("settings");
  const block = useBlock();
  const [form] = Form.useForm<{ namespace: string; values: string; reason: string }>();
  return (
    <Modal open title={t("blocked.newTitle")} okText={t("blocked.block")} okButtonProps={{ danger: true }} confirmLoading={block.isPending} onCancel={close} onOk={() => form.submit()}>
      <Form
        form={form}
        layout="vertical"
        initialValues={{ namespace: "phone" }}
        onFinish={({ namespace, values, reason }) => {
          const given = values.split("\n").map((value) => value.trim()).filter(Boolean);
          block.mutate({ values: given.map((value) => ({ namespace, value })), reason: reason.trim() }, { onSuccess: close });
        }}
      >
        {block.isError ? <Alert type="error" showIcon title={sentenceOf(block.error, t("failed"))} style={{ marginBottom: 16 }} /> : null}
        <Form.Item name="namespace" label={t("blocked.kind")} rules={[{ required: true }]}>
          <Select options={policies.map((policy) => ({ value: policy.namespace, label: say(policy.label) }))} />
        </Form.Item>
        <Form.Item name="values" label={t("blocked.values")} extra={t("blocked.valuesHelp")} rules={[{ required: true, whitespace: true }]}>
          <Input.TextArea rows={3} data-testid="block-values" />
        </Form.Item>
        <Form.Item name="reason" label={t("blocked.reason")} rules={[{ required: true, whitespace: true, max: 500 }]}>
          <Input placeholder={t("blocked.reasonPlaceholder")} data-testid="block-reason" />
        </Form.Item>
      </Form>
    </Modal>
  );
}

function FreeDialog({ one, close }: { one: BlockedValue; close: () => void }) {
  const { t } = useTranslation("settings");
  const free = useUnblock();
  const [reason, setReason] = useState("");
  return (
    <Modal
      open
      title={t("blocked.freeTitle", { value: one.masked })}
      okText={t("blocked.free")}
      okButtonProps={{ disabled: !reason.trim() }}
      confirmLoading={free.isPending}
      onCancel={close}
      onOk={() => free.mutate({ value_id: one.value_id, reason: reason.trim() }, { onSuccess: close })}
    >
      <div className="grid">
        {free.isError ? <Alert type="error" showIcon title={sentenceOf(free.error, t("failed"))} /> : null}
        <p>{t("blocked.freeText")}</p>
        <Input value={reason} maxLength={500} aria-label={t("blocked.reason")} placeholder={t("blocked.freePlaceholder")} data-testid="unblock-reason" onChange={(event) => setReason(event.target.value)} />
      </div>
    </Modal>
  );
}
