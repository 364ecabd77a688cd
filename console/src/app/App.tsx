import { App as AntApp, Button, ConfigProvider, Skeleton } from "antd";
import type { Locale } from "antd/es/locale";
import zhCN from "antd/locale/zh_CN";
import { lazy, Suspense, useEffect, useState, type ComponentType, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, Route, Routes, useLocation, useNavigate } from "react-router";
import { Boundary } from "@/app/Boundary";
import { loadTexts, type Feature } from "@/app/i18n";
import { theme } from "@/app/theme";
import { ApiError } from "@/shared/api";
import { SessionProvider, useSessionQuery } from "@/shared/session";
import { Empty, ErrorState, NoPermission, Page } from "@/shared/ui";

const Shell = lazy(() => import("@/app/Shell").then((found) => ({ default: found.Shell })));

/** A page that is loaded, with its feature's texts, when it is opened. */
function page(feature: Feature, read: () => Promise<{ default: ComponentType }>) {
  return lazy(async () => (await Promise.all([read(), loadTexts(feature)]))[0]);
}

const Login = page("login", () => import("@/features/login"));
const Overview = page("overview", () => import("@/features/overview"));
const People = page("people", () => import("@/features/people"));
const PersonPage = page("people", () => import("@/features/people/person"));
const Events = page("events", () => import("@/features/events"));
const Audiences = page("audiences", () => import("@/features/audiences"));
const AudienceEditor = page("audiences", () => import("@/features/audiences/editor"));
const Journeys = page("journeys", () => import("@/features/journeys"));
const JourneyEditor = page("journeys", () => import("@/features/journeys/editor"));
const Sends = page("sends", () => import("@/features/sends"));
const Goods = page("goods", () => import("@/features/goods"));
const Imports = page("imports", () => import("@/features/imports"));
const Sources = page("sources", () => import("@/features/sources"));
const Plan = page("plan", () => import("@/features/plan"));
const Quality = page("quality", () => import("@/features/quality"));
const Settings = page("settings", () => import("@/features/settings"));

/** Every page: the entry of the menu that it belongs to, and what its reader must be allowed. A page that may not be
 * read is neither loaded nor asked for. */
const PAGES: { path: string; menu: string; permission?: string; page: ReactNode }[] = [
  { path: "/overview", menu: "overview", permission: "analytics.read", page: <Overview /> },
  { path: "/people", menu: "people", permission: "people.read", page: <People /> },
  { path: "/people/:personId", menu: "people", permission: "people.read", page: <PersonPage /> },
  { path: "/events", menu: "events", permission: "analytics.read", page: <Events /> },
  { path: "/audiences", menu: "audiences", permission: "audiences.read", page: <Audiences /> },
  { path: "/audiences/new", menu: "audiences", permission: "audiences.write", page: <AudienceEditor /> },
  { path: "/audiences/:audienceId", menu: "audiences", permission: "audiences.read", page: <AudienceEditor /> },
  { path: "/journeys", menu: "journeys", permission: "journeys.read", page: <Journeys /> },
  { path: "/journeys/:journeyId", menu: "journeys", permission: "journeys.read", page: <JourneyEditor /> },
  { path: "/sends", menu: "sends", permission: "sends.read", page: <Sends /> },
  { path: "/goods", menu: "goods", permission: "catalog.read", page: <Goods /> },
  { path: "/imports", menu: "imports", permission: "sources.read", page: <Imports /> },
  { path: "/sources", menu: "sources", permission: "sources.read", page: <Sources /> },
  { path: "/plan", menu: "plan", permission: "sources.read", page: <Plan /> },
  { path: "/quality", menu: "quality", permission: "sources.read", page: <Quality /> },
  { path: "/settings", menu: "settings", page: <Settings /> },
];

export function App() {
  const { i18n } = useTranslation();
  const [locale, setLocale] = useState<Locale>(zhCN);
  useEffect(() => {
    if (i18n.language === "en") void import("antd/locale/en_US").then((found) => setLocale(found.default));
    else setLocale(zhCN);
  }, [i18n.language]);
  return (
    <ConfigProvider theme={theme} locale={locale} button={{ autoInsertSpace: false }}>
      <AntApp>
        <Boundary>
          <Suspense fallback={<p className="boot">…</p>}>
            <Routes>
              <Route path="/login" element={<Login />} />
              <Route path="*" element={<SignedIn />} />
            </Routes>
          </Suspense>
        </Boundary>
      </AntApp>
    </ConfigProvider>
  );
}

function SignedIn() {
  const session = useSessionQuery();
  const { pathname, search } = useLocation();
  if (session.isPending) return <p className="boot">…</p>;
  if (session.isError) {
    if (session.error instanceof ApiError && session.error.status === 401)
      return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
    return (
      <main className="page" id="main">
        <ErrorState error={session.error} retry={() => void session.refetch()} />
      </main>
    );
  }
  return (
    <SessionProvider session={session.data}>
      <Shell>
        <Boundary key={pathname}>
          <Suspense fallback={<PageSkeleton />}>
            <Routes>
              <Route path="/" element={<Navigate to={session.data.permissions.includes("analytics.read") ? "/overview" : "/people"} replace />} />
              {PAGES.map(({ path, menu, permission, page }) => (
                <Route key={path} path={path} element={!permission || session.data.permissions.includes(permission) ? page : <Refused menu={menu} />} />
              ))}
              <Route path="*" element={<NotFound />} />
            </Routes>
          </Suspense>
        </Boundary>
      </Shell>
    </SessionProvider>
  );
}

/** The shape of a page while its code is on the way. */
function PageSkeleton() {
  const { t } = useTranslation("shell");
  return (
    <main className="page" id="main" aria-busy="true" aria-label={t("states.loading")}>
      <Skeleton active title={{ width: 180 }} paragraph={{ rows: 1, width: 320 }} />
      <div className="card card-body">
        <Skeleton active title={false} paragraph={{ rows: 8 }} />
      </div>
    </main>
  );
}

function Refused({ menu }: { menu: string }) {
  const { t } = useTranslation("shell");
  return (
    <Page title={t(`menu.${menu}`)}>
      <NoPermission />
    </Page>
  );
}

function NotFound() {
  const navigate = useNavigate();
  const { t } = useTranslation("shell");
  return (
    <Page title={t("states.notFound")}>
      <section className="card">
        <Empty
          title="404"
          hint={t("states.notFoundHint")}
          action={
            <Button type="primary" onClick={() => void navigate("/")}>
              {t("states.home")}
            </Button>
          }
        />
      </section>
    </Page>
  );
}
