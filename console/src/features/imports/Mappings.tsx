// Saved mappings: which there are, what they are for, and the document of each.
import { App, Button } from "antd";
import { useTranslation } from "react-i18next";
import { useImportActions, useMappings, type SavedMapping } from "@/features/imports/api";
import { ago } from "@/shared/format";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded, sentenceOf } from "@/shared/ui";

export default function Mappings() {
  const { t } = useTranslation("imports");
  const { message, modal } = App.useApp();
  const { brand, may } = useSession();
  const query = useMappings(brand.brand);
  const named = useSourceName();
  const actions = useImportActions();
  const ask = (row: SavedMapping) =>
    void modal.confirm({
      title: t("archiveAsk", { name: row.name }),
      content: t("archiveHint"),
      onOk: () => actions.archive.mutate(row.mapping_id, { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) }),
    });
  return (
    <Loaded query={query} rows={4}>
      {(page) => page.items.length ? (
        <Card>
          <Table
            rowKey="mapping_id"
            label={t("mappings")}
            dataSource={page.items}
            unfold={(row) => <pre className="document" tabIndex={0} role="region" aria-label={row.name}>{JSON.stringify(row.mapping, null, 2)}</pre>}
            columns={[
              { title: t("mappingName"), dataIndex: "name", render: (name: string) => <strong>{name}</strong> },
              { title: t("becomes"), dataIndex: "target", render: (target: string) => t(`targets.${target}`) },
              { title: t("source"), dataIndex: "source", render: named },
              { title: t("version"), dataIndex: "version", align: "right" },
              { title: t("by"), dataIndex: "made_by", render: (by: string, row) => <>{by}<br /><small className="faint">{ago(row.made_at)}</small></> },
              { title: "", key: "do", render: (_: unknown, row) => (may("sources.write") ? <Button size="small" onClick={() => ask(row)}>{t("archive")}</Button> : null) },
            ]}
          />
        </Card>
      ) : <Empty title={t("noMappings")} hint={t("noMappingsHint")} />}
    </Loaded>
  );
}
