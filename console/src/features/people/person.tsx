// One person: who they are, why we think so, what they agreed to, what they did.
import { PartitionOutlined, UsergroupAddOutlined } from "@ant-design/icons";
import { App, Button, Input, Modal, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import { useCandidates, usePerson, usePersonActions, type PersonDetail } from "@/features/people/api";
import { Consent } from "@/features/people/consent";
import { Identity } from "@/features/people/identity";
import { Tags, Traits } from "@/features/people/sections";
import { PersonTimeline } from "@/features/people/timeline";
import { say } from "@/shared/api";
import { ago, at, integer, listed, money } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Parts } from "@/shared/tabs";
import { Card, Loaded, MadeBadge, Page, sentenceOf } from "@/shared/ui";
import "./people.css";

export default function PersonPage() {
  const { t } = useTranslation("people");
  const { personId = "" } = useParams();
  const query = usePerson(personId);
  return (
    <Page title={query.data?.person.name ?? t("one")} note={<Link to="/people">{t("back")}</Link>} permission="people.read" actions={query.data ? <Merge detail={query.data} /> : null}>
      <Loaded query={query} rows={12}>
        {(detail) => (
          <div className="person">
            <div className="grid">
              <Summary detail={detail} />
              <Tags detail={detail} />
              <Traits detail={detail} />
              <Favourites detail={detail} />
              <Where detail={detail} />
            </div>
            <div>
              <Parts
                label={t("one")}
                parts={[
                { key: "timeline", label: t("timeline"), content: <PersonTimeline personId={personId} /> },
                { key: "identity", label: t("identity", { n: detail.identifiers.length }), content: <Identity detail={detail} /> },
                { key: "consent", label: t("consent"), content: <Consent detail={detail} /> },
              ]}
              />
            </div>
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
        <span className="avatar big" aria-hidden>{person.name?.slice(0, 1) ?? "–"}</span>
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

function Favourites({ detail: { stats, person } }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const top = stats.categories.slice(0, 6);
  if (!top.length && !stats.stores.length) return null;
  const most = Math.max(1, ...top.map((item) => item.amount));
  return (
    <Card title={t("favourites")}>
      <ul className="favourites">
        {top.map((item) => (
          <li key={item.category_key}>
            <span>{say(item.name)}</span>
            <span className="number">{money(item.amount, person.currency)}</span>
            <i style={{ width: `${(item.amount / most) * 100}%` }} aria-hidden />
          </li>
        ))}
      </ul>
      {stats.stores.length ? <p className="faint stores">{t("stores", { names: listed(stats.stores.map((item) => say(item.name))) })}</p> : null}
    </Card>
  );
}

function Where({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  if (!detail.audiences.length && !detail.journeys.length) return null;
  return (
    <Card title={t("where")}>
      <ul className="where">
        {detail.audiences.map((item) => (
          <li key={item.audience_id}>
            <UsergroupAddOutlined aria-hidden />
            {may("audiences.read") ? <Link to={`/audiences/${item.audience_id}`}>{item.name}</Link> : item.name}
          </li>
        ))}
        {detail.journeys.map((item) => (
          <li key={item.journey_id}>
            <PartitionOutlined aria-hidden />
            {may("journeys.read") ? <Link to={`/journeys/${item.journey_id}`}>{item.name}</Link> : item.name}
            <Pill>{t(`journeyStates.${item.state}`, { defaultValue: item.state })}</Pill>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Merge({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { brand, may } = useSession();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const actions = usePersonActions(detail.person.person_id);
  const [open, setOpen] = useState(false);
  const [other, setOther] = useState("");
  const [reason, setReason] = useState("");
  const [asked, setAsked] = useState("");
  const candidates = useCandidates(brand.brand, asked.trim());
  const found = (candidates.data?.items ?? []).filter((item) => item.person_id !== detail.person.person_id);
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
        <Input.Search
          aria-label={t("other")}
          placeholder={t("other")}
          data-testid="merge-other"
          allowClear
          onSearch={setAsked}
          onChange={(event) => setOther(event.target.value.startsWith("p_") ? event.target.value.trim() : "")}
        />
        <Radio.Group className="candidates" value={other} onChange={(event) => setOther(event.target.value as string)} aria-label={t("candidates")}>
          {found.map((item) => (
            <Radio key={item.person_id} value={item.person_id}>
              {item.name ?? t("shell:people.unnamed")} <span className="faint">{[item.phone, item.person_id].filter(Boolean).join(" · ")}</span>
            </Radio>
          ))}
        </Radio.Group>
        {asked && candidates.isSuccess && !found.length ? <p className="faint">{t("noMatch")}</p> : null}
        <Input.TextArea aria-label={t("reason")} placeholder={t("reason")} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Modal>
    </>
  );
}
