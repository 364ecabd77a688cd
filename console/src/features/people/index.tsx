// The list of people: exact search, or the people behind a number (?tree=).
import { UsergroupAddOutlined } from "@ant-design/icons";
import { Alert, Button, Input } from "antd";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { usePeople, useSentence } from "@/features/people/api";
import { say } from "@/shared/api";
import { integer } from "@/shared/format";
import { LoadMore } from "@/shared/lists";
import { PeopleTable } from "@/shared/people";
import { useSession } from "@/shared/session";
import { Card, Empty, FilterBar, Loaded, Page } from "@/shared/ui";

export default function PeoplePage() {
  const { t } = useTranslation("people");
  const { brand, may, user } = useSession();
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const [q, given] = [params.get("q") ?? "", params.get("tree")];
  const tree = useMemo(() => {
    try {
      return given ? (JSON.parse(given) as unknown) : null;
    } catch {
      return null;
    }
  }, [given]);
  const sentence = useSentence(brand.brand, tree, may("audiences.read"));
  const query = usePeople(brand.brand, q, tree);
  return (
    <Page
      title={t("title")}
      permission="people.read"
      note={query.data?.pages[0]?.total != null ? t("total", { n: integer(query.data.pages[0].total) }) : null}
      actions={
        tree && may("audiences.write") ? (
          <Button type="primary" icon={<UsergroupAddOutlined />} data-testid="save-as-audience" onClick={() => void navigate(`/audiences/new?tree=${encodeURIComponent(given ?? "")}`)}>
            {t("saveAsAudience")}
          </Button>
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
      {tree ? <Alert className="spaced" type="info" showIcon title={sentence.data ? t("meaning", { sentence: say(sentence.data.sentence) }) : t("drilled")} description={sentence.data ? t("drilled") : null} /> : null}
      <Card>
        <Loaded query={query} rows={10}>
          {(data) => {
            const people = data.pages.flatMap((page) => page.items);
            return people.length ? (
              <>
                <PeopleTable people={people} loading={query.isPlaceholderData} />
                <LoadMore list={{ ...query, items: people, more: () => void query.fetchNextPage() }} />
              </>
            ) : (
              <Empty title={t(q || tree ? "noMatch" : "none")} hint={t(q ? "noMatchHint" : user.role === "guide" ? "noneOwnHint" : "noneHint")} />
            );
          }}
        </Loaded>
      </Card>
    </Page>
  );
}
