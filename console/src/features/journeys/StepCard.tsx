// A node on the canvas: what it does, what is wrong with it in words, and its live numbers.
import { PlusOutlined, WarningFilled } from "@ant-design/icons";
import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { Dropdown } from "antd";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { integer, short } from "@/shared/format";
import { useCounts, useNodeCounts } from "./counts";
import { useEditing } from "./editing";
import { edgeAt, insertAfter, nodeOf } from "./graph";
import { figuresOf, ICONS } from "./kinds";
import { portsInPlace } from "./layout";
import type { Kind, Port } from "./types";

export type StepNode = Node<Record<string, never>, "step">;

export const StepCard = memo(function StepCard({ id, selected }: NodeProps<StepNode>) {
  const { t } = useTranslation("journeys");
  const { graph, faults, readOnly, counted, titleOf, subtitleOf } = useEditing();
  const node = nodeOf(graph, id);
  if (!node) return null;
  const own = faults.get(id);
  const error = own?.errors[0];
  const warning = own?.warnings[0];
  const ports = portsInPlace(graph, node);
  const title = titleOf(node);
  return (
    <div className={`jn jn-${node.kind}${selected ? " selected" : ""}${error ? " bad" : ""}`} data-testid={`node-${id}`}>
      {node.kind === "trigger" ? null : <Handle type="target" position={Position.Top} isConnectable={!readOnly} />}
      <div className="jn-head">
        <span className="jn-icon" aria-hidden>
          {ICONS[node.kind]}
        </span>
        <span className="jn-words">
          <strong title={title}>{title}</strong>
          {error ? (
            <span className="jn-fault" title={say(error.message)} data-testid={`node-fault-${id}`}>
              <WarningFilled aria-hidden /> {say(error.message)}
              {own && own.errors.length > 1 ? ` +${own.errors.length - 1}` : ""}
            </span>
          ) : (
            <span className="jn-sub" title={subtitleOf(node)}>
              {subtitleOf(node)}
            </span>
          )}
        </span>
        {!error && warning ? (
          <span className="jn-warn" role="img" aria-label={say(warning.message)} title={say(warning.message)}>
            <WarningFilled />
          </span>
        ) : null}
      </div>
      {counted && node.kind !== "exit" ? <Figures id={id} kind={node.kind} /> : null}
      <div className="jn-ports">
        {ports.map((port, index) => (
          <PortView key={port} id={id} port={port} left={((index + 0.5) / ports.length) * 100} named={ports.length > 1} label={t(`ports.${port}`)} />
        ))}
      </div>
    </div>
  );
});

function PortView({ id, port, left, named, label }: { id: string; port: Port; left: number; named: boolean; label: string }) {
  const { graph, readOnly } = useEditing();
  const open = !edgeAt(graph, id, port);
  return (
    <>
      <Handle id={port} type="source" position={Position.Bottom} style={{ left: `${left}%` }} isConnectable={!readOnly} />
      {open ? (
        <span className="jn-open" style={{ left: `${left}%` }}>
          {named ? <em>{label}</em> : null}
          {readOnly ? null : <AddButton from={id} port={port} />}
        </span>
      ) : null}
    </>
  );
}

const INSERTABLE: Kind[] = ["wait", "branch", "send", "goal", "exit"];

/** A plus that puts a new step behind an exit; on an arrow, into it. */
export function AddButton({ from, port }: { from: string; port: Port }) {
  const { t } = useTranslation("journeys");
  const { graph, add } = useEditing();
  const occupied = !!edgeAt(graph, from, port);
  const kinds = INSERTABLE.filter((kind) => !(occupied && kind === "exit"));
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: kinds.map((kind) => ({
          key: kind,
          icon: ICONS[kind],
          label: <span data-testid={`insert-${kind}`}>{t(`kinds.${kind}`)}</span>,
          onClick: ({ domEvent }) => {
            domEvent.stopPropagation();
            add((now, taken) => insertAfter(now, taken, from, port, kind));
          },
        })),
      }}
    >
      <button type="button" className="jn-add nodrag nopan" aria-label={t("canvas.addHere", { port: t(`ports.${port}`) })} data-testid={`add-${from}-${port}`} onClick={(event) => event.stopPropagation()}>
        <PlusOutlined />
      </button>
    </Dropdown>
  );
}

function Figures({ id, kind }: { id: string; kind: Kind }) {
  const { t } = useTranslation("journeys");
  const { openPeople } = useEditing();
  const report = useNodeCounts(id);
  const reached = useCounts((counts) => counts.reached);
  if (!report) return <div className="jn-figures" aria-hidden />;
  return (
    <div className="jn-figures">
      {figuresOf(kind, report, reached).map((figure) => (
        <button
          type="button"
          key={figure.state}
          className={`nodrag nopan${figure.tone && figure.count ? ` ${figure.tone}` : ""}`}
          title={`${t(`states.${figure.state}`)} ${integer(figure.count)}`}
          data-testid={`count-${id}-${figure.state}`}
          onClick={(event) => {
            event.stopPropagation();
            openPeople({ nodeId: kind === "goal" && figure.state === "converted" ? null : id, state: figure.state, reason: null });
          }}
        >
          <span>{t(`states.${figure.state}`)}</span>
          <b className="number">{figure.count < 1e6 ? integer(figure.count) : short(figure.count)}</b>
        </button>
      ))}
    </div>
  );
}
