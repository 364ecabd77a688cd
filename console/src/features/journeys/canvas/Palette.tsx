// The kinds of nodes, docked: a click or Enter adds after the chosen node, a drag puts one anywhere.
import { useTranslation } from "react-i18next";
import type { Kind } from "../model/graph";
import { FAMILIES, ICONS } from "./kinds";

export const DRAG_TYPE = "application/x-quanyu-node";

export function Palette({ hasTrigger, onAdd }: { hasTrigger: boolean; onAdd: (kind: Kind) => void }) {
  const { t } = useTranslation("journeys");
  return (
    <aside className="jn-palette" aria-label={t("palette.label")}>
      {FAMILIES.map((family) => (
        <div key={family.key}>
          <h3>{t(`families.${family.key}`)}</h3>
          {family.kinds
            .filter((kind) => kind !== "trigger" || !hasTrigger)
            .map((kind) => (
              <button
                key={kind}
                type="button"
                className={`jn-tool ${kind}`}
                draggable
                data-testid={`palette-${kind}`}
                aria-label={t("palette.add", { kind: t(`kinds.${kind}`) })}
                onClick={() => onAdd(kind)}
                onDragStart={(event) => {
                  event.dataTransfer.setData(DRAG_TYPE, kind);
                  event.dataTransfer.effectAllowed = "copy";
                }}
              >
                <span className="jn-icon" aria-hidden>
                  {ICONS[kind]}
                </span>
                {t(`kinds.${kind}`)}
              </button>
            ))}
        </div>
      ))}
      <p className="faint">{t("palette.hint")}</p>
    </aside>
  );
}
