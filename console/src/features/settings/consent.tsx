import { useTranslation } from "react-i18next";
import { useConsentSummary, type ConsentRow } from "@/features/settings/api";
import { say } from "@/shared/api";
import { integer, percent } from "@/shared/format";
import { Card, DrillNumber, Empty, Loaded } from "@/shared/ui";

function drill(row: ConsentRow) {
  return {
    kind: "people" as const,
    tree: { type: "group", id: "g1", op: "and", children: [{ type: "rule", id: "r1", predicate: "has_consent", params: { purpose: row.purpose, channel: row.channel } }] },
  };
}

export default function ConsentTab() {
  const { t } = useTranslation("settings");
  const query = useConsentSummary();
  return (
    <Card title={t("consent.title")} extra={<span className="faint">{t("consent.note")}</span>}>
      <Loaded query={query}>
        {(data) => {
          if (!data.items.length) return <Empty title={t("consent.empty")} hint={t("consent.emptyHint")} />;
          const purposes = [...new Set(data.items.map((row) => row.purpose))];
          return (
            <div className="grid">
              {purposes.map((purpose) => {
                const rows = data.items.filter((row) => row.purpose === purpose);
                return (
                  <section key={purpose}>
                    <h3 className="section-name">{say(rows[0]?.purpose_label) || t(`consent.purposes.${purpose}`, { defaultValue: purpose })}</h3>
                    {rows.map((row) => (
                      <ConsentLine key={row.channel} row={row} />
                    ))}
                  </section>
                );
              })}
              <ul className="legend">
                <li className="granted">{t("consent.granted")}</li>
                <li className="denied">{t("consent.denied")}</li>
                <li className="unknown">{t("consent.unknown")}</li>
              </ul>
            </div>
          );
        }}
      </Loaded>
    </Card>
  );
}

function ConsentLine({ row }: { row: ConsentRow }) {
  const { t } = useTranslation("settings");
  const total = Math.max(1, row.granted + row.denied + row.unknown);
  const share = (value: number) => ({ width: `${(value / total) * 100}%` });
  const said = t("consent.said", { granted: integer(row.granted), denied: integer(row.denied), unknown: integer(row.unknown) });
  return (
    <div className="consent-line">
      <span>{say(row.channel_label) || t(`consent.channels.${row.channel}`, { defaultValue: row.channel })}</span>
      <span className="stack" role="img" aria-label={said} title={said}>
        <i className="granted" style={share(row.granted)} />
        <i className="denied" style={share(row.denied)} />
        <i className="unknown" style={share(row.unknown)} />
      </span>
      <strong>
        <DrillNumber drill={drill(row)}>{integer(row.granted)}</DrillNumber>
      </strong>
      <span className="faint number">{percent(row.granted / total)}</span>
    </div>
  );
}
