// The tracking plan (埋点方案): what events mean and must look like, what traffic teaches, what breaks it, its versions.
import { App, Alert, Button, Select, Switch } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePlan, type Plan } from "@/features/plan/api";
import { PlanEvents } from "@/features/plan/events";
import { Proposals } from "@/features/plan/proposals";
import { Versions } from "@/features/plan/versions";
import { Violations } from "@/features/plan/violations";
import { download } from "@/shared/api";
import { useSession } from "@/shared/session";
import { Parts } from "@/shared/tabs";
import { Card, Loaded, Page } from "@/shared/ui";
import "./plan.css";

const Publish = lazy(() => import("@/features/plan/Publish"));
const Import = lazy(() => import("@/features/plan/Import"));

export default function PlanPage() {
  const { t } = useTranslation("plan");
  const { brand, may } = useSession();
  const { message } = App.useApp();
  const query = usePlan(brand.brand);
  const [draft, setDraft] = useState<Plan | null>(null);
  const [dialog, setDialog] = useState<"publish" | "import" | null>(null);
  const writable = may("sources.write");
  const published = () => { setDraft(null); setDialog(null); void message.success(t("published")); };
  return (
    <Page
      title={t("title")}
      permission="sources.read"
      note={query.data ? (query.data.version ? t("at", { n: query.data.version }) : t("never")) : null}
      actions={
        <>
          <Button data-testid="plan-export" onClick={() => download("/plan/yaml")}>{t("export")}</Button>
          {writable ? <Button data-testid="plan-import" onClick={() => setDialog("import")}>{t("import")}</Button> : null}
          {writable ? <Button type="primary" data-testid="plan-publish" disabled={!draft} onClick={() => setDialog("publish")}>{t("publish")}</Button> : null}
        </>
      }
    >
      <Loaded query={query} rows={8}>
        {(data) => {
          const plan = draft ?? data.plan;
          return (
            <>
              {draft ? <Alert className="spaced" type="info" showIcon title={t("unsaved")} action={<Button size="small" onClick={() => setDraft(null)}>{t("discard")}</Button>} /> : null}
              <Parts
                label={t("title")}
                parts={[
                  {
                    key: "plan",
                    label: t("plan"),
                    content: (
                      <div className="grid">
                        <Mode plan={plan} writable={writable} change={setDraft} />
                        <PlanEvents plan={plan} labels={data.labels} writable={writable} change={setDraft} />
                      </div>
                    ),
                  },
                  { key: "proposals", label: t("proposals"), content: <Proposals plan={plan} writable={writable} change={setDraft} /> },
                  { key: "violations", label: t("violations"), content: <Violations /> },
                  { key: "versions", label: t("versions"), content: <Versions /> },
                ]}
              />
              <Suspense fallback={null}>
                {dialog === "publish" && draft ? <Publish given={{ plan: draft, after: data.version }} done={published} close={() => setDialog(null)} /> : null}
                {dialog === "import" ? <Import after={data.version} done={published} close={() => setDialog(null)} /> : null}
              </Suspense>
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Mode({ plan, writable, change }: { plan: Plan; writable: boolean; change: (plan: Plan) => void }) {
  const { t } = useTranslation("plan");
  return (
    <Card>
      <div className="plan-mode">
        <label>
          <Switch data-testid="plan-enforce" disabled={!writable} checked={!!plan.enforce} onChange={(enforce) => change({ ...plan, enforce })} />
          <span><strong>{t(plan.enforce ? "enforced" : "watching")}</strong><small className="faint">{t(plan.enforce ? "enforcedNote" : "watchingNote")}</small></span>
        </label>
        <label>
          <span>{t("undeclaredEvents")}</span>
          <Select disabled={!writable} style={{ width: 190 }} value={plan.undeclared ?? "allow"} onChange={(undeclared) => change({ ...plan, undeclared })} options={(["allow", "keep", "quarantine"] as const).map((value) => ({ value, label: t(`undeclared.${value}`) }))} />
        </label>
      </div>
    </Card>
  );
}
