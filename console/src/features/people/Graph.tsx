// The picture of why some identifiers are one person. The table below it says the same in words.
import { useTranslation } from "react-i18next";
import type { Identifier, Link, PersonDetail } from "@/features/people/api";
import { HEIGHT, layout, shorten, type Spot } from "@/features/people/layout";
import { say } from "@/shared/api";

interface Stroke {
  stroke: string;
  dash?: string;
}

const ACCEPTED: Stroke = { stroke: "#5b8ff0" };
const STROKES: Record<string, Stroke> = {
  accepted: ACCEPTED,
  refused: { stroke: "#d97706", dash: "5 4" },
  demoted: { stroke: "#94a3b8", dash: "2 4" },
  denied: { stroke: "#c2261f", dash: "6 5" },
};

const ACCENTS: Record<string, string> = { phone: "#0b7a5e", unionid: "#0b7a5e", openid: "#0b7a5e", external_userid: "#1554d9", member_no: "#b45309", card: "#b45309", household: "#7c3aed" };

export function Graph({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { spots, width, height, across } = layout(detail.identifiers, detail.links);
  const known = new Map(detail.identifiers.map((item) => [item.identifier_id, item]));
  const shown = Object.entries(STROKES).filter(([status]) => detail.links.some((link) => link.status === status));
  return (
    <figure className="identity-figure">
      <div className="identity-scroll" tabIndex={0} role="region" aria-label={t("graph", { n: detail.identifiers.length })}>
        <svg style={{ maxWidth: width + 8, minWidth: width * 0.78 }} viewBox={`-4 -4 ${width + 8} ${height + 8}`} role="img" aria-label={t("graph", { n: detail.identifiers.length })}>
          {detail.links.map((link) => (
            <Edge key={link.link_id} link={link} a={spots.get(link.a)} b={spots.get(link.b)} across={across} />
          ))}
          {[...spots.values()].map((spot) => (
            <Node key={spot.id} spot={spot} identifier={known.get(spot.id)} across={across} />
          ))}
        </svg>
      </div>
      <figcaption className="identity-legend">
        {shown.map(([status, style]) => (
          <span key={status}>
            <svg width="28" height="8" aria-hidden>
              <line x1="0" y1="4" x2="28" y2="4" stroke={style.stroke} strokeDasharray={style.dash} strokeWidth="2" />
            </svg>
            {t(`statuses.${status}`)}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function Edge({ link, a, b, across }: { link: Link; a: Spot | undefined; b: Spot | undefined; across: number }) {
  const { t } = useTranslation("people");
  if (!a || !b) return null;
  const [left, right] = a.x <= b.x ? [a, b] : [b, a];
  const same = left.x === right.x;
  const start = { x: left.x + across, y: left.y + HEIGHT / 2 };
  const end = { x: same ? right.x + across : right.x, y: right.y + HEIGHT / 2 };
  const bend = same ? 34 : (end.x - start.x) / 2;
  const path = same
    ? `M${start.x} ${start.y} C${start.x + bend} ${start.y} ${end.x + bend} ${end.y} ${end.x} ${end.y}`
    : `M${start.x} ${start.y} C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
  const middle = { x: (start.x + end.x) / 2 + (same ? 25 : 0), y: (start.y + end.y) / 2 };
  const style = STROKES[link.status] ?? ACCEPTED;
  return (
    <g>
      <title>{`${say(link.rule_label)} · ${t("times")} ${link.count}${link.reason ? ` · ${say(link.reason)}` : ""}`}</title>
      <path d={path} fill="none" stroke={style.stroke} strokeDasharray={style.dash} strokeWidth={1.5 + Math.min(link.count, 30) / 20} />
      <rect x={middle.x - 17} y={middle.y - 10} width="34" height="20" rx="10" fill="#fff" stroke={style.stroke} strokeOpacity="0.5" />
      <text x={middle.x} y={middle.y + 4} textAnchor="middle" fontSize="11" fill="#4b5a73">
        ×{link.count}
      </text>
    </g>
  );
}

function Node({ spot, identifier, across }: { spot: Spot; identifier: Identifier | undefined; across: number }) {
  const { t } = useTranslation("people");
  const accent = (identifier && ACCENTS[identifier.namespace]) ?? "#64748b";
  const name = identifier ? say(identifier.namespace_label) : t("elsewhere");
  const value = identifier?.masked ?? "";
  return (
    <g transform={`translate(${spot.x},${spot.y})`}>
      <title>{`${name} ${value}`}</title>
      <rect width={across} height={HEIGHT} rx={12} fill={identifier ? "#fff" : "#f8fafc"} stroke={identifier ? "#cdd9ef" : "#b6c2d6"} strokeDasharray={identifier ? undefined : "4 4"} />
      {identifier ? <rect x={10} y={12} width={4} height={26} rx={2} fill={accent} /> : null}
      <text x={24} y={identifier ? 21 : 30} fontSize={12} fill="#5f6e88">
        {name}
      </text>
      <text x={24} y={39} fontSize={13} fontWeight={600} fill="#111b2e">
        {shorten(value, across < 200 ? 19 : 24)}
      </text>
    </g>
  );
}
