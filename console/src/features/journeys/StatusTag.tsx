// Where a journey stands, as a coloured word.
import { useTranslation } from "react-i18next";
import type { JourneyStatus } from "./types";

export function StatusTag({ status }: { status: JourneyStatus }) {
  const { t } = useTranslation("journeys");
  return (
    <span className={`j-status ${status}`} data-testid="journey-status-tag">
      {t(`status.${status}`)}
    </span>
  );
}
