// What traffic has and the plan does not: to be confirmed by a person, one by one or all that is chosen.
import { Button, Checkbox } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useProposals, withProposals, type Plan, type Proposal } from "@/features/plan/api";
import { say } from "@/shared/api";
import { ago, integer, listed } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

const keyOf = (one: Proposal) => `${one.name}/${one.property}`;

export function Proposals({ plan, writable, change }: { plan: Plan; writable: boolean; change: (plan: Plan) => void }) {
  const { t } = useTranslation("plan");
  const { brand } = useSession();
  const query = useProposals(brand.brand);
  const named = useSourceName();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  return (
    <Card>
      <p className="faint">{t("proposalsNote")}</p>
      <Loaded query={query} rows={8}>
        {(data) => {
          const left = data.items.filter((one) => (one.property ? !plan.events?.[one.name]?.properties?.[one.property] : !plan.events?.[one.name]));
          if (!left.length) return <Empty title={t("nothingNew")} hint={t("nothingNewHint")} />;
          const picked = left.filter((one) => chosen.has(keyOf(one)));
          const toggle = (keys: string[], on: boolean) => setChosen((old) => new Set(on ? [...old, ...keys] : [...old].filter((key) => !keys.includes(key))));
          return (
            <>
              {writable ? (
                <div className="plan-tools plan-choose">
                  <Checkbox checked={picked.length === left.length} indeterminate={picked.length > 0 && picked.length < left.length} onChange={(event) => toggle(left.map(keyOf), event.target.checked)}>{t("all")}</Checkbox>
                  <Button type="primary" data-testid="proposals-confirm" disabled={!picked.length} onClick={() => { change(withProposals(plan, picked)); setChosen(new Set()); }}>{t("confirm", { n: integer(picked.length) })}</Button>
                </div>
              ) : null}
              <Table<Proposal>
                size="small"
                label={t("proposals")}
                rowKey={keyOf}
                dataSource={left}
                minWidth={860}
                columns={[
                  ...(writable ? [{ title: "", key: "pick", width: 36, render: (_: unknown, row: Proposal) => <Checkbox aria-label={keyOf(row)} checked={chosen.has(keyOf(row))} onChange={(event) => toggle([keyOf(row)], event.target.checked)} /> }] : []),
                  { title: t("event"), key: "event", render: (_, row) => <span>{say(row.name_label)}<small className="faint">{row.name}</small></span> },
                  { title: t("property"), dataIndex: "property", render: (value: string) => value || <Pill tone="info">{t("wholeEvent")}</Pill> },
                  { title: t("type"), key: "types", render: (_, row) => listed(row.types.map((type) => t(`types.${type}`))) || "–" },
                  { title: t("example"), dataIndex: "example", render: (value: string) => (value ? <code className="excerpt">{value}</code> : "–") },
                  { title: t("sources"), dataIndex: "sources", render: (value: string[]) => value.map(named).join(" · ") },
                  { title: t("seen"), dataIndex: "last_at", render: (value: string) => ago(value) },
                  { title: t("personal"), key: "personal", render: (_, row) => (row.suggestion?.personal ? <Pill tone="warn">{t("personalGuess")}</Pill> : null) },
                ]}
              />
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}
