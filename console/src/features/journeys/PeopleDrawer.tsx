// The people behind a number, page by page.
import { Button, Drawer, Skeleton } from "antd";
import { useTranslation } from "react-i18next";
import { PeopleTable } from "@/shared/people";
import { integer } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Empty, ErrorState, NoPermission } from "@/shared/ui";
import { useJourneyPeople, type PeopleQuestion } from "./api";

interface Props {
  journeyId: string;
  question: PeopleQuestion | null;
  /** Where the number stood: the node's name, or the whole journey's. */
  place: string;
  reason: string | null;
  onClose: () => void;
}

export function PeopleDrawer({ journeyId, question, place, reason, onClose }: Props) {
  const { t } = useTranslation("journeys");
  const { may } = useSession();
  const allowed = may("people.read");
  const people = useJourneyPeople(journeyId, allowed ? question : null);
  const rows = people.data?.pages.flatMap((page) => page.items) ?? [];
  const total = people.data?.pages[0]?.total ?? null;
  const title = question ? [place, t(`states.${question.state}`), reason].filter(Boolean).join(" · ") : "";
  return (
    <Drawer open={question !== null} onClose={onClose} size={960} title={title} extra={total === null ? null : <span className="soft" data-testid="people-total">{t("people.total", { count: integer(total) })}</span>}>
      <div data-testid="people-drawer">
        {!allowed ? (
          <NoPermission />
        ) : people.isPending ? (
          <Skeleton active title={false} paragraph={{ rows: 8 }} />
        ) : people.isError ? (
          <ErrorState error={people.error} retry={() => void people.refetch()} />
        ) : rows.length ? (
          <>
            <PeopleTable people={rows} />
            {people.hasNextPage ? (
              <div className="more">
                <Button loading={people.isFetchingNextPage} onClick={() => void people.fetchNextPage()}>
                  {t("people.more")}
                </Button>
              </div>
            ) : null}
          </>
        ) : (
          <Empty title={t("people.empty")} hint={t("people.emptyHint")} />
        )}
      </div>
    </Drawer>
  );
}
