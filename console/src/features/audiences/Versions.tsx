// What an audience held over time, and the people of a version or of a change.
import { Button, Skeleton } from "antd";
import { useTranslation } from "react-i18next";
import { at, integer } from "@/shared/format";
import { PeopleTable } from "@/shared/people";
import { Pill } from "@/shared/pill";
import { Table } from "@/shared/table";
import { Empty, ErrorState, Loaded } from "@/shared/ui";
import { useMembers, useVersions, type Version, type Which } from "./model";

export function Versions({ id, onOpen }: { id: string; onOpen: (which: Which) => void }) {
  const { t } = useTranslation("audiences");
  const query = useVersions(id);
  const open = (version: Version, change?: "entered" | "left") => (value: number) => (
    <Button
      type="link"
      size="small"
      className="number"
      disabled={!version.kept || value === 0}
      data-testid={`version-${version.version}-${change ?? "size"}`}
      onClick={() => onOpen(change ? { version: version.version, change } : { version: version.version })}
    >
      {change && value ? (change === "entered" ? "+" : "−") : ""}
      {integer(value)}
    </Button>
  );
  return (
    <Loaded query={query}>
      {(data) =>
        data.items.length ? (
          <Table<Version>
            size="middle"
            rowKey="version"
            dataSource={data.items}
            label={t("tabs.versions")}
            columns={[
              { title: t("versions.version"), dataIndex: "version", render: (value: number, version) => <span>{value} {version.kept ? null : <Pill>{t("versions.gone")}</Pill>}</span> },
              { title: t("versions.at"), dataIndex: "at", render: (value: string) => at(value, "YYYY-MM-DD HH:mm:ss") },
              { title: t("versions.size"), dataIndex: "size", align: "right", render: (value: number, version) => open(version)(value) },
              { title: t("versions.entered"), dataIndex: "entered", align: "right", render: (value: number, version) => open(version, "entered")(value) },
              { title: t("versions.left"), dataIndex: "left", align: "right", render: (value: number, version) => open(version, "left")(value) },
              { title: t("versions.took"), dataIndex: "took_ms", align: "right", render: (ms: number) => t("versions.ms", { ms: integer(ms) }) },
            ]}
          />
        ) : (
          <Empty title={t("versions.empty")} />
        )
      }
    </Loaded>
  );
}

export function Members({ id, which }: { id: string; which: Which }) {
  const { t } = useTranslation("audiences");
  const query = useMembers(id, which, true);
  if (query.isPending) return <Skeleton active title={false} paragraph={{ rows: 6 }} />;
  if (query.isError && !query.data) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  const people = query.data.pages.flatMap((page) => page.items);
  const total = query.data.pages[0]?.total ?? people.length;
  const kind = which.change ?? (which.version ? "version" : "current");
  return (
    <>
      <p className="faint" style={{ marginTop: 0 }} data-testid="members-total">
        {t(`people.${kind}`, { total: integer(total), version: which.version ?? 0 })}
      </p>
      {people.length ? <PeopleTable people={people} /> : <Empty title={t("people.empty")} />}
      {query.hasNextPage ? (
        <div className="more">
          <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t("people.more")}
          </Button>
        </div>
      ) : null}
    </>
  );
}
