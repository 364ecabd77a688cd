// An arrow: which exit it leaves by, how many took it, and a plus that puts a step into it.
import { BaseEdge, EdgeLabelRenderer, getSmoothStepPath, type Edge, type EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { integer } from "@/shared/format";
import { useEdgeCount } from "./counts";
import { useEditing } from "./editing";
import { turnOf } from "./layout";
import { AddButton } from "./StepCard";
import type { Port } from "./types";

export type WayEdgeType = Edge<{ port: Port; named: boolean }, "way">;

export const WayEdge = memo(function WayEdge({ id, source, target, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected, data, markerEnd }: EdgeProps<WayEdgeType>) {
  const { t } = useTranslation("journeys");
  const { graph, readOnly, counted } = useEditing();
  const port = data?.port ?? "next";
  const count = useEdgeCount(source, port);
  const turn = turnOf(graph, { from: source, to: target }, { x: sourceX, y: sourceY }, { x: targetX, y: targetY }, counted);
  const [path] = getSmoothStepPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, borderRadius: 12, centerY: turn });
  const words = [data?.named ? t(`ports.${port}`) : "", counted && count !== undefined ? integer(count) : ""].filter(Boolean);
  // A chip hangs right below its exit: exits are half a card apart, so chips never meet, wherever the ways lead. Only
  // on a straight way from the one exit of a card there is room in the middle.
  const alone = !data?.named && Math.abs(sourceX - targetX) < 2;
  const [chipX, chipY] = [sourceX, alone ? (sourceY + targetY) / 2 : sourceY + 20];
  return (
    <>
      <BaseEdge id={id} path={path} markerEnd={markerEnd} className={`jw jw-${port}${selected ? " selected" : ""}`} interactionWidth={24} />
      <EdgeLabelRenderer>
        <div className="jw-chip nodrag nopan" style={{ transform: `translate(-50%, -50%) translate(${chipX}px, ${chipY}px)` }}>
          {words.length ? (
            <span className={`jw-label jw-${port}`} data-testid={`edge-${source}-${port}`}>
              {data?.named ? <em>{t(`ports.${port}`)}</em> : null}
              {counted && count !== undefined ? <b className="number">{integer(count)}</b> : null}
            </span>
          ) : null}
          {readOnly ? null : <AddButton from={source} port={port} />}
        </div>
      </EdgeLabelRenderer>
    </>
  );
});
