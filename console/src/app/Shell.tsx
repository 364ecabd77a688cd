// The frame around every page: menu, search, brand, language, account. On a phone the menu is a drawer.
import { CloseOutlined, DownOutlined, GlobalOutlined, LogoutOutlined, MenuOutlined, MobileOutlined } from "@ant-design/icons";
import { useQueryClient } from "@tanstack/react-query";
import { Button, Dropdown } from "antd";
import { useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { language, switchLanguage } from "@/app/i18n";
import { Menu } from "@/app/menu";
import { Search } from "@/app/Search";
import { remove, say } from "@/shared/api";
import { useSession } from "@/shared/session";
import "./shell.css";

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation("shell");
  const session = useSession();
  const drawer = useRef<HTMLDialogElement>(null);
  const close = () => drawer.current?.close();
  const logo = (
    <Link to="/" className="logo" onClick={close}>
      <img src="/favicon.svg" alt="" />
      <span>{t("product")}</span>
    </Link>
  );
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("skip")}
      </a>
      <aside className="side">
        {logo}
        <Menu />
        <p className="side-foot faint">
          {session.product.demo ? `${t("demo")} · ` : ""}v{session.product.version}
        </p>
      </aside>
      <dialog ref={drawer} className="side-drawer" aria-label={t("menu.label")} onClick={(event) => event.target === drawer.current && close()}>
        <div>
          <div className="side-drawer-head">
            {logo}
            <Button type="text" icon={<CloseOutlined />} aria-label={t("actions.close")} onClick={close} />
          </div>
          <Menu onOpen={close} />
        </div>
      </dialog>
      <div className="stage">
        <header className="top">
          <Button className="burger" type="text" icon={<MenuOutlined />} aria-label={t("menu.open")} aria-haspopup="dialog" onClick={() => drawer.current?.showModal()} />
          <Search />
          <span className="grow" />
          {session.product.sandbox_url ? (
            <Button className="wide-only" type="text" icon={<MobileOutlined />} href={`${session.product.sandbox_url}/phone`} target="_blank">
              {t("phone")}
            </Button>
          ) : null}
          <Brand />
          <Language />
          <Account />
        </header>
        {children}
      </div>
    </div>
  );
}

function Brand() {
  const { t } = useTranslation("shell");
  const { brand, brands, choose } = useSession();
  if (brands.length < 2) return <span className="brand-name wide-only">{say(brand.name)}</span>;
  return (
    <Dropdown
      trigger={["click"]}
      menu={{ selectable: true, selectedKeys: [brand.brand], items: brands.map((item) => ({ key: item.brand, label: say(item.name) })), onClick: ({ key }) => choose(key) }}
    >
      <Button type="text" className="brand-select" aria-label={`${t("brand")} ${say(brand.name)}`} aria-haspopup="menu">
        <span>{say(brand.name)}</span>
        <DownOutlined aria-hidden />
      </Button>
    </Dropdown>
  );
}

/** Texts change at once; what the server says in words is read again. */
function useSwitch() {
  const queries = useQueryClient();
  return () => void switchLanguage(language() === "en" ? "zh" : "en").then(() => queries.invalidateQueries());
}

function Language() {
  const change = useSwitch();
  return (
    <Button className="wide-only" type="text" icon={<GlobalOutlined />} data-testid="language" onClick={change}>
      {language() === "en" ? "中文" : "English"}
    </Button>
  );
}

function Account() {
  const { t } = useTranslation("shell");
  const { user, product } = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const change = useSwitch();
  const signOut = async () => {
    await remove("/session").catch(() => undefined);
    queries.clear();
    void navigate("/login");
  };
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: [
          {
            key: "who",
            type: "group",
            label: (
              <span className="who">
                <strong>{user.name}</strong>
                <small className="faint">
                  {user.username} · {t(`roles.${user.role}`)}
                </small>
              </span>
            ),
          },
          { type: "divider" },
          { key: "language", icon: <GlobalOutlined />, label: language() === "en" ? "切换到中文" : "Switch to English", onClick: change },
          ...(product.sandbox_url
            ? [{ key: "phone", icon: <MobileOutlined />, label: <a href={`${product.sandbox_url}/phone`} target="_blank" rel="noreferrer">{t("phone")}</a> }]
            : []),
          { key: "out", icon: <LogoutOutlined />, label: t("signOut"), onClick: () => void signOut() },
        ],
      }}
    >
      <button type="button" className="account" aria-label={t("account")} aria-haspopup="menu" data-testid="account">
        <span className="avatar" aria-hidden>
          {user.name.slice(0, 1)}
        </span>
        <DownOutlined className="wide-only" aria-hidden />
      </button>
    </Dropdown>
  );
}
