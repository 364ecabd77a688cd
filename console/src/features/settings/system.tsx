
import { useTranslation } from "react-i18next";
import { useSettings, useStatus, type Setting } from "@/features/settings/api";
import { say } from "@/shared/api";
import { ago, bytes, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

export default function SystemTab() {
  const { t } = useTranslation("settings");
  const settings = useSettings();
  const shown = (value: unknown) => (value === null || value === undefined || value === "" ? "–" : String(value));
  return (
    <div className="grid">
      <StatusCard />
      <Card title={t("system.settings")} extra={<span className="faint">{t("system.settingsNote")}</span>}>
        <Loaded query={settings}>
          {(data) =>
            data.items.length ? (
              <Table<Setting>
                size="small"
                rowKey="name"
                dataSource={data.items}
                minWidth={760}
                columns={[
                  {
                    title: t("system.name"),
                    key: "name",
                    render: (_, setting) => (
                      <>
                        {say(setting.help)}
                        <small className="faint">QUANYU_{setting.name.toUpperCase()}</small>
                      </>
                    ),
                  },
                  { title: t("system.value"), key: "value", render: (_, setting) => <code>{setting.secret ? "••••••" : shown(setting.value)}</code> },
                  { title: t("system.default"), key: "default", render: (_, setting) => <span className="faint">{setting.secret ? "–" : shown(setting.default)}</span> },
                  {
                    title: t("system.source"),
                    dataIndex: "source",
                    render: (source: Setting["source"]) => <Pill tone={source === "default" ? "calm" : "info"}>{t(`system.sources.${source}`, { defaultValue: source })}</Pill>,
                  },
                ]}
              />
            ) : (
              <Empty />
            )
          }
        </Loaded>
      </Card>
    </div>
  );
}

function StatusCard() {
  const { t } = useTranslation("settings");
  const query = useStatus();
  return (
    <Card title={t("system.status")}>
      <Loaded query={query}>
        {({ worker, stores, version }) => (
          <div className="grid cols-4 tiles">
            <div>
              <span>{t("system.worker")}</span>
              <strong>
                <Pill tone={worker.alive ? "good" : "bad"} dot>
                  {t(worker.alive ? "system.alive" : "system.dead")}
                </Pill>
              </strong>
              <small className="faint">{worker.alive ? t("system.beat", { ago: ago(worker.last_beat_at) }) : t("system.deadHelp")}</small>
            </div>
            <div>
              <span>{t("system.backlog")}</span>
              <strong className="number">{worker.backlog_events === null ? "–" : integer(worker.backlog_events)}</strong>
              <small className="faint">
                {worker.backlog_bytes === null ? "" : `${bytes(worker.backlog_bytes)} · `}
                {t("system.lag", { seconds: worker.lag_seconds.toFixed(1) })}
              </small>
            </div>
            <div>
              <span>{t("system.history")}</span>
              <strong className="number">{stores.history_rows === null ? "–" : integer(stores.history_rows)}</strong>
              <small className="faint">{stores.history_bytes === null ? t("system.allBrandsOnly") : bytes(stores.history_bytes)}</small>
            </div>
            <div>
              <span>{t("system.state")}</span>
              <strong>{stores.state}</strong>
              <small className="faint">Quanyu {version}</small>
            </div>
          </div>
        )}
      </Loaded>
    </Card>
  );
}
