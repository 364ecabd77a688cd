// Settings: each tab appears for those who may see it.
import { Tabs } from "antd";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { Connections } from "@/features/settings/connections";
import { AuditLedger, ConsentSummary, Policies, SettingsList } from "@/features/settings/parts";
import { Clients, Users } from "@/features/settings/people";
import { useSession } from "@/shared/session";
import { NoPermission, Page } from "@/shared/ui";
import "@/features/settings/settings.css";

export default function SettingsPage() {
  const { t } = useTranslation("settings");
  const { may } = useSession();
  const [params, setParams] = useSearchParams();
  const tabs = [
    { key: "connections", permission: "sends.read", children: <Connections /> },
    { key: "users", permission: "users.write", children: <div className="grid"><Users /><Clients /></div> },
    { key: "consent", permission: "consent.read", children: <ConsentSummary /> },
    { key: "policies", permission: "people.read", children: <Policies /> },
    { key: "audit", permission: "audit.read", children: <AuditLedger /> },
    { key: "settings", permission: "settings.read", children: <SettingsList /> },
  ].filter((tab) => may(tab.permission));
  return (
    <Page title={t("title")}>
      {tabs.length ? (
        <Tabs
          activeKey={params.get("tab") ?? tabs[0]?.key}
          onChange={(tab) => setParams({ tab })}
          items={tabs.map((tab) => ({ key: tab.key, label: t(`tabs.${tab.key}`), children: tab.children }))}
        />
      ) : (
        <NoPermission />
      )}
    </Page>
  );
}
