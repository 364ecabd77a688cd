// The list of journeys, and the dialog that makes one: blank or from a template.
import { PlusOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App, Button, Input, Modal, Radio, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useSearchParams } from "react-router";
import { at, integer, percent } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, Page, sentenceOf } from "@/shared/ui";
import { createJourney, useJourneys } from "./api";
import { StatusTag } from "./StatusTag";
import type { JourneyStatus as Status, JourneySummary } from "./types";
import "./journeys.css";

const STATUSES: Status[] = ["draft", "running", "paused", "ended"];
const TEMPLATES = ["cart", "welcome", "winback", "blank"] as const;

export default function JourneyList() {
  const { t } = useTranslation("journeys");
  const { may } = useSession();
  const [params, setParams] = useSearchParams();
  const [typed, setTyped] = useState(params.get("q") ?? "");
  const [creating, setCreating] = useState(false);
  const query = useJourneys();
  const q = (params.get("q") ?? "").toLowerCase();
  const status = params.get("status") ?? "";
  const set = (key: string, value: string) =>
    setParams((now) => {
      const next = new URLSearchParams(now);
      if (value) next.set(key, value);
      else next.delete(key);
      return next;
    }, { replace: true });
  const create = (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)} data-testid="journey-new">
      {t("create")}
    </Button>
  );
  return (
    <Page title={t("title")} note={t("note")} permission="journeys.read" actions={may("journeys.write") ? create : null}>
      <FilterBar
        onReset={() => {
          setTyped("");
          setParams({});
        }}
      >
        <Input.Search allowClear placeholder={t("search")} aria-label={t("search")} data-testid="journey-search" style={{ width: 260 }} value={typed} onChange={(event) => setTyped(event.target.value)} onSearch={(text) => set("q", text.trim())} />
        <Select aria-label={t("columns.status")} data-testid="journey-status" value={status} style={{ minWidth: 140 }} options={[{ value: "", label: t("statusAll") }, ...STATUSES.map((key) => ({ value: key as string, label: t(`status.${key}`) }))]} onChange={(value) => set("status", value)} />
      </FilterBar>
      <Card>
        <Loaded query={query} rows={8}>
          {(data) => {
            const items = data.items.filter((item) => (!status || item.status === status) && item.name.toLowerCase().includes(q));
            if (!items.length)
              return <Empty title={t(data.items.length ? "noMatch" : "empty")} hint={data.items.length ? undefined : t("emptyHint")} action={!data.items.length && may("journeys.write") ? create : undefined} />;
            return <JourneyTable items={items} />;
          }}
        </Loaded>
      </Card>
      <CreateDialog open={creating} onClose={() => setCreating(false)} />
    </Page>
  );
}

function JourneyTable({ items }: { items: JourneySummary[] }) {
  const { t } = useTranslation("journeys");
  const opens = (item: JourneySummary, state: string, value: number) => (
    <Link className="number drill" to={`/journeys/${item.journey_id}?tab=report&people=~${state}~`} data-testid={`journey-${item.journey_id}-${state}`}>
      {integer(value)}
    </Link>
  );
  return (
    <Table<JourneySummary>
      size="middle"
      rowKey="journey_id"
      dataSource={items}
      label={t("title")}
      columns={[
        {
          title: t("columns.name"),
          key: "name",
          render: (_, item) => (
            <Link to={`/journeys/${item.journey_id}`} data-testid={`journey-${item.journey_id}`}>
              <strong>{item.name}</strong>
            </Link>
          ),
        },
        { title: t("columns.status"), dataIndex: "status", render: (value: Status) => <StatusTag status={value} /> },
        { title: t("columns.version"), dataIndex: "version", render: (value: number | null) => (value === null ? "–" : <Pill>v{value}</Pill>) },
        { title: t("columns.entered"), dataIndex: "entered", align: "right", sorter: (a, b) => a.entered - b.entered, render: (value: number, item) => opens(item, "entered", value) },
        { title: t("columns.active"), dataIndex: "active", align: "right", sorter: (a, b) => a.active - b.active, render: (value: number, item) => opens(item, "waiting", value) },
        { title: t("columns.converted"), dataIndex: "converted", align: "right", sorter: (a, b) => a.converted - b.converted, render: (value: number, item) => opens(item, "converted", value) },
        { title: t("columns.rate"), key: "rate", align: "right", render: (_, item) => <span className="number">{item.entered ? percent(item.converted / item.entered) : "–"}</span> },
        { title: t("columns.updated"), dataIndex: "updated_at", sorter: (a, b) => a.updated_at.localeCompare(b.updated_at), render: (value: string) => <span className="nowrap">{at(value)}</span> },
      ]}
    />
  );
}

function CreateDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation("journeys");
  const { message } = App.useApp();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [template, setTemplate] = useState<(typeof TEMPLATES)[number]>("cart");
  const [asked, setAsked] = useState(false);
  const create = useMutation({
    mutationFn: () => createJourney(name.trim(), template === "blank" ? null : template),
    onSuccess: (journey) => {
      void queries.invalidateQueries({ queryKey: ["journeys"] });
      navigate(`/journeys/${journey.journey_id}`);
    },
    onError: (error) => void message.error(sentenceOf(error, t("failed"))),
  });
  const submit = () => (name.trim() ? create.mutate() : setAsked(true));
  return (
    <Modal title={t("new.title")} open={open} onCancel={onClose} onOk={submit} okText={t("new.ok")} confirmLoading={create.isPending} okButtonProps={{ "data-testid": "journey-create" }} destroyOnHidden>
      <label htmlFor="journey-name" className="jd-label">{t("new.name")}</label>
      <Input id="journey-name" data-testid="journey-name" autoFocus maxLength={100} value={name} status={asked && !name.trim() ? "error" : ""} placeholder={t("new.namePlaceholder")} onChange={(event) => setName(event.target.value)} onPressEnter={submit} />
      {asked && !name.trim() ? <p className="jd-failure" role="alert">{t("new.needName")}</p> : null}
      <p className="jd-label" id="journey-start" style={{ marginTop: 16 }}>{t("new.start")}</p>
      <Radio.Group aria-labelledby="journey-start" className="jd-templates" value={template} onChange={(event) => setTemplate(event.target.value as typeof template)}>
        {TEMPLATES.map((key) => (
          <Radio key={key} value={key} data-testid={`template-${key}`}>
            <strong>{t(`templates.${key}.name`)}</strong>
            <small className="faint">{t(`templates.${key}.text`)}</small>
          </Radio>
        ))}
      </Radio.Group>
    </Modal>
  );
}
