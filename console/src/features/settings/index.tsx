// Settings: who may do what, which channels there are, what is allowed, what was done. One tab per concern, in the address.
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { AuditTab } from "@/features/settings/audit";
import { ClientsTab } from "@/features/settings/clients";
import { ConnectionsTab } from "@/features/settings/connections";
import { ConsentTab } from "@/features/settings/consent";
import { IdentityTab } from "@/features/settings/identity";
import { SystemTab } from "@/features/settings/system";
import { UsersTab } from "@/features/settings/users";
import { useSession } from "@/shared/session";
import { Parts } from "@/shared/tabs";
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
  const parts = TABS.filter((tab) => may(tab.permission)).map((tab) => ({ key: tab.key, label: t(`tabs.${tab.key}`), content: tab.content }));
  return (
    <Page title={t("title")} note={t("note")}>
      {parts.length ? <Parts parts={parts} label={t("title")} /> : <NoPermission />}
    </Page>
  );
}
