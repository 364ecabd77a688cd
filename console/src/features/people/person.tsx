// One person: who they are, why we think so, what they agreed to, what they did.
import { App, Button, Input, Modal, Tabs } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import { usePerson, usePersonActions, type PersonDetail } from "@/features/people/api";
import { Identity } from "@/features/people/identity";
import { Consent, PersonTimeline, Tags, Traits } from "@/features/people/sections";
import { say } from "@/shared/api";
import { ago, at, integer, money } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, Loaded, MadeBadge, Page, sentenceOf } from "@/shared/ui";
import "./people.css";

export default function PersonPage() {
  const { t } = useTranslation("people");
  const { personId = "" } = useParams();
  const query = usePerson(personId);
  return (
    <Page title={query.data?.person.name ?? t("one")} permission="people.read" actions={query.data ? <Merge detail={query.data} /> : null}>
      <Loaded query={query} rows={12}>
        {(detail) => (
          <div className="person">
            <div className="grid">
              <Summary detail={detail} />
              <Tags detail={detail} />
              <Traits detail={detail} />
              <Where detail={detail} />
            </div>
            <Tabs
              items={[
                { key: "timeline", label: t("timeline"), children: <PersonTimeline personId={personId} /> },
                { key: "identity", label: t("identity", { n: detail.identifiers.length }), children: <Identity detail={detail} /> },
                { key: "consent", label: t("consent"), children: <Consent detail={detail} /> },
              ]}
            />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function Summary({ detail: { person, stats } }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const average = stats.orders ? Math.round(stats.amount / stats.orders) : null;
  return (
    <Card>
      <div className="person-head">
        <span className="avatar big" aria-hidden>{(person.name ?? "客").slice(0, 1)}</span>
        <div>
          <strong>{person.name ?? t("shell:people.unnamed")}</strong> {person.made ? <MadeBadge /> : null}
          <small className="faint">{person.phone ?? "–"}</small>
          <small className="faint">ID {person.person_id}</small>
        </div>
      </div>
      <dl className="facts">
        <div><dt>{t("orders")}</dt><dd className="number">{integer(stats.orders)}</dd></div>
        <div><dt>{t("amount")}</dt><dd className="number">{money(stats.amount, person.currency)}</dd></div>
        <div><dt>{t("average")}</dt><dd className="number">{money(average, person.currency)}</dd></div>
        <div><dt>{t("lastOrder")}</dt><dd title={at(stats.last_order_at)}>{ago(stats.last_order_at)}</dd></div>
        <div><dt>{t("store")}</dt><dd>{say(person.home_store?.name) || "–"}</dd></div>
        <div><dt>{t("guide")}</dt><dd>{person.owner_staff ?? "–"}</dd></div>
      </dl>
    </Card>
  );
}

function Where({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  if (!detail.audiences.length && !detail.journeys.length) return null;
  return (
    <Card title={t("where")}>
      {detail.audiences.map((item) => <p key={item.audience_id}><Link to={`/audiences/${item.audience_id}`}>{item.name}</Link></p>)}
      {detail.journeys.map((item) => <p key={item.journey_id}><Link to={`/journeys/${item.journey_id}`}>{item.name}</Link> <span className="faint">{item.state}</span></p>)}
    </Card>
  );
}

function Merge({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const actions = usePersonActions(detail.person.person_id);
  const [open, setOpen] = useState(false);
  const [other, setOther] = useState("");
  const [reason, setReason] = useState("");
  if (!may("people.write")) return null;
  return (
    <>
      <Button onClick={() => setOpen(true)} data-testid="merge">{t("merge")}</Button>
      <Modal
        open={open}
        title={t("mergeTitle")}
        okText={t("merge")}
        okButtonProps={{ disabled: !other.trim() || !reason.trim(), loading: actions.merge.isPending }}
        onCancel={() => setOpen(false)}
        onOk={() =>
          actions.merge.mutate({ people: [detail.person.person_id, other.trim()], reason }, {
            onSuccess: (done) => { setOpen(false); void message.success(t("merged")); navigate(`/people/${done.person_id}`); },
            onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))),
          })
        }
      >
        <p>{t("mergeConsequence")}</p>
        <Input aria-label={t("other")} placeholder={t("other")} value={other} onChange={(event) => setOther(event.target.value)} style={{ marginBottom: 10 }} />
        <Input.TextArea aria-label={t("reason")} placeholder={t("reason")} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Modal>
    </>
  );
}
