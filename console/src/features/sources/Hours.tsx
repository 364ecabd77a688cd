// A source's books hour by hour, as a chart and as a table.
import { Drawer } from "antd";
import { useTranslation } from "react-i18next";
import { useBooks, type Source } from "@/features/sources/api";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { Table } from "@/shared/table";
import { Empty, Loaded } from "@/shared/ui";

export default function HoursDrawer({ source, close }: { source: Source; close: () => void }) {
  return (
    <Drawer open onClose={close} title={say(source.name)} size={720}>
      <Hours source={source} />
    </Drawer>
  );
}

/** What accepted events became, as stacked from the ground up. */
const PARTS = [
  ["stored", "#5b8ff0"],
  ["duplicate", "#b9c6de"],
  ["quarantined", "#c2261f"],
  ["damaged", "#5c1a16"],
] as const;

function Hours({ source }: { source: Source }) {
  const { t } = useTranslation("sources");
  const query = useBooks(source.source);
  return (
    <Loaded query={query} rows={8}>
      {(data) => {
        const rows = data.items;
        const most = Math.max(1, ...rows.map((row) => row.accepted));
        if (!rows.length) return <Empty title={t("noHours")} />;
        // Nobody should learn a word for what never happens.
        const lost = rows.some((row) => row.damaged > 0);
        const parts = PARTS.filter(([key]) => lost || key !== "damaged");
        const bars = [...rows].slice(0, 96).reverse();
        return (
          <>
            <svg viewBox={`0 0 ${Math.max(bars.length, 24) * 7} 90`} className="hours" role="img" aria-label={t("hoursChart")} preserveAspectRatio="none">
              {bars.map((row, i) => {
                const scale = (value: number) => (value / most) * 86;
                let top = 90;
                return (
                  <g key={row.hour_at}>
                    <title>{`${at(row.hour_at)} · ${parts.map(([key]) => `${t(key)} ${integer(row[key])}`).join(" · ")}`}</title>
                    {PARTS.map(([key, colour]) => {
                      const height = scale(row[key]);
                      top -= height;
                      return height ? <rect key={key} x={i * 7} y={top} width={5} height={height} fill={colour} /> : null;
                    })}
                  </g>
                );
              })}
            </svg>
            <div className="hours-axis number">
              <span>{at(bars[0]?.hour_at, "MM-DD HH:mm")}</span>
              <span>{at(bars[bars.length - 1]?.hour_at, "MM-DD HH:mm")}</span>
            </div>
            <ul className="hours-legend">
              {parts.map(([key, colour]) => (
                <li key={key}>
                  <i style={{ background: colour }} aria-hidden />
                  {t(key)}
                </li>
              ))}
            </ul>
            <Table
              size="small"
              rowKey="hour_at"
              dataSource={rows.slice(0, 168)}
              columns={[
                { title: t("hour"), dataIndex: "hour_at", render: (value: string) => at(value) },
                ...(["accepted", ...parts.map(([key]) => key)] as const).map((key) => ({ title: t(key), dataIndex: key, align: "right" as const, render: integer })),
              ]}
            />
          </>
        );
      }}
    </Loaded>
  );
}
