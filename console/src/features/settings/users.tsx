import { PlusOutlined } from "@ant-design/icons";
import { App, Button, Form, Input, Modal, Select, Switch } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ROLES, useCreateUser, useStores, useUpdateUser, useUsers, type User, type UserFields } from "@/features/settings/api";
import { say } from "@/shared/api";
import { ago } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

export default function UsersTab() {
  const { t } = useTranslation("settings");
  const { user: self } = useSession();
  const query = useUsers();
  const update = useUpdateUser();
  const { message, modal } = App.useApp();
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const toggle = (user: User) =>
    modal.confirm({
      title: t(user.active ? "users.disableTitle" : "users.enableTitle", { name: user.name }),
      content: t(user.active ? "users.disableText" : "users.enableText"),
      okButtonProps: { danger: user.active },
      okText: t(user.active ? "users.disable" : "users.enable"),
      onOk: () =>
        update
          .mutateAsync({ user_id: user.user_id, active: !user.active })
          .catch((error: unknown) => void message.error(sentenceOf(error, t("failed")))),
    });
  return (
    <Card
      title={t("users.title")}
      extra={
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setEditing("new")}>
          {t("users.new")}
        </Button>
      }
    >
      <Loaded query={query}>
        {(data) =>
          data.items.length ? (
            <Table<User>
              size="middle"
              rowKey="user_id"
              dataSource={data.items}
              minWidth={760}
              columns={[
                {
                  title: t("users.name"),
                  key: "name",
                  render: (_, user) => (
                    <span className="person-cell">
                      <span className="avatar" aria-hidden>
                        {user.name.slice(0, 1)}
                      </span>
                      <span>
                        {user.name}
                        <small className="faint">{user.username}</small>
                      </span>
                    </span>
                  ),
                },
                { title: t("users.role"), dataIndex: "role", render: (role: string) => <Pill tone="info">{t(`shell:roles.${role}`)}</Pill> },
                {
                  title: t("users.scope"),
                  key: "scope",
                  render: (_, user) => (user.staff_id ? t("users.ownCustomers", { staff: user.staff_id }) : user.stores ? t("users.someStores", { count: user.stores.length }) : t("users.allStores")),
                },
                { title: t("users.seen"), dataIndex: "last_seen_at", render: (value: string | null) => (value ? ago(value) : t("users.never")) },
                {
                  title: t("users.active"),
                  key: "active",
                  render: (_, user) => (
                    <Switch
                      size="small"
                      checked={user.active}
                      disabled={user.user_id === self.user_id}
                      aria-label={t(user.active ? "users.disable" : "users.enable")}
                      onChange={() => toggle(user)}
                    />
                  ),
                },
                {
                  title: "",
                  key: "edit",
                  align: "right",
                  render: (_, user) => (
                    <Button type="link" size="small" onClick={() => setEditing(user)}>
                      {t("shell:actions.edit")}
                    </Button>
                  ),
                },
              ]}
            />
          ) : (
            <Empty />
          )
        }
      </Loaded>
      {editing ? <UserDialog user={editing === "new" ? null : editing} close={() => setEditing(null)} /> : null}
    </Card>
  );
}

function UserDialog({ user, close }: { user: User | null; close: () => void }) {
  const { t } = useTranslation("settings");
  const { brands } = useSession();
  const stores = useStores();
  const create = useCreateUser();
  const update = useUpdateUser();
  const { message } = App.useApp();
  const [form] = Form.useForm<UserFields>();
  const role = Form.useWatch("role", form);
  const save = async (fields: UserFields) => {
    const scoped = { ...fields, stores: fields.stores?.length ? fields.stores : null, staff_id: fields.staff_id || null };
    try {
      if (user) await update.mutateAsync({ ...scoped, username: undefined, password: fields.password || undefined, user_id: user.user_id });
      else await create.mutateAsync(scoped);
      close();
    } catch (error) {
      void message.error(sentenceOf(error, t("failed")));
    }
  };
  return (
    <Modal
      open
      title={t(user ? "users.editTitle" : "users.new")}
      onCancel={close}
      okText={t("shell:actions.save")}
      confirmLoading={create.isPending || update.isPending}
      onOk={() => form.submit()}
    >
      <Form
        form={form}
        layout="vertical"
        initialValues={user ?? { role: "operator", brands: brands.map((item) => item.brand) }}
        onFinish={(fields) => void save(fields)}
      >
        {user ? null : (
          <Form.Item name="username" label={t("users.username")} rules={[{ required: true, min: 2 }]}>
            <Input autoComplete="off" />
          </Form.Item>
        )}
        <Form.Item name="name" label={t("users.name")} rules={[{ required: true }]}>
          <Input autoComplete="off" />
        </Form.Item>
        <Form.Item name="role" label={t("users.role")} extra={role ? t(`users.roleHelp.${role}`) : null} rules={[{ required: true }]}>
          <Select options={ROLES.map((value) => ({ value, label: t(`shell:roles.${value}`) }))} />
        </Form.Item>
        <Form.Item name="brands" label={t("users.brands")} rules={[{ required: true }]}>
          <Select mode="multiple" options={brands.map((item) => ({ value: item.brand, label: say(item.name) }))} />
        </Form.Item>
        <Form.Item name="stores" label={t("users.stores")} extra={t("users.storesHelp")}>
          <Select
            mode="multiple"
            allowClear
            loading={stores.isPending}
            showSearch={{ optionFilterProp: "label" }}
            options={stores.data?.items.map((item) => ({ value: item.store_id, label: say(item.name) }))}
          />
        </Form.Item>
        {role === "guide" ? (
          <Form.Item name="staff_id" label={t("users.staff")} extra={t("users.staffHelp")}>
            <Input />
          </Form.Item>
        ) : null}
        <Form.Item name="password" label={t(user ? "users.newPassword" : "users.password")} rules={user ? [{ min: 10 }] : [{ required: true, min: 10 }]} extra={t("users.passwordHelp")}>
          <Input.Password autoComplete="new-password" />
        </Form.Item>
      </Form>
    </Modal>
  );
}
