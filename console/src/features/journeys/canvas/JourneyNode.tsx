// A node on the canvas: what it is, in one line what it does, who is there, and what is wrong with it.
import { WarningFilled } from "@ant-design/icons";
import { Handle, Position, type Node as FlowNode, type NodeProps } from "@xyflow/react";
import { createContext, memo, useContext } from "react";
import { useTranslation } from "react-i18next";
import { short } from "@/shared/format";
import { ports, type Kind, type Node } from "../model/graph";
import { useNumbers } from "../model/queries";
import type { NodeReport, PeopleState } from "../model/types";
import { ICONS } from "./kinds";

export interface NodeData extends Record<string, unknown> {
  node: Node;
  title: string;
  line: string;
  error: string | null;
  warning: string | null;
}

export type JourneyFlowNode = FlowNode<NodeData, "journey">;

/** Opens the people behind a counter; null while a journey has no numbers. */
export const OpenPeople = createContext<((nodeId: string, state: PeopleState) => void) | null>(null);

const SHOWN: Record<Kind, PeopleState[]> = {
  trigger: ["entered"],
  wait: ["entered", "waiting"],
  branch: ["entered"],
  send: ["entered", "sent", "suppressed", "read"],
  goal: ["entered", "waiting", "converted"],
  exit: ["entered"],
};

export function countOf(report: NodeReport | undefined, state: PeopleState): number {
  if (!report) return 0;
  if (state === "suppressed") return report.suppressed.reduce((sum, item) => sum + item.count, 0);
  return report[state];
}

function Counters({ id, kind }: { id: string; kind: Kind }) {
  const { t } = useTranslation("journeys");
  const open = useContext(OpenPeople);
  const report = useNumbers((numbers) => numbers.nodes.get(id));
  if (!open) return null;
  const states: PeopleState[] = [...SHOWN[kind], ...(kind === "send" && report?.held_out ? (["held_out"] as const) : [])];
  return (
    <div className="jn-counters">
      {states.map((state) => {
        const count = countOf(report, state);
        return (
          <button
            key={state}
            type="button"
            className={`nodrag nopan ${state}`}
            data-testid={`count-${id}-${state}`}
            aria-label={t("report.open", { state: t(`people.state.${state}`), count })}
            onClick={(event) => {
              event.stopPropagation();
              open(id, state);
            }}
          >
            <b className="number">{short(count)}</b>
            <span>{t(`counters.${state}`)}</span>
          </button>
        );
      })}
    </div>
  );
}

export const JourneyNode = memo(function JourneyNode({ id, data, selected, isConnectable }: NodeProps<JourneyFlowNode>) {
  const { t } = useTranslation("journeys");
  const { node, title, line, error, warning } = data;
  const exits = ports(node);
  return (
    <div className={`jn-node ${node.kind}${selected ? " selected" : ""}${error ? " bad" : ""}`} data-testid={`node-${id}`}>
      {node.kind === "trigger" ? null : <Handle type="target" position={Position.Top} isConnectable={isConnectable} />}
      <header>
        <span className="jn-icon" aria-hidden>
          {ICONS[node.kind]}
        </span>
        <span className="jn-titles">
          <small>{t(`kinds.${node.kind}`)}</small>
          <strong title={title}>{title}</strong>
        </span>
      </header>
      <p className="jn-line">{line}</p>
      <Counters id={id} kind={node.kind} />
      {error || warning ? (
        <p className={error ? "jn-note" : "jn-note warning"} role="note" data-testid={`node-note-${id}`}>
          <WarningFilled aria-hidden /> {error ?? warning}
        </p>
      ) : null}
      {exits.map((port, index) => (
        <Handle key={port} id={port} type="source" position={Position.Bottom} isConnectable={isConnectable} data-testid={`port-${id}-${port}`} style={{ left: `${((index + 1) / (exits.length + 1)) * 100}%` }} aria-label={t(`ports.${port}`)} />
      ))}
    </div>
  );
});
