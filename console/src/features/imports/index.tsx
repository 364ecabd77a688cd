// Bringing data in: a file step by step, what was imported, saved mappings, and places that are read by themselves.
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Jobs } from "@/features/imports/jobs";
import { Wizard } from "@/features/imports/wizard";
import { useSession } from "@/shared/session";
import { Parts } from "@/shared/tabs";
import { Page, Waiting } from "@/shared/ui";
import "./imports.css";

const Connections = lazy(() => import("@/features/imports/Connections"));
const Mappings = lazy(() => import("@/features/imports/Mappings"));

export default function ImportsPage() {
  const { t } = useTranslation("imports");
  const { may } = useSession();
  const parts = [
    { key: "jobs", label: t("jobs"), content: <Jobs /> },
    { key: "mappings", label: t("mappings"), content: <Suspense fallback={<Waiting />}><Mappings /></Suspense> },
    { key: "connections", label: t("connections"), content: <Suspense fallback={<Waiting />}><Connections /></Suspense> },
  ];
  const wizard = { key: "file", label: t("file"), content: <Wizard /> };
  return (
    <Page title={t("title")} permission="sources.read" note={t("note")}>
      <Parts label={t("title")} parts={may("sources.write") ? [wizard, ...parts] : parts} />
    </Page>
  );
}
