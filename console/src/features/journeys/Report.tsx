// What the journey has done: its totals, what it really changed, and every step's numbers with the people behind them.
import { Skeleton } from "antd";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { say } from "@/shared/api";
import { at, integer, percent } from "@/shared/format";
import { Card, Empty, ErrorState } from "@/shared/ui";
import type { useReport } from "./api";
import { suppressedOf } from "./counts";
import { useEditing } from "./editing";
import { inOrder } from "./graph";
import { ICONS } from "./kinds";
import { LiftView } from "./Lift";
import { NumberButton } from "./Panel";
import type { NodeReport, PeopleState, Report } from "./types";

export function ReportView({ query, published }: { query: ReturnType<typeof useReport>; published: boolean }) {
  const { t } = useTranslation("journeys");
  if (!published) return <Card><Empty title={t("report.none")} hint={t("report.noneHint")} /></Card>;
  if (query.isPending) return <Card><Skeleton active paragraph={{ rows: 10 }} /></Card>;
  if (query.isError && !query.data) return <Card><ErrorState error={query.error} retry={() => void query.refetch()} /></Card>;
  const report = query.data as Report;
  return (
    <div className="grid jr" data-testid="report">
      <Totals report={report} />
      <Card title={t("lift.title")} extra={report.lift ? <span className="faint">{say(report.lift.method)}</span> : null}>
        {report.lift ? <LiftView lift={report.lift} /> : <Empty title={t("lift.none")} hint={t("lift.noneHint")} />}
      </Card>
      <Card title={t("report.steps")} extra={<span className="faint">{t("report.stepsHint")}</span>}>
        <Steps report={report} />
      </Card>
      <Suppressions report={report} />
    </div>
  );
}

function Totals({ report }: { report: Report }) {
  const { t } = useTranslation("journeys");
  const { openPeople, journeyId } = useEditing();
  const open = (state: PeopleState) => openPeople({ nodeId: null, state, reason: null });
  const unknown = report.nodes.reduce((sum, node) => sum + node.unknown, 0);
  return (
    <section className="jr-totals" aria-label={t("report.totals")}>
      <div>
        <span>{t("report.entered")}</span>
        <NumberButton count={report.entered} label={t("report.entered")} onClick={() => open("entered")} testId="total-entered" />
      </div>
      <div>
        <span>{t("report.active")}</span>
        <NumberButton count={report.active} label={t("report.active")} onClick={() => open("waiting")} testId="total-active" />
      </div>
      <div>
        <span>{t("report.exited")}</span>
        <b className="number">{integer(report.exited)}</b>
        <small className="faint">{report.exits?.length ? report.exits.map((each) => `${say(each.label)} ${integer(each.count)}`).join(" · ") : t("report.balance")}</small>
      </div>
      <div>
        <span>{t("report.converted")}</span>
        <NumberButton count={report.goal_converted} label={t("report.converted")} onClick={() => open("converted")} testId="total-converted" />
        <small className="faint">{t("report.rate", { rate: percent(report.entered ? report.goal_converted / report.entered : 0) })}</small>
      </div>
      <div>
        <span>{t("report.unknown")}</span>
        <Link className={`number drill${unknown ? " bad" : ""}`} to={`/sends?journey_id=${journeyId}&status=unknown`} data-testid="total-unknown">
          {integer(unknown)}
        </Link>
        <small className="faint">{t("report.unknownHint")}</small>
      </div>
      <p className="faint jr-asof">{t("report.asOf", { at: at(report.as_of, "YYYY-MM-DD HH:mm:ss"), version: report.version })}</p>
    </section>
  );
}

const COLUMNS: PeopleState[] = ["entered", "waiting", "held_out", "sent", "delivered", "read", "redeemed", "converted"];

function Steps({ report }: { report: Report }) {
  const { t } = useTranslation("journeys");
  const { graph, titleOf, openPeople } = useEditing();
  const byId = new Map(report.nodes.map((node) => [node.node_id, node]));
  const most = Math.max(1, ...report.nodes.map((node) => node.entered));
  const shown = inOrder(graph).filter((node) => byId.has(node.id));
  const gone = report.nodes.filter((node) => !graph.nodes.some((each) => each.id === node.node_id));
  const applies = (kind: string, state: PeopleState): boolean => {
    if (state === "entered") return true;
    if (state === "waiting") return kind === "wait" || kind === "goal";
    if (state === "converted") return kind === "goal" || kind === "send";
    return kind === "send";
  };
  const cell = (id: string, kind: string, name: string, state: PeopleState, node: NodeReport) => {
    if (!applies(kind, state)) return <span className="jr-na" aria-label={t("report.notHere")}>·</span>;
    const whole = kind === "goal" && state === "converted";
    const count = whole ? report.goal_converted : node[state as "entered"];
    return (
      <>
        <NumberButton count={count} label={`${name} ${t(`states.${state}`)}`} onClick={() => openPeople({ nodeId: whole ? null : id, state, reason: null })} testId={`report-${id}-${state}`} />
        {["delivered", "read", "redeemed", "converted"].includes(state) && kind === "send" && node.sent ? <small className="faint number">{percent(count / node.sent, 0)}</small> : null}
      </>
    );
  };
  return (
    <div className="jr-scroll" tabIndex={0} role="region" aria-label={t("report.steps")}>
      <table className="jr-table">
        <thead>
          <tr>
            <th scope="col">{t("report.step")}</th>
            {COLUMNS.map((state) => (
              <th scope="col" key={state}>
                {t(`states.${state}`)}
              </th>
            ))}
            <th scope="col">{t("states.suppressed")}</th>
            <th scope="col">{t("report.failed")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((node) => {
            const own = byId.get(node.id) as NodeReport;
            const name = titleOf(node);
            return (
              <tr key={node.id}>
                <th scope="row">
                  <span className={`jr-step jn-${node.kind}`}>
                    <span className="jn-icon" aria-hidden>
                      {ICONS[node.kind]}
                    </span>
                    <span>
                      {name}
                      {own.entered ? <span className="jr-bar" style={{ width: `${Math.max(1, (own.entered / most) * 100)}%` }} aria-hidden /> : null}
                    </span>
                  </span>
                </th>
                {COLUMNS.map((state) => (
                  <td key={state}>{cell(node.id, node.kind, name, state, own)}</td>
                ))}
                <td>
                  {node.kind === "send" ? <NumberButton count={suppressedOf(own)} label={`${name} ${t("states.suppressed")}`} onClick={() => openPeople({ nodeId: node.id, state: "suppressed", reason: null })} testId={`report-${node.id}-suppressed`} /> : <span className="jr-na">·</span>}
                </td>
                <td>
                  {node.kind === "send" ? <NumberButton count={own.rejected} label={`${name} ${t("states.rejected")}`} onClick={() => openPeople({ nodeId: node.id, state: "rejected", reason: null })} testId={`report-${node.id}-rejected`} /> : <span className="jr-na">·</span>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {gone.length ? <p className="faint">{t("report.gone", { count: gone.length, entered: integer(gone.reduce((sum, node) => sum + node.entered, 0)) })}</p> : null}
    </div>
  );
}

/** Why messages were stopped, over all steps; each reason opens to the people. */
function Suppressions({ report }: { report: Report }) {
  const { t } = useTranslation("journeys");
  const { openPeople } = useEditing();
  const byReason = new Map<string, { label: string; count: number; nodes: { id: string; count: number }[] }>();
  for (const node of report.nodes)
    for (const each of node.suppressed) {
      const sum = byReason.get(each.reason) ?? { label: say(each.label), count: 0, nodes: [] };
      byReason.set(each.reason, { ...sum, count: sum.count + each.count, nodes: [...sum.nodes, { id: node.node_id, count: each.count }] });
    }
  const reasons = [...byReason].sort(([, a], [, b]) => b.count - a.count);
  const most = Math.max(1, ...reasons.map(([, each]) => each.count));
  return (
    <Card title={t("report.reasons")} extra={<span className="faint">{t("report.reasonsHint")}</span>}>
      {reasons.length ? (
        <ul className="jr-reasons">
          {reasons.map(([reason, each]) => (
            <li key={reason}>
              <span>{each.label}</span>
              <span className="jr-track" aria-hidden>
                <span style={{ width: `${(each.count / most) * 100}%` }} />
              </span>
              <NumberButton count={each.count} label={each.label} onClick={() => openPeople({ nodeId: each.nodes.length === 1 ? (each.nodes[0]?.id ?? null) : null, state: "suppressed", reason })} testId={`reason-${reason}`} />
            </li>
          ))}
        </ul>
      ) : (
        <p className="soft">{t("report.noReasons")}</p>
      )}
    </Card>
  );
}
