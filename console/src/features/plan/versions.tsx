// The plan's versions, and what differs between two of them.
import { Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDiff, useVersions, type Version } from "@/features/plan/api";
import { Changes } from "@/features/plan/Changes";
import { download } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

export function Versions() {
  const { t } = useTranslation("plan");
  const { brand, may } = useSession();
  const query = useVersions(brand.brand);
  const [shown, setShown] = useState<number | null>(null);
  const diff = useDiff(brand.brand, shown === null ? null : shown - 1, shown);
  return (
    <Loaded query={query} rows={6}>
      {(data) =>
        data.items.length ? (
          <div className="grid">
            <Card>
              <Table<Version>
                rowKey="version"
                dataSource={data.items}
                minWidth={760}
                columns={[
                  { title: t("version"), dataIndex: "version", render: (value: number) => <span className="plan-nowrap">{t("versionN", { n: value })}</span> },
                  { title: t("when"), dataIndex: "made_at", render: (value: string) => at(value) },
                  { title: t("who"), dataIndex: "made_by" },
                  { title: t("note"), dataIndex: "note", render: (value: string) => value || "–" },
                  { title: t("size"), key: "size", render: (_, row) => t("sizeOf", { events: integer(row.events), properties: integer(row.properties) }) },
                  { title: t("mode"), key: "mode", render: (_, row) => <Pill tone={row.enforce ? "good" : "calm"}>{t(row.enforce ? "enforced" : "watching")}</Pill> },
                  {
                    title: "",
                    key: "act",
                    align: "right",
                    render: (_, row) => (
                      <span className="plan-tools">
                        <Button size="small" aria-expanded={shown === row.version} onClick={() => setShown(shown === row.version ? null : row.version)}>{t("whatChanged")}</Button>
                        <Button size="small" onClick={() => download("/plan/yaml", { version: row.version })}>YAML</Button>
                      </span>
                    ),
                  },
                ]}
              />
            </Card>
            {shown === null ? null : (
              <Card title={t("diffTitle", { before: shown - 1, after: shown })}>
                <Loaded query={diff} rows={4}>{(found) => <Changes items={found.items} />}</Loaded>
              </Card>
            )}
          </div>
        ) : (
          <Card><Empty title={t("never")} hint={may("sources.write") ? t("noneHint") : undefined} /></Card>
        )
      }
    </Loaded>
  );
}
