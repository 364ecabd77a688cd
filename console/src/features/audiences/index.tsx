// The list of audiences: search, size, freshness, where each is used, and what can be done with it.
import { CopyOutlined, DeleteOutlined, DownloadOutlined, EllipsisOutlined, PlusOutlined, ReloadOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App, Button, Dropdown, Input, Select, Tooltip } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useSearchParams } from "react-router";
import { download, post, remove, say } from "@/shared/api";
import { ago, at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, Page, sentenceOf } from "@/shared/ui";
import { useAudiences, type Audience, type Refresh, type Version } from "./model";

const MODES: Refresh[] = ["manual", "daily", "live"];

export default function AudienceList() {
  const { t } = useTranslation("audiences");
  const { may } = useSession();
  const [params, setParams] = useSearchParams();
  const [typed, setTyped] = useState(params.get("q") ?? "");
  const query = useAudiences();
  const set = (next: Record<string, string>) =>
    setParams((now) => {
      const all = new URLSearchParams(now);
      for (const [key, value] of Object.entries(next)) if (value) all.set(key, value);
        else all.delete(key);
      return all;
    }, { replace: true });
  const q = (params.get("q") ?? "").toLowerCase();
  const mode = params.get("refresh") ?? "";
  const create = (
    <Link to="/audiences/new">
      <Button type="primary" icon={<PlusOutlined />} data-testid="audience-new">
        {t("new")}
      </Button>
    </Link>
  );
  return (
    <Page title={t("title")} note={t("note")} permission="audiences.read" actions={may("audiences.write") ? create : null}>
      <FilterBar
        onReset={() => {
          setTyped("");
          setParams({});
        }}
      >
        <Input.Search
          allowClear
          placeholder={t("search")}
          aria-label={t("search")}
          data-testid="audience-search"
          style={{ width: 260 }}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onSearch={(text) => set({ q: text.trim() })}
        />
        <Select
          aria-label={t("refresh.label")}
          value={mode}
          style={{ minWidth: 170 }}
          options={[{ value: "", label: t("refresh.all") }, ...MODES.map((key) => ({ value: key as string, label: t(`refresh.${key}`) }))]}
          onChange={(value) => set({ refresh: value })}
        />
      </FilterBar>
      <Card>
        <Loaded query={query} rows={8}>
          {(data) => {
            const items = data.items.filter(
              (item) => (!mode || item.refresh === mode) && (!q || `${item.name} ${item.description}`.toLowerCase().includes(q)),
            );
            if (!items.length)
              return <Empty title={t(data.items.length ? "noMatch" : "empty")} hint={data.items.length ? undefined : t("emptyHint")} action={!data.items.length && may("audiences.write") ? create : undefined} />;
            return <AudienceTable items={items} />;
          }}
        </Loaded>
      </Card>
    </Page>
  );
}

function AudienceTable({ items }: { items: Audience[] }) {
  const { t } = useTranslation("audiences");
  return (
    <Table<Audience>
      size="middle"
      rowKey="audience_id"
      dataSource={items}
      label={t("title")}
      columns={[
        {
          title: t("columns.name"),
          key: "name",
          render: (_, item) => (
            <div>
              <Link to={`/audiences/${item.audience_id}`} data-testid={`audience-${item.audience_id}`}>
                <strong>{item.name}</strong>
              </Link>
              <small className="faint">{item.description || say(item.sentence)}</small>
            </div>
          ),
        },
        {
          title: t("columns.size"),
          dataIndex: "size",
          align: "right",
          sorter: (a, b) => (a.size ?? -1) - (b.size ?? -1),
          render: (size: number | null, item) =>
            size === null ? (
              <span className="faint">{t("notComputed")}</span>
            ) : (
              <Link className="number drill" to={`/audiences/${item.audience_id}?tab=people`} aria-label={`${item.name}: ${integer(size)}`}>
                {integer(size)}
              </Link>
            ),
        },
        { title: t("columns.refresh"), dataIndex: "refresh", render: (mode: Refresh) => <Pill tone={mode === "live" ? "info" : "calm"}>{t(`refresh.${mode}`)}</Pill> },
        { title: t("columns.computed"), dataIndex: "computed_at", render: (value: string | null) => <span className="nowrap" title={at(value)}>{ago(value)}</span> },
        {
          title: t("columns.usedBy"),
          key: "used",
          render: (_, item) =>
            item.used_by.length ? (
              <Tooltip title={item.used_by.map((use) => use.name).join("、")}>
                <span data-testid={`used-${item.audience_id}`}>{t("usedBy", { count: item.used_by.length })}</span>
              </Tooltip>
            ) : (
              <span className="faint">{t("unused")}</span>
            ),
        },
        { title: t("columns.updated"), dataIndex: "updated_at", sorter: (a, b) => a.updated_at.localeCompare(b.updated_at), render: (value: string, item) => <span className="nowrap">{at(value)}<small className="faint">{item.created_by}</small></span> },
        { title: t("columns.actions"), key: "actions", render: (_, item) => <Actions audience={item} /> },
      ]}
    />
  );
}

function Actions({ audience }: { audience: Audience }) {
  const { t } = useTranslation("audiences");
  const { t: shell } = useTranslation("shell");
  const { may } = useSession();
  const { message, modal } = App.useApp();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const id = audience.audience_id;
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("failed")));
  const refresh = useMutation({
    mutationFn: () => post<Version>(`/audiences/${id}/refresh`),
    onSuccess: (version) => {
      void message.success(t("refreshed", { size: integer(version.size), entered: integer(version.entered), left: integer(version.left) }));
      void queries.invalidateQueries({ queryKey: ["audiences"] });
      void queries.invalidateQueries({ queryKey: ["audience", id] });
    },
    onError: failed,
  });
  const drop = useMutation({
    mutationFn: () => remove(`/audiences/${id}`),
    onSuccess: () => {
      void message.success(t("deleted"));
      void queries.invalidateQueries({ queryKey: ["audiences"] });
    },
    onError: failed,
  });
  const askDelete = () => {
    const used = audience.used_by.length > 0;
    modal.confirm({
      title: t("delete.title", { name: audience.name }),
      content: used ? t("delete.used", { names: audience.used_by.map((use) => use.name).join("、") }) : t("delete.text"),
      okText: shell("actions.delete"),
      cancelText: shell("actions.cancel"),
      okButtonProps: { danger: true, disabled: used },
      onOk: () => drop.mutateAsync().catch(() => undefined),
    });
  };
  const askExport = () =>
    modal.confirm({
      title: t("export.title", { size: integer(audience.size ?? 0) }),
      content: t("export.text"),
      okText: shell("actions.export"),
      cancelText: shell("actions.cancel"),
      onOk: () => download(`/audiences/${id}/export`),
    });
  return (
    <span style={{ whiteSpace: "nowrap" }}>
      {may("audiences.write") ? (
        <Button type="link" size="small" icon={<ReloadOutlined />} loading={refresh.isPending} onClick={() => refresh.mutate()} data-testid={`refresh-${id}`}>
          {t("actions.refreshNow")}
        </Button>
      ) : null}
      <Dropdown
        trigger={["click"]}
        menu={{
          items: [
            { key: "copy", icon: <CopyOutlined />, label: t("actions.copy"), disabled: !may("audiences.write"), onClick: () => navigate(`/audiences/new?from=${id}`) },
            { key: "export", icon: <DownloadOutlined />, label: <span data-testid={`export-${id}`}>{t("actions.export")}</span>, disabled: !may("people.export") || audience.size === null, onClick: askExport },
            { key: "delete", icon: <DeleteOutlined />, danger: true, label: <span data-testid={`delete-${id}`}>{t("actions.delete")}</span>, disabled: !may("audiences.write"), onClick: askDelete },
          ],
        }}
      >
        <Button type="text" size="small" icon={<EllipsisOutlined />} aria-label={t("actions.more")} data-testid={`actions-${id}`} />
      </Dropdown>
    </span>
  );
}
