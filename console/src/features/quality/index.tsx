// Data quality (数据治理): what is wrong in plain words with what to do, every source at a glance, how long events stay.
import { App, Button, Dropdown, Segmented } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { addressOf, dayBefore, useHealth, useProblems, useQualityActions, type Health, type Problem } from "@/features/quality/api";
import { say } from "@/shared/api";
import { Retention } from "@/features/quality/retention";
import { ago, at, integer, percent } from "@/shared/format";
import { Pill, type Tone } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Parts } from "@/shared/tabs";
import { Card, Empty, Loaded, Page, sentenceOf } from "@/shared/ui";
import "./quality.css";

const TONES: Record<Problem["severity"], Tone> = { high: "bad", medium: "warn", low: "info" };

export default function QualityPage() {
  const { t } = useTranslation("quality");
  const { brand, may } = useSession();
  const { message } = App.useApp();
  const [muted, setMuted] = useState(false);
  const problems = useProblems(brand.brand, muted);
  const actions = useQualityActions();
  const checked = problems.data?.checked_at;
  return (
    <Page
      title={t("title")}
      permission="sources.read"
      note={checked ? t("checked", { when: ago(checked) }) : t("note")}
      actions={
        may("sources.write") ? (
          <Button loading={actions.check.isPending} onClick={() => actions.check.mutate(undefined, { onSuccess: () => void message.success(t("asked")), onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) })}>
            {t("check")}
          </Button>
        ) : null
      }
    >
      <Parts
        label={t("title")}
        parts={[
          {
            key: "problems",
            label: t("health"),
            content: (
              <div className="grid">
                <Card
                  title={t("problems")}
                  extra={<Segmented size="small" aria-label={t("problems")} value={muted ? "muted" : "open"} onChange={(value) => setMuted(value === "muted")} options={["open", "muted"].map((value) => ({ value, label: t(value) }))} />}
                >
                  <Loaded query={problems} rows={6}>
                    {(data) =>
                      data.items.length ? (
                        <ul className="problems" data-testid="problems">
                          {data.items.map((problem) => <Row key={problem.problem_id} problem={problem} />)}
                        </ul>
                      ) : (
                        <Empty title={muted ? t("noneMuted") : t(checked ? "none" : "unchecked")} hint={muted ? undefined : t(checked ? "noneHint" : "uncheckedHint")} />
                      )
                    }
                  </Loaded>
                </Card>
                <Sources checked={checked} />
              </div>
            ),
          },
          { key: "retention", label: t("retention.title"), content: <Retention /> },
        ]}
      />
    </Page>
  );
}

function Row({ problem }: { problem: Problem }) {
  const { t } = useTranslation("quality");
  const { may } = useSession();
  const { message } = App.useApp();
  const actions = useQualityActions();
  const mute = (days: number) => actions.mute.mutate({ id: problem.problem_id, days }, { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) });
  const hidden = !!problem.muted_until && Date.parse(problem.muted_until) > Date.now();
  const to = addressOf(problem);
  const opens = !to.startsWith("/events") || may("analytics.read");
  return (
    <li>
      <Pill tone={TONES[problem.severity]} dot>{t(`severity.${problem.severity}`)}</Pill>
      <div className="problem-words">
        <strong>{say(problem.title)}</strong>
        <p>{say(problem.advice)}</p>
        <small className="faint">
          {t(`kinds.${problem.kind}`)} · {t("since", { when: at(problem.first_at, "MM-DD HH:mm") })}
          {hidden ? ` · ${t("mutedUntil", { when: at(problem.muted_until, "MM-DD HH:mm") })}` : ""}
        </small>
      </div>
      <div className="problem-acts">
        {opens ? <Link to={to}><Button size="small" type="primary" ghost tabIndex={-1}>{t("open_")}</Button></Link> : null}
        {may("sources.write") ? (
          hidden ? (
            <Button size="small" onClick={() => mute(0)}>{t("unmute")}</Button>
          ) : (
            <Dropdown trigger={["click"]} menu={{ items: [1, 7, 30].map((days) => ({ key: days, label: t("days", { count: days }) })), onClick: ({ key }) => mute(Number(key)) }}>
              <Button size="small">{t("mute")}</Button>
            </Dropdown>
          )
        ) : null}
      </div>
    </li>
  );
}

function Sources({ checked }: { checked: string | null | undefined }) {
  const { t } = useTranslation("quality");
  const { brand } = useSession();
  const query = useHealth(brand.brand);
  const since = dayBefore(query.dataUpdatedAt);
  const share = (row: Health, part: number) => (row.events ? percent(part / row.events) : "–");
  return (
    <Card title={t("sources")} extra={checked ? <small className="faint">{t("counted", { when: ago(checked) })}</small> : null}>
      <Loaded query={query} rows={5}>
        {(data) => (
          <Table<Health>
            rowKey="source"
            dataSource={data.items}
            label={t("sources")}
            minWidth={900}
            columns={[
              { title: t("source"), key: "source", render: (_, row) => <span>{say(row.name)}<small className="faint">{row.source}</small></span> },
              { title: t("fresh"), dataIndex: "last_event_at", render: (value: string | null) => <span title={at(value)}>{ago(value)}</span> },
              { title: t("today"), dataIndex: "events", align: "right", render: integer },
              { title: t("weekBefore"), dataIndex: "week_before", align: "right", render: integer },
              { title: t("days14"), dataIndex: "days", render: (days: number[]) => <Bars values={days} label={t("days14")} /> },
              { title: t("withPerson"), key: "person", align: "right", render: (_, row) => share(row, row.with_person) },
              { title: t("broken"), dataIndex: "broken", align: "right", render: (value: number, row) => (value ? <Link to={`/plan?tab=violations&hours=24&source=${row.source}`}>{integer(value)}</Link> : 0) },
              { title: t("quarantined"), dataIndex: "quarantined", align: "right", render: (value: number, row) => (value ? <Link to={`/sources?${new URLSearchParams({ tab: "quarantine", source: row.source, since }).toString()}`}>{integer(value)}</Link> : 0) },
              { title: t("state"), key: "state", render: (_, row) => <Pill tone={row.problems ? "warn" : "good"} dot>{row.problems ? t("count", { count: row.problems }) : t("fine")}</Pill> },
            ]}
            emptyText={t("noSources")}
          />
        )}
      </Loaded>
    </Card>
  );
}

/** Days as small bars, the last one today. */
function Bars({ values, label }: { values: number[]; label: string }) {
  const most = Math.max(1, ...values);
  return (
    <svg className="bars" viewBox={`0 0 ${values.length * 7} 24`} role="img" aria-label={`${label}: ${values.map(integer).join(", ")}`}>
      {values.map((value, i) => <rect key={i} x={i * 7} y={24 - (value / most) * 23} width={5} height={(value / most) * 23} />)}
    </svg>
  );
}
