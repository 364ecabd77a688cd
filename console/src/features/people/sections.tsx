// The parts of a person's page besides identity: traits, tags, consent, timeline.
import { App, Button, Select, Table, Tag, Timeline } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePersonActions, useTags, useTimeline, type ConsentRow, type Event, type PersonDetail } from "@/features/people/api";
import { say, type Label } from "@/shared/api";
import { at, money } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, Empty, Loaded, MadeBadge, sentenceOf } from "@/shared/ui";

function text(value: Label | string | null | undefined): string {
  return typeof value === "string" ? value : say(value);
}

export function Traits({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  return (
    <Card title={t("traits")}>
      {detail.traits.length ? (
        <dl className="traits">
          {detail.traits.map((trait) => (
            <div key={trait.name}>
              <dt>{say(trait.label)}</dt>
              <dd title={`${trait.source} · ${at(trait.at)}`}>
                {String(trait.value)} {trait.made ? <MadeBadge /> : null}
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <Empty title={t("noTraits")} />
      )}
    </Card>
  );
}

export function Tags({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const { message } = App.useApp();
  const all = useTags();
  const actions = usePersonActions(detail.person.person_id);
  const held = detail.tags.map((tag) => tag.tag_id);
  if (!may("people.write"))
    return <Card title={t("tags")}>{detail.tags.length ? detail.tags.map((tag) => <Tag key={tag.tag_id}>{text(tag.name)}</Tag>) : <span className="faint">{t("noTags")}</span>}</Card>;
  return (
    <Card title={t("tags")}>
      <Select
        mode="multiple"
        style={{ width: "100%" }}
        aria-label={t("tags")}
        placeholder={t("addTags")}
        value={held}
        loading={actions.tags.isPending}
        options={(all.data?.items ?? []).map((tag) => ({ value: tag.tag_id, label: `${text(tag.group)} · ${text(tag.name)}` }))}
        showSearch={{ optionFilterProp: "label" }}
        onChange={(next: string[]) =>
          actions.tags.mutate(
            { add: next.filter((id) => !held.includes(id)), remove: held.filter((id) => !next.includes(id)) },
            { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) },
          )
        }
      />
    </Card>
  );
}

export function Consent({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const { message, modal } = App.useApp();
  const actions = usePersonActions(detail.person.person_id);
  const change = (row: ConsentRow, status: "granted" | "withdrawn") =>
    void modal.confirm({
      title: t(status === "granted" ? "grantTitle" : "withdrawTitle", { purpose: say(row.purpose_label), channel: say(row.channel_label) }),
      content: t(status === "granted" ? "grantNote" : "withdrawNote"),
      onOk: () =>
        actions.consent
          .mutateAsync({ purpose: row.purpose, channel: row.channel, status, evidence: "console" })
          .catch((error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")))),
    });
  return (
    <Card title={t("consent")} extra={<span className="faint">{t("consentRule")}</span>}>
      <Table<ConsentRow>
        size="small"
        rowKey={(row) => `${row.purpose}/${row.channel}`}
        pagination={false}
        dataSource={detail.consent}
        locale={{ emptyText: t("noConsent") }}
        scroll={{ x: 560 }}
        columns={[
          { title: t("purpose"), key: "purpose", render: (_, row) => say(row.purpose_label) },
          { title: t("channel"), key: "channel", render: (_, row) => say(row.channel_label) },
          { title: t("status"), key: "status", render: (_, row) => <span className={`consent consent-${row.status}`}>{t(`consentStatus.${row.status}`)}</span> },
          { title: t("notice"), dataIndex: "notice_version", render: (value: string | null) => value ?? "–" },
          { title: t("since"), dataIndex: "at", render: (value: string | null) => at(value) },
          {
            title: "",
            key: "act",
            align: "right",
            render: (_, row) =>
              !may("consent.write") ? null : row.status === "granted" ? (
                <Button size="small" danger onClick={() => change(row, "withdrawn")} data-testid="withdraw">{t("withdraw")}</Button>
              ) : (
                <Button size="small" onClick={() => change(row, "granted")}>{t("grant")}</Button>
              ),
          },
        ]}
      />
    </Card>
  );
}

const COLOURS: Record<string, string> = { order_paid: "#12a594", coupon_redeemed: "#d97706", message_read: "#1554d9", contact_blocked: "#c2261f", consent_withdrawn: "#c2261f" };
const KINDS = ["order_paid", "product_viewed", "product_added_to_cart", "coupon_redeemed", "message_accepted", "message_read", "identified"];

export function PersonTimeline({ personId }: { personId: string }) {
  const { t } = useTranslation("people");
  const [kind, setKind] = useState<string>();
  const query = useTimeline(personId, kind);
  return (
    <Card
      title={t("timeline")}
      extra={<Select allowClear size="small" style={{ width: 150 }} placeholder={t("allEvents")} aria-label={t("allEvents")} value={kind} onChange={setKind} options={KINDS.map((value) => ({ value, label: t(`kinds.${value}`) }))} />}
    >
      <Loaded query={query} rows={8}>
        {(data) => {
          const events = data.pages.flatMap((page) => page.items);
          if (!events.length) return <Empty title={t("noEvents")} />;
          return (
            <>
              <Timeline items={events.map((event) => ({ color: COLOURS[event.name] ?? "#94a3b8", content: <EventLine event={event} /> }))} />
              {query.hasNextPage ? (
                <Button block loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  {t("shell:states.loadMore")}
                </Button>
              ) : (
                <p className="faint" style={{ textAlign: "center" }}>{t("shell:states.end")}</p>
              )}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

function EventLine({ event }: { event: Event }) {
  const names = event.items.slice(0, 3).map((item) => text(item.name) || item.sku);
  return (
    <div className="event-line">
      <div>
        <strong>{say(event.label)}</strong>
        {event.amount !== null && event.currency ? <span className="number"> {money(event.amount, event.currency)}</span> : null} {event.made ? <MadeBadge /> : null}
      </div>
      <small className="faint">
        {[at(event.occurred_at, "YYYY-MM-DD HH:mm:ss"), event.store ? text(event.store.name) : event.channel, event.order_id].filter(Boolean).join(" · ")}
      </small>
      {names.length ? <small className="faint">{names.join("、")}{event.items.length > 3 ? ` +${event.items.length - 3}` : ""}</small> : null}
    </div>
  );
}
