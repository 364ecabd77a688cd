// Users and API clients: made, narrowed, disabled.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App, Button, Form, Input, Modal, Popconfirm, Select, Switch, Table, Tag } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { get, patch, post, remove, type Page } from "@/shared/api";
import { at } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, Loaded, sentenceOf } from "@/shared/ui";

const ROLES = ["owner", "operator", "analyst", "guide", "compliance"];

interface User {
  user_id: string;
  username: string;
  name: string;
  role: string;
  brands: string[];
  stores: string[] | null;
  staff_id: string | null;
  active: boolean;
  last_seen_at: string | null;
}

interface UserForm {
  username: string;
  name: string;
  role: string;
  stores?: string[];
  staff_id?: string;
  password: string;
}

export function Users() {
  const { t } = useTranslation("settings");
  const { brand, user: me } = useSession();
  const { message } = App.useApp();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const [form] = Form.useForm<UserForm>();
  const role = Form.useWatch("role", form);
  const query = useQuery({ queryKey: ["settings", "/users"], queryFn: ({ signal }) => get<Page<User>>("/users", undefined, signal) });
  const done = () => void queries.invalidateQueries({ queryKey: ["settings", "/users"] });
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  const create = useMutation({
    mutationFn: (given: UserForm) => post<User>("/users", { ...given, stores: given.stores?.length ? given.stores : null, brands: [brand.brand] }),
    onSuccess: () => { setOpen(false); form.resetFields(); done(); },
    onError: failed,
  });
  const change = useMutation({ mutationFn: (given: { id: string; active: boolean }) => patch<User>(`/users/${given.id}`, { active: given.active }), onSuccess: done, onError: failed });
  return (
    <Card title={t("users")} extra={<Button type="primary" onClick={() => setOpen(true)}>{t("newUser")}</Button>}>
      <Loaded query={query}>
        {(data) => (
          <Table<User>
            size="middle"
            rowKey="user_id"
            pagination={false}
            dataSource={data.items}
            scroll={{ x: 700 }}
            columns={[
              { title: t("userName"), key: "name", render: (_, row) => <span>{row.name}<small className="faint">{row.username}</small></span> },
              { title: t("role"), dataIndex: "role", render: (value: string) => <Tag>{t(`shell:roles.${value}`)}</Tag> },
              { title: t("scope"), key: "scope", render: (_, row) => (row.staff_id ? t("ownCustomers", { staff: row.staff_id }) : row.stores ? t("someStores", { n: row.stores.length }) : t("allStores")) },
              { title: t("seen"), dataIndex: "last_seen_at", render: (value: string | null) => at(value) },
              { title: t("active"), key: "active", render: (_, row) => <Switch checked={row.active} disabled={row.user_id === me.user_id} aria-label={t("activeOf", { name: row.name })} onChange={(active) => change.mutate({ id: row.user_id, active })} /> },
            ]}
          />
        )}
      </Loaded>
      <Modal open={open} title={t("newUser")} okText={t("shell:actions.create")} confirmLoading={create.isPending} onCancel={() => setOpen(false)} onOk={() => void form.validateFields().then((given) => create.mutate(given))}>
        <Form form={form} layout="vertical" initialValues={{ role: "operator" }}>
          <Form.Item name="name" label={t("userName")} rules={[{ required: true, message: t("needed") }]}><Input /></Form.Item>
          <Form.Item name="username" label={t("username")} rules={[{ required: true, message: t("needed") }]}><Input autoComplete="off" /></Form.Item>
          <Form.Item name="password" label={t("password")} rules={[{ required: true, min: 10, message: t("passwordRule") }]}><Input.Password autoComplete="new-password" /></Form.Item>
          <Form.Item name="role" label={t("role")} extra={role ? t(`roleHelp.${role}`) : null}><Select options={ROLES.map((value) => ({ value, label: t(`shell:roles.${value}`) }))} /></Form.Item>
          {role === "guide" ? <Form.Item name="staff_id" label={t("staffId")} rules={[{ required: true, message: t("needed") }]}><Input /></Form.Item> : <Form.Item name="stores" label={t("stores")} extra={t("storesHelp")}><Select mode="tags" /></Form.Item>}
        </Form>
      </Modal>
    </Card>
  );
}

interface Client {
  client_id: string;
  name: string;
  permissions: string[];
  key_hint: string;
  active: boolean;
  made_at: string;
}

export function Clients() {
  const { t } = useTranslation("settings");
  const { brand, permissions } = useSession();
  const { message } = App.useApp();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const [form] = Form.useForm<{ name: string; permissions: string[] }>();
  const query = useQuery({ queryKey: ["settings", "/api-clients"], queryFn: ({ signal }) => get<Page<Client>>("/api-clients", undefined, signal) });
  const done = () => void queries.invalidateQueries({ queryKey: ["settings", "/api-clients"] });
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  const create = useMutation({ mutationFn: (given: { name: string; permissions: string[] }) => post<Client & { key: string }>("/api-clients", { ...given, brands: [brand.brand] }), onSuccess: done, onError: failed });
  const revoke = useMutation({ mutationFn: (id: string) => remove(`/api-clients/${id}`), onSuccess: done, onError: failed });
  const leave = () => { setOpen(false); create.reset(); form.resetFields(); };
  return (
    <Card title={t("clients")} extra={<Button onClick={() => setOpen(true)}>{t("newClient")}</Button>}>
      <Loaded query={query}>
        {(data) => (
          <Table<Client>
            size="middle"
            rowKey="client_id"
            pagination={false}
            dataSource={data.items}
            scroll={{ x: 700 }}
            columns={[
              { title: t("clientName"), key: "name", render: (_, row) => <span>{row.name}<small className="faint">…{row.key_hint}</small></span> },
              { title: t("permissions"), dataIndex: "permissions", render: (values: string[]) => values.map((value) => <Tag key={value}>{value}</Tag>) },
              { title: t("at"), dataIndex: "made_at", render: (value: string) => at(value) },
              { title: "", key: "act", align: "right", render: (_, row) => row.active ? <Popconfirm title={t("revokeConsequence")} onConfirm={() => revoke.mutate(row.client_id)}><Button size="small" danger>{t("revoke")}</Button></Popconfirm> : <Tag>{t("revoked")}</Tag> },
            ]}
          />
        )}
      </Loaded>
      <Modal open={open} title={t("newClient")} okText={create.data ? t("shell:actions.close") : t("shell:actions.create")} confirmLoading={create.isPending} onCancel={leave} onOk={() => (create.data ? leave() : void form.validateFields().then((given) => create.mutate(given)))}>
        {create.data ? (
          <><p>{t("keyOnce")}</p><p className="key">{create.data.key}</p></>
        ) : (
          <Form form={form} layout="vertical">
            <Form.Item name="name" label={t("clientName")} rules={[{ required: true, message: t("needed") }]}><Input /></Form.Item>
            <Form.Item name="permissions" label={t("permissions")} rules={[{ required: true, message: t("needed") }]}><Select mode="multiple" options={permissions.map((value) => ({ value, label: value }))} /></Form.Item>
          </Form>
        )}
      </Modal>
    </Card>
  );
}
