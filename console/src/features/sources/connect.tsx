// How to point an SDK that a brand already uses at this installation.
import { App, Button, Tabs } from "antd";
import { useTranslation } from "react-i18next";
import { Card } from "@/shared/ui";

export function Connect() {
  const { t } = useTranslation("sources");
  const { message } = App.useApp();
  const host = location.origin;
  const snippets: Record<string, string> = {
    "Segment · Python": `import segment.analytics as analytics\nanalytics.write_key = "WRITE_KEY"\nanalytics.host = "${host}"\nanalytics.track("user-1", "Product Viewed", {"product_id": "sku-1"})`,
    "Segment · Node": `import { Analytics } from "@segment/analytics-node";\nconst analytics = new Analytics({ writeKey: "WRITE_KEY", host: "${host}" });\nanalytics.track({ userId: "user-1", event: "Product Viewed", properties: { product_id: "sku-1" } });`,
    "神策 · Python": `import sensorsanalytics\nconsumer = sensorsanalytics.BatchConsumer("${host}/sa?project=default&token=WRITE_KEY")\nsa = sensorsanalytics.SensorsAnalytics(consumer)\nsa.track("user-1", "ViewProduct", {"product_id": "sku-1"}, is_login_id=True)`,
    "神策 · Web": `sensors.init({ server_url: "${host}/sa?project=default&token=WRITE_KEY" });`,
    HTTP: `curl -u WRITE_KEY: ${host}/v1/track -d '{"messageId": "m-1", "userId": "user-1", "event": "Product Viewed", "properties": {"product_id": "sku-1"}}'`,
  };
  return (
    <Card>
      <p>{t("connectNote")}</p>
      <Tabs
        tabPlacement={innerWidth < 760 ? "top" : "start"}
        items={Object.entries(snippets).map(([label, text], at) => ({
          key: `sdk${at}`,
          label,
          children: (
            <>
              <pre className="raw">{text}</pre>
              <Button size="small" onClick={() => void navigator.clipboard.writeText(text).then(() => message.success(t("shell:actions.copied")))}>{t("shell:actions.copy")}</Button>
            </>
          ),
        }))}
      />
    </Card>
  );
}
