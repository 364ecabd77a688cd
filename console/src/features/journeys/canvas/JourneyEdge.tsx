// An arrow: which exit it leaves by, and how many people went along it.
import { BaseEdge, EdgeLabelRenderer, getSmoothStepPath, type EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { short } from "@/shared/format";
import { edgeKey, useNumbers } from "../model/queries";

export const JourneyEdge = memo(function JourneyEdge({ id, source, sourceHandleId, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected, markerEnd }: EdgeProps) {
  const { t } = useTranslation("journeys");
  const port = sourceHandleId ?? "next";
  const count = useNumbers((numbers) => numbers.edges.get(edgeKey(source, port)));
  const [path, middleX] = getSmoothStepPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, borderRadius: 12 });
  const name = port === "next" ? null : t(`ports.${port}`);
  const text = [name, count === undefined ? null : short(count)].filter((part) => part !== null).join(" · ");
  // Near the exit, where arrows of one node have not met others yet; straight arrows carry it in the middle.
  const straight = Math.abs(sourceX - targetX) < 4;
  const [x, y] = straight ? [middleX, (sourceY + targetY) / 2] : [sourceX, sourceY + 14];
  return (
    <>
      <BaseEdge id={id} path={path} markerEnd={markerEnd} interactionWidth={24} className={`jn-edge ${port}${selected ? " selected" : ""}`} />
      {text ? (
        <EdgeLabelRenderer>
          <span
            className={`jn-edge-label number ${port}${selected ? " selected" : ""}`}
            style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}
            aria-label={count === undefined ? undefined : t("edgeCount", { count })}
            data-testid={`edge-label-${source}-${port}`}
          >
            {text}
          </span>
        </EdgeLabelRenderer>
      ) : null}
    </>
  );
});
