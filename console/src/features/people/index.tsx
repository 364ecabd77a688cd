// The list of people: exact search, or the people behind a number (?tree=).
import { Alert, Button, Input } from "antd";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { usePeople } from "@/features/people/api";
import { integer } from "@/shared/format";
import { PeopleTable } from "@/shared/people";
import { useSession } from "@/shared/session";
import { Card, Empty, FilterBar, Loaded, Page } from "@/shared/ui";

export default function PeoplePage() {
  const { t } = useTranslation("people");
  const { brand, may } = useSession();
  const [params, setParams] = useSearchParams();
  const [q, given] = [params.get("q") ?? "", params.get("tree")];
  const tree = useMemo(() => {
    try {
      return given ? (JSON.parse(given) as unknown) : null;
    } catch {
      return null;
    }
  }, [given]);
  const query = usePeople(brand.brand, q, tree);
  return (
    <Page
      title={t("title")}
      permission="people.read"
      note={query.data?.pages[0]?.total != null ? t("total", { n: integer(query.data.pages[0].total) }) : null}
      actions={
        tree && may("audiences.write") ? (
          <Link to={`/audiences/new?tree=${encodeURIComponent(given ?? "")}`}>
            <Button type="primary" data-testid="save-as-audience">
              {t("saveAsAudience")}
            </Button>
          </Link>
        ) : null
      }
    >
      <FilterBar onReset={() => setParams({})}>
        <Input.Search
          key={q}
          defaultValue={q}
          allowClear
          enterButton={t("query")}
          style={{ width: 360 }}
          placeholder={t("placeholder")}
          aria-label={t("placeholder")}
          data-testid="people-search"
          onSearch={(text) => setParams({ ...(text.trim() ? { q: text.trim() } : {}), ...(given ? { tree: given } : {}) })}
        />
      </FilterBar>
      {tree ? <Alert type="info" showIcon title={t("drilled")} style={{ marginBottom: 14 }} /> : null}
      <Card>
        <Loaded query={query} rows={10}>
          {(data) => {
            const people = data.pages.flatMap((page) => page.items);
            return people.length ? (
              <>
                <PeopleTable people={people} loading={query.isPlaceholderData} />
                {query.hasNextPage ? (
                  <div className="more">
                    <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                      {t("shell:states.loadMore")}
                    </Button>
                  </div>
                ) : null}
              </>
            ) : (
              <Empty title={t(q || tree ? "noMatch" : "none")} hint={t(q ? "noMatchHint" : "noneHint")} />
            );
          }}
        </Loaded>
      </Card>
    </Page>
  );
}
