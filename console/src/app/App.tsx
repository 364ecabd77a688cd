import { App as AntApp, ConfigProvider } from "antd";
import type { Locale } from "antd/es/locale";
import zhCN from "antd/locale/zh_CN";
import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, Route, Routes, useLocation } from "react-router";
import { Boundary } from "@/app/Boundary";
import { Shell } from "@/app/Shell";
import { theme } from "@/app/theme";
import { ApiError } from "@/shared/api";
import { SessionProvider, useSessionQuery } from "@/shared/session";
import { Empty, ErrorState } from "@/shared/ui";

const Login = lazy(() => import("@/features/login"));
const Overview = lazy(() => import("@/features/overview"));
const People = lazy(() => import("@/features/people"));
const PersonPage = lazy(() => import("@/features/people/person"));
const Events = lazy(() => import("@/features/events"));
const Audiences = lazy(() => import("@/features/audiences"));
const AudienceEditor = lazy(() => import("@/features/audiences/editor"));
const Journeys = lazy(() => import("@/features/journeys"));
const JourneyEditor = lazy(() => import("@/features/journeys/editor"));
const Sends = lazy(() => import("@/features/sends"));
const Sources = lazy(() => import("@/features/sources"));
const Settings = lazy(() => import("@/features/settings"));

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
  const { t } = useTranslation("shell");
  if (session.isPending) return <p className="boot">…</p>;
  if (session.isError) {
    if (session.error instanceof ApiError && session.error.status === 401)
      return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
    return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  }
  return (
    <SessionProvider session={session.data}>
      <Shell>
        <Boundary key={pathname}>
          <Suspense fallback={<p className="boot">…</p>}>
            <Routes>
              <Route path="/" element={<Navigate to={session.data.permissions.includes("analytics.read") ? "/overview" : "/people"} replace />} />
              <Route path="/overview" element={<Overview />} />
              <Route path="/people" element={<People />} />
              <Route path="/people/:personId" element={<PersonPage />} />
              <Route path="/events" element={<Events />} />
              <Route path="/audiences" element={<Audiences />} />
              <Route path="/audiences/:audienceId" element={<AudienceEditor />} />
              <Route path="/journeys" element={<Journeys />} />
              <Route path="/journeys/:journeyId" element={<JourneyEditor />} />
              <Route path="/sends" element={<Sends />} />
              <Route path="/sources" element={<Sources />} />
              <Route path="/settings" element={<Settings />} />
              <Route path="*" element={<Empty title={t("states.notFound")} />} />
            </Routes>
          </Suspense>
        </Boundary>
      </Shell>
    </SessionProvider>
  );
}
