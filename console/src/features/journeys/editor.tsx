import { useTranslation } from "react-i18next";
import { Empty, Page } from "@/shared/ui";

export default function Placeholder() {
  const { t } = useTranslation("shell");
  return (
    <Page title={t("menu.journeys")}>
      <Empty />
    </Page>
  );
}
