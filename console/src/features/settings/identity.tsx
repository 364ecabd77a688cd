import { useTranslation } from "react-i18next";
import { usePolicies, type Policy } from "@/features/settings/api";
import { BlockedCard } from "@/features/settings/blocked";
import { say } from "@/shared/api";
import { Pill } from "@/shared/pill";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

export default function IdentityTab() {
  const { t } = useTranslation("settings");
  const query = usePolicies();
  const limit = (value: number | null) => value ?? t("identity.unlimited");
  return (
    <div className="grid">
      <Card title={t("identity.title")} extra={<span className="faint">{t("identity.note")}</span>}>
        <Loaded query={query}>
          {(data) =>
            data.items.length ? (
              <Table<Policy>
                size="middle"
                rowKey="namespace"
                dataSource={data.items}
                minWidth={760}
                columns={[
                  {
                    title: t("identity.namespace"),
                    key: "namespace",
                    render: (_, policy) => (
                      <>
                        {say(policy.label)} {policy.personal ? <Pill tone="warn">{t("identity.personal")}</Pill> : null}
                        <small className="faint">{policy.namespace}</small>
                      </>
                    ),
                  },
                  { title: t("identity.strength"), dataIndex: "strength", render: (value: string | number) => t(`identity.strengths.${value}`, { defaultValue: String(value) }) },
                  { title: t("identity.perPerson"), dataIndex: "max_per_person", align: "right", render: limit },
                  { title: t("identity.people"), dataIndex: "max_people", align: "right", render: limit },
                  { title: t("identity.overLimit"), dataIndex: "over_limit", render: (value: string) => t(`identity.overLimits.${value}`, { defaultValue: value }) },
                ]}
              />
            ) : (
              <Empty />
            )
          }
        </Loaded>
      </Card>
      {query.data ? <BlockedCard policies={query.data.items} /> : null}
    </div>
  );
}
