// The panel of one node: what is wrong, one short form, its numbers, where its exits lead, and what to do with it.
import { CloseOutlined, CopyOutlined, DeleteOutlined, WarningFilled } from "@ant-design/icons";
import { Button, Select } from "antd";
import { useEffect, useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { say } from "@/shared/api";
import { integer } from "@/shared/format";
import { suppressedOf, useCounts, useNodeCounts } from "./counts";
import { useEditing } from "./editing";
import { BranchForm, GoalForm, SendForm, TriggerForm, WaitForm } from "./forms";
import { configure, connect, disconnect, duplicateNode, edgeAt, nodeOf, portsOf, removeNodes, targetsOf } from "./graph";
import { ICONS } from "./kinds";
import type { Config, JourneyNode, PeopleState, Port } from "./types";

const FORMS: Record<JourneyNode["kind"], ((props: { node: JourneyNode; set: (patch: Config, name?: string) => void }) => ReactNode) | null> = {
  trigger: TriggerForm,
  wait: WaitForm,
  branch: BranchForm,
  send: SendForm,
  goal: GoalForm,
  exit: null,
};

export function NodePanel() {
  const { t } = useTranslation("journeys");
  const { graph, selected, select, change, add, readOnly, faults, counted } = useEditing();
  const heading = useRef<HTMLHeadingElement>(null);
  const node = nodeOf(graph, selected);
  useEffect(() => {
    // A form in which one is already typing keeps the focus.
    if (node && !document.activeElement?.closest(".jx, .jc")) heading.current?.focus({ preventScroll: true });
  }, [node?.id]); // eslint-disable-line react-hooks/exhaustive-deps
  if (!node) return null;
  const Form = FORMS[node.kind];
  const own = faults.get(node.id);
  const set = (patch: Config, name?: string) =>
    change((now) => {
      const current = nodeOf(now, node.id);
      return current ? configure(now, node.id, cleaned({ ...current.config, ...patch })) : now;
    }, name ? `${node.id}.${name}` : undefined);
  return (
    <aside className={`jx jn-${node.kind}`} aria-label={t("panel.label", { kind: t(`kinds.${node.kind}`) })} data-testid="node-panel" onKeyDown={(event) => event.key === "Escape" && !event.defaultPrevented && select(null)}>
      <header className="jx-head">
        <span className="jn-icon" aria-hidden>
          {ICONS[node.kind]}
        </span>
        <div>
          <h2 ref={heading} tabIndex={-1}>
            {t(`kinds.${node.kind}`)}
          </h2>
          <p className="faint">{t(`palette.about.${node.kind}`)}</p>
        </div>
        <Button type="text" icon={<CloseOutlined />} aria-label={t("panel.close")} data-testid="panel-close" onClick={() => select(null)} />
      </header>
      <div className="jx-body">
        {own ? (
          <ul className="jx-faults" data-testid="panel-faults">
            {own.errors.map((fault) => (
              <li className="bad" key={`${fault.code}${fault.field}`}>
                <WarningFilled aria-hidden /> {say(fault.message)}
              </li>
            ))}
            {own.warnings.map((fault) => (
              <li key={`${fault.code}${fault.field}`}>
                <WarningFilled aria-hidden /> {say(fault.message)}
              </li>
            ))}
          </ul>
        ) : null}
        {Form ? <Form node={node} set={set} key={node.id} /> : <p className="soft">{t("panel.exit")}</p>}
        {counted ? <Numbers node={node} /> : null}
        {portsOf(node).length ? <Ways node={node} /> : null}
      </div>
      {readOnly ? null : (
        <footer className="jx-foot">
          {node.kind === "trigger" ? null : (
            <Button icon={<CopyOutlined />} data-testid="node-duplicate" onClick={() => add((now, taken) => duplicateNode(now, taken, node.id))}>
              {t("panel.duplicate")}
            </Button>
          )}
          <Button
            danger
            icon={<DeleteOutlined />}
            data-testid="node-delete"
            onClick={() => {
              change((now) => removeNodes(now, [node.id]));
              select(null);
            }}
          >
            {t("panel.remove")}
          </Button>
        </footer>
      )}
    </aside>
  );
}

function cleaned(config: Config): Config {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

/** Where each exit leads, from a list: the keyboard's way of drawing arrows. */
function Ways({ node }: { node: JourneyNode }) {
  const { t } = useTranslation("journeys");
  const { graph, change, readOnly, titleOf } = useEditing();
  return (
    <section className="jx-section">
      <h3>{t("panel.ways")}</h3>
      {portsOf(node).map((port: Port) => {
        const id = `way-${node.id}-${port}`;
        return (
          <div className="jx-way" key={port}>
            <label htmlFor={id}>{t(`ports.${port}`)}</label>
            <Select
              id={id}
              data-testid={`way-${port}`}
              disabled={readOnly}
              allowClear
              placeholder={t("panel.nowhere")}
              value={edgeAt(graph, node.id, port)?.to}
              options={targetsOf(graph, node.id, port).map((target) => ({ value: target.id, label: `${t(`kinds.${target.kind}`)} · ${titleOf(target)}` }))}
              onChange={(to: string | undefined) => change((now) => (to ? connect(now, node.id, port, to) : disconnect(now, node.id, port)))}
            />
          </div>
        );
      })}
    </section>
  );
}

const SHOWN: PeopleState[] = ["entered", "waiting", "sent", "accepted", "delivered", "read", "redeemed", "converted", "rejected", "unknown", "held_out"];

/** Every number of the node, each opening to its people; why messages were stopped, reason by reason. */
function Numbers({ node }: { node: JourneyNode }) {
  const { t } = useTranslation("journeys");
  const { openPeople, journeyId } = useEditing();
  const found = useNodeCounts(node.id);
  const reached = useCounts((counts) => counts.reached);
  if (!found) return null;
  const report = node.kind === "goal" ? { ...found, converted: reached } : found;
  const states = node.kind === "send" ? SHOWN : node.kind === "goal" ? (["entered", "waiting", "converted"] as PeopleState[]) : (["entered", "waiting"] as PeopleState[]);
  const open = (state: PeopleState, reason: string | null = null) => openPeople({ nodeId: node.kind === "goal" && state === "converted" ? null : node.id, state, reason });
  return (
    <section className="jx-section">
      <h3>{t("panel.numbers")}</h3>
      <dl className="jx-numbers">
        {states
          .filter((state) => report[state as "entered"] || !["rejected", "unknown", "held_out", "redeemed"].includes(state))
          .map((state) => (
            <div key={state}>
              <dt>{t(`states.${state}`)}</dt>
              <dd>
                <NumberButton count={report[state as "entered"]} onClick={() => open(state)} testId={`panel-count-${state}`} label={t(`states.${state}`)} />
              </dd>
            </div>
          ))}
        {report.deferred ? (
          <div>
            <dt>{t("states.deferred")}</dt>
            <dd>
              <Link className="number drill" to={`/sends?journey_id=${journeyId}&node_id=${node.id}&status=deferred`}>
                {integer(report.deferred)}
              </Link>
            </dd>
          </div>
        ) : null}
      </dl>
      {report.suppressed.length ? (
        <>
          <h3>
            {t("states.suppressed")} <NumberButton count={suppressedOf(report)} onClick={() => open("suppressed")} testId="panel-count-suppressed" label={t("states.suppressed")} />
          </h3>
          <ul className="jx-reasons">
            {report.suppressed.map((each) => (
              <li key={each.reason}>
                <span>{say(each.label)}</span>
                <NumberButton count={each.count} onClick={() => open("suppressed", each.reason)} testId={`panel-reason-${each.reason}`} label={say(each.label)} />
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}

/** A number that opens the drawer of people behind it. */
export function NumberButton({ count, onClick, testId, label, children }: { count: number; onClick: () => void; testId?: string; label: string; children?: ReactNode }) {
  const { t } = useTranslation("journeys");
  return (
    <button type="button" className="number drill drill-button" onClick={onClick} data-testid={testId} aria-label={t("people.open", { label, count })} title={t("people.openShort")}>
      {children ?? integer(count)}
    </button>
  );
}
