// Settings: who may do what, which channels there are, what is allowed, what was done. One tab per concern, in the address.
import { Skeleton } from "antd";
import { lazy, Suspense, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useSession } from "@/shared/session";
import { Parts } from "@/shared/tabs";
import { NoPermission, Page } from "@/shared/ui";
import "./settings.css";

const AuditTab = lazy(() => import("@/features/settings/audit"));
const ClientsTab = lazy(() => import("@/features/settings/clients"));
const ConnectionsTab = lazy(() => import("@/features/settings/connections"));
const ConsentTab = lazy(() => import("@/features/settings/consent"));
const IdentityTab = lazy(() => import("@/features/settings/identity"));
const SystemTab = lazy(() => import("@/features/settings/system"));
const UsersTab = lazy(() => import("@/features/settings/users"));

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
  const parts = TABS.filter((tab) => may(tab.permission)).map((tab) => ({ key: tab.key, label: t(`tabs.${tab.key}`), content: <Suspense fallback={<Skeleton active title={false} paragraph={{ rows: 6 }} />}>{tab.content}</Suspense> }));
  return (
    <Page title={t("title")} note={t("note")}>
      {parts.length ? <Parts parts={parts} label={t("title")} /> : <NoPermission />}
    </Page>
  );
}
