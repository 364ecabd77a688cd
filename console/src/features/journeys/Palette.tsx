// The steps one can add: a click or Enter puts one behind the selected step, dragging puts it anywhere.
import { useTranslation } from "react-i18next";
import { useEditing } from "./editing";
import { appendNode } from "./graph";
import { FAMILIES, ICONS } from "./kinds";

export const DRAG_TYPE = "application/x-quanyu-step";

export function Palette() {
  const { t } = useTranslation("journeys");
  const { graph, selected, add, readOnly } = useEditing();
  const has = (kind: string) => graph.nodes.some((node) => node.kind === kind);
  return (
    <nav className="jp" aria-label={t("palette.label")}>
      <h2>{t("palette.title")}</h2>
      {FAMILIES.map((family) => (
        <section key={family.key}>
          <h3>{t(`palette.${family.key}`)}</h3>
          {family.kinds.map((kind) => {
            const spent = (kind === "trigger" || kind === "goal") && has(kind);
            return (
              <button
                type="button"
                key={kind}
                className={`jp-item jn-${kind}`}
                draggable={!readOnly && !spent}
                disabled={readOnly || spent}
                title={spent ? t("palette.once") : t(`palette.about.${kind}`)}
                data-testid={`palette-${kind}`}
                onDragStart={(event) => {
                  event.dataTransfer.setData(DRAG_TYPE, kind);
                  event.dataTransfer.effectAllowed = "copy";
                }}
                onClick={() => add((now, taken) => appendNode(now, taken, kind, selected))}
              >
                <span className="jn-icon" aria-hidden>
                  {ICONS[kind]}
                </span>
                {t(`kinds.${kind}`)}
              </button>
            );
          })}
        </section>
      ))}
      <p className="faint">{t("palette.hint")}</p>
    </nav>
  );
}
