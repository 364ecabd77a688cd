// What the console has, in groups, and what a role must be allowed for each.
import {
  ApiOutlined,
  BarChartOutlined,
  IdcardOutlined,
  ImportOutlined,
  NotificationOutlined,
  PartitionOutlined,
  ProfileOutlined,
  SafetyCertificateOutlined,
  SettingOutlined,
  ShoppingOutlined,
  UnorderedListOutlined,
  UsergroupAddOutlined,
} from "@ant-design/icons";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { NavLink } from "react-router";
import { useSession } from "@/shared/session";

export interface MenuItem {
  key: string;
  to: string;
  icon: ReactNode;
  permission: string;
}

export const GROUPS: { key: string; items: MenuItem[] }[] = [
  {
    key: "data",
    items: [
      { key: "overview", to: "/overview", icon: <BarChartOutlined />, permission: "analytics.read" },
      { key: "events", to: "/events", icon: <UnorderedListOutlined />, permission: "analytics.read" },
      { key: "goods", to: "/goods", icon: <ShoppingOutlined />, permission: "catalog.read" },
      { key: "imports", to: "/imports", icon: <ImportOutlined />, permission: "sources.read" },
      { key: "sources", to: "/sources", icon: <ApiOutlined />, permission: "sources.read" },
      { key: "plan", to: "/plan", icon: <ProfileOutlined />, permission: "sources.read" },
      { key: "quality", to: "/quality", icon: <SafetyCertificateOutlined />, permission: "sources.read" },
    ],
  },
  {
    key: "customers",
    items: [
      { key: "people", to: "/people", icon: <IdcardOutlined />, permission: "people.read" },
      { key: "audiences", to: "/audiences", icon: <UsergroupAddOutlined />, permission: "audiences.read" },
    ],
  },
  {
    key: "marketing",
    items: [
      { key: "journeys", to: "/journeys", icon: <PartitionOutlined />, permission: "journeys.read" },
      { key: "sends", to: "/sends", icon: <NotificationOutlined />, permission: "sends.read" },
    ],
  },
  { key: "operations", items: [{ key: "settings", to: "/settings", icon: <SettingOutlined />, permission: "" }] },
];

/** The groups with what this user may open; empty groups are left out. */
export function allowedGroups(may: (permission: string) => boolean): typeof GROUPS {
  return GROUPS.map((group) => ({ ...group, items: group.items.filter((item) => !item.permission || may(item.permission)) })).filter(
    (group) => group.items.length,
  );
}

export function Menu({ onOpen }: { onOpen?: () => void }) {
  const { t } = useTranslation("shell");
  const { may } = useSession();
  return (
    <nav className="menu" aria-label={t("menu.label")}>
      {allowedGroups(may).map((group) => (
        <div key={group.key}>
          <h3 id={`menu-group-${group.key}`}>{t(`menu.${group.key}`)}</h3>
          <ul aria-labelledby={`menu-group-${group.key}`}>
            {group.items.map((item) => (
              <li key={item.key}>
                <NavLink to={item.to} className="item" data-testid={`${onOpen ? "drawer-" : ""}menu-${item.key}`} onClick={onOpen}>
                  {item.icon}
                  <span>{t(`menu.${item.key}`)}</span>
                </NavLink>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
