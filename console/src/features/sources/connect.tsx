// How to point an SDK that a brand already uses at this installation.
import { App, Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Card } from "@/shared/ui";

export function Connect() {
  const { t } = useTranslation("sources");
  const { message } = App.useApp();
  const [shown, setShown] = useState("Segment · Python");
  const host = location.origin;
  const snippets: Record<string, string> = {
    "Segment · Python": `import segment.analytics as analytics\nanalytics.write_key = "WRITE_KEY"\nanalytics.host = "${host}"\nanalytics.track("user-1", "Product Viewed", {"product_id": "sku-1"})`,
    "Segment · Node": `import { Analytics } from "@segment/analytics-node";\nconst analytics = new Analytics({ writeKey: "WRITE_KEY", host: "${host}" });\nanalytics.track({ userId: "user-1", event: "Product Viewed", properties: { product_id: "sku-1" } });`,
    [`${t("sensors")} · Python`]: `import sensorsanalytics\nconsumer = sensorsanalytics.BatchConsumer("${host}/sa?project=default&token=WRITE_KEY")\nsa = sensorsanalytics.SensorsAnalytics(consumer)\nsa.track("user-1", "ViewProduct", {"product_id": "sku-1"}, is_login_id=True)`,
    [`${t("sensors")} · Web`]: `sensors.init({ server_url: "${host}/sa?project=default&token=WRITE_KEY" });`,
    HTTP: `curl -u WRITE_KEY: ${host}/v1/track -d '{"messageId": "m-1", "userId": "user-1", "event": "Product Viewed", "properties": {"product_id": "sku-1"}}'`,
  };
  return (
    <Card>
      <p>{t("connectNote")}</p>
      <div className="connect">
        <div className="connect-kinds" role="group" aria-label={t("connect")}>
          {Object.keys(snippets).map((kind) => (
            <button key={kind} type="button" aria-pressed={kind === shown} onClick={() => setShown(kind)}>
              {kind}
            </button>
          ))}
        </div>
        <div>
          <pre className="raw" tabIndex={0}>{snippets[shown]}</pre>
          <Button size="small" onClick={() => void navigator.clipboard.writeText(snippets[shown] ?? "").then(() => message.success(t("shell:actions.copied")))}>
            {t("shell:actions.copy")}
          </Button>
        </div>
      </div>
    </Card>
  );
}
