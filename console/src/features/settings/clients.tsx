import { PlusOutlined } from "@ant-design/icons";
import { Alert, App, Button, Form, Input, Modal, Select, Typography } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useClients, useCreateClient, useRevokeClient, type ApiClient } from "@/features/settings/api";
import { say } from "@/shared/api";
import { at } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

export default function ClientsTab() {
  const { t } = useTranslation("settings");
  const query = useClients();
  const revoke = useRevokeClient();
  const { message, modal } = App.useApp();
  const [making, setMaking] = useState(false);
  const ask = (client: ApiClient) =>
    modal.confirm({
      title: t("clients.revokeTitle", { name: client.name }),
      content: t("clients.revokeText"),
      okText: t("clients.revoke"),
      okButtonProps: { danger: true },
      onOk: () => revoke.mutateAsync(client.client_id).catch((error: unknown) => void message.error(sentenceOf(error, t("failed")))),
    });
  return (
    <Card
      title={t("clients.title")}
      extra={
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setMaking(true)}>
          {t("clients.new")}
        </Button>
      }
    >
      <Loaded query={query}>
        {(data) =>
          data.items.length ? (
            <Table<ApiClient>
              size="middle"
              rowKey="client_id"
              dataSource={data.items}
              minWidth={760}
              columns={[
                { title: t("clients.name"), dataIndex: "name" },
                { title: t("clients.key"), dataIndex: "key_hint", render: (hint: string) => <code>{hint}</code> },
                {
                  title: t("clients.permissions"),
                  dataIndex: "permissions",
                  render: (list: string[]) => <span className="codes">{list.map((item) => <code key={item}>{item}</code>)}</span>,
                },
                { title: t("clients.made"), dataIndex: "made_at", render: (value: string) => at(value) },
                {
                  title: t("clients.state"),
                  dataIndex: "active",
                  render: (active: boolean) => <Pill tone={active ? "good" : "calm"} dot>{t(active ? "clients.active" : "clients.revoked")}</Pill>,
                },
                {
                  title: "",
                  key: "revoke",
                  align: "right",
                  render: (_, client) =>
                    client.active ? (
                      <Button type="link" danger size="small" onClick={() => ask(client)}>
                        {t("clients.revoke")}
                      </Button>
                    ) : null,
                },
              ]}
            />
          ) : (
            <Empty title={t("clients.empty")} hint={t("clients.emptyHint")} />
          )
        }
      </Loaded>
      {making ? <ClientDialog close={() => setMaking(false)} /> : null}
    </Card>
  );
}

function ClientDialog({ close }: { close: () => void }) {
  const { t } = useTranslation("settings");
  const { brands, permissions } = useSession();
  const create = useCreateClient();
  const [form] = Form.useForm<Pick<ApiClient, "name" | "permissions" | "brands">>();
  const made = create.data;
  return (
    <Modal
      open
      title={t("clients.new")}
      onCancel={close}
      okText={t(made ? "shell:actions.close" : "shell:actions.save")}
      cancelButtonProps={made ? { hidden: true } : undefined}
      mask={{ closable: !made }}
      confirmLoading={create.isPending}
      onOk={made ? close : () => form.submit()}
    >
      {made ? (
        <div className="grid">
          <Alert type="warning" showIcon title={t("clients.once")} />
          <Typography.Text code copyable style={{ fontSize: 15 }}>
            {made.key}
          </Typography.Text>
        </div>
      ) : (
        <Form form={form} layout="vertical" initialValues={{ brands: brands.map((item) => item.brand) }} onFinish={(fields) => create.mutate(fields)}>
          {create.isError ? <Alert type="error" showIcon title={sentenceOf(create.error, t("failed"))} style={{ marginBottom: 16 }} /> : null}
          <Form.Item name="name" label={t("clients.name")} rules={[{ required: true }]}>
            <Input placeholder={t("clients.namePlaceholder")} />
          </Form.Item>
          <Form.Item name="permissions" label={t("clients.permissions")} extra={t("clients.permissionsHelp")} rules={[{ required: true }]}>
            <Select mode="multiple" options={permissions.map((value) => ({ value, label: value }))} />
          </Form.Item>
          <Form.Item name="brands" label={t("users.brands")} rules={[{ required: true }]}>
            <Select mode="multiple" options={brands.map((item) => ({ value: item.brand, label: say(item.name) }))} />
          </Form.Item>
        </Form>
      )}
    </Modal>
  );
}
