import {
  ApiOutlined,
  DashboardOutlined,
  GlobalOutlined,
  MobileOutlined,
  NotificationOutlined,
  PartitionOutlined,
  SearchOutlined,
  SettingOutlined,
  TeamOutlined,
  UnorderedListOutlined,
  UsergroupAddOutlined,
} from "@ant-design/icons";
import { useQueryClient } from "@tanstack/react-query";
import { Button, Dropdown, Input, Select } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, useNavigate } from "react-router";
import { language, switchLanguage } from "@/app/i18n";
import { remove, say } from "@/shared/api";
import { useSession } from "@/shared/session";

const GROUPS: { key: string; items: { key: string; to: string; icon: ReactNode; permission: string }[] }[] = [
  {
    key: "data",
    items: [
      { key: "overview", to: "/overview", icon: <DashboardOutlined />, permission: "analytics.read" },
      { key: "events", to: "/events", icon: <UnorderedListOutlined />, permission: "analytics.read" },
      { key: "sources", to: "/sources", icon: <ApiOutlined />, permission: "sources.read" },
    ],
  },
  {
    key: "customers",
    items: [
      { key: "people", to: "/people", icon: <TeamOutlined />, permission: "people.read" },
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
  {
    key: "operations",
    items: [{ key: "settings", to: "/settings", icon: <SettingOutlined />, permission: "" }],
  },
];

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation("shell");
  const session = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const signOut = async () => {
    await remove("/session").catch(() => undefined);
    queries.clear();
    navigate("/login");
  };
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("skip")}
      </a>
      <nav className="side" aria-label={t("menu.label")}>
        <Link to="/" className="logo">
          <img src="/favicon.svg" alt="" />
          <span>{t("product")}</span>
        </Link>
        {GROUPS.map((group) => {
          const items = group.items.filter((item) => !item.permission || session.may(item.permission));
          return items.length ? (
            <div key={group.key}>
              <h3>{t(`menu.${group.key}`)}</h3>
              {items.map((item) => (
                <NavLink key={item.key} to={item.to} className="item" data-testid={`menu-${item.key}`}>
                  {item.icon}
                  <span>{t(`menu.${item.key}`)}</span>
                </NavLink>
              ))}
            </div>
          ) : null;
        })}
      </nav>
      <div>
        <header className="top">
          {session.may("people.read") ? (
            <Input
              allowClear
              prefix={<SearchOutlined />}
              placeholder={t("search")}
              aria-label={t("search")}
              style={{ maxWidth: 320 }}
              variant="filled"
              onPressEnter={(event) => {
                const text = event.currentTarget.value.trim();
                if (text) navigate(`/people?q=${encodeURIComponent(text)}`);
              }}
            />
          ) : null}
          <span className="grow" />
          {session.product.sandbox_url ? (
            <Button type="text" icon={<MobileOutlined />} href={`${session.product.sandbox_url}/phone`} target="_blank">
              {t("phone")}
            </Button>
          ) : null}
          {session.brands.length > 1 ? (
            <Select
              aria-label={t("brand")}
              value={session.brand.brand}
              onChange={session.choose}
              options={session.brands.map((item) => ({ value: item.brand, label: say(item.name) }))}
              style={{ minWidth: 160 }}
            />
          ) : (
            <span>{say(session.brand.name)}</span>
          )}
          <Button
            type="text"
            icon={<GlobalOutlined />}
            data-testid="language"
            onClick={() => void switchLanguage(language() === "en" ? "zh" : "en")}
          >
            {language() === "en" ? "中文" : "English"}
          </Button>
          <Dropdown
            menu={{
              items: [
                { key: "who", disabled: true, label: `${session.user.name} · ${t(`roles.${session.user.role}`)}` },
                { key: "out", label: t("signOut"), onClick: () => void signOut() },
              ]
            }}
          >
            <button type="button" className="avatar" style={{ border: 0, cursor: "pointer" }} aria-label={t("account")} data-testid="account">
              {session.user.name.slice(0, 1)}
            </button>
          </Dropdown>
        </header>
        {children}
      </div>
    </div>
  );
}
