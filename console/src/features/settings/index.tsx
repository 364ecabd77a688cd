// Settings: who may do what, which channels there are, what is allowed, what was done. One tab per concern, in the address.
import { Tabs } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { AuditTab } from "@/features/settings/audit";
import { ClientsTab } from "@/features/settings/clients";
import { ConnectionsTab } from "@/features/settings/connections";
import { ConsentTab } from "@/features/settings/consent";
import { IdentityTab } from "@/features/settings/identity";
import { SystemTab } from "@/features/settings/system";
import { UsersTab } from "@/features/settings/users";
import { useFilters } from "@/shared/lists";
import { useSession } from "@/shared/session";
import { NoPermission, Page } from "@/shared/ui";
import "./settings.css";

const TABS: { key: string; permission: string; content: ReactNode }[] = [
  { key: "connections", permission: "settings.read", content: <ConnectionsTab /> },
  { key: "users", permission: "users.write", content: <UsersTab /> },
  { key: "clients", permission: "users.write", content: <ClientsTab /> },
  { key: "consent", permission: "consent.read", content: <ConsentTab /> },
  { key: "identity", permission: "settings.read", content: <IdentityTab /> },
  { key: "audit", permission: "audit.read", content: <AuditTab /> },
  { key: "system", permission: "settings.read", content: <SystemTab /> },
];

export default function SettingsPage() {
  const { t } = useTranslation("settings");
  const { may } = useSession();
  const { filters, change } = useFilters(["tab"]);
  const tabs = TABS.filter((tab) => may(tab.permission));
  const open = tabs.find((tab) => tab.key === filters.tab) ?? tabs[0];
  return (
    <Page title={t("title")} note={t("note")}>
      {open ? (
        <Tabs
          activeKey={open.key}
          onChange={(tab) => change({ tab })}
          destroyOnHidden
          items={tabs.map((tab) => ({
            key: tab.key,
            label: <span data-testid={`tab-${tab.key}`}>{t(`tabs.${tab.key}`)}</span>,
            children: tab.content,
          }))}
        />
      ) : (
        <NoPermission />
      )}
    </Page>
  );
}
