// A table of people, as every number that opens shows them. Names and phones are masked by the server.

import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { say } from "@/shared/api";
import { ago, integer, money } from "@/shared/format";
import { Pill } from "@/shared/pill";
import type { Schemas } from "@/shared/schema";
import { Table } from "@/shared/table";
import { MadeBadge } from "@/shared/ui";

export type Person = Schemas["PersonOut"];

export function PeopleTable({ people, loading }: { people: Person[]; loading?: boolean }) {
  const { t } = useTranslation("shell");
  return (
    <Table<Person>
      size="middle"
      rowKey="person_id"
      loading={loading}
      dataSource={people}
      minWidth={860}
      columns={[
        {
          title: t("people.name"),
          key: "name",
          render: (_, person) => (
            <span className="person-cell">
              <span className="avatar" aria-hidden>
                {person.name?.slice(0, 1) ?? "–"}
              </span>
              <span>
                <Link to={`/people/${person.person_id}`}>{person.name ?? t("people.unnamed")}</Link>
                <small className="faint">{person.phone ?? person.person_id.slice(0, 12)}</small>
              </span>
              {person.made ? <MadeBadge /> : null}
            </span>
          ),
        },
        { title: t("people.store"), key: "store", render: (_, person) => say(person.home_store?.name) || "–" },
        { title: t("people.guide"), dataIndex: "owner_staff", render: (value: string | null) => value ?? "–" },
        {
          title: t("people.tags"),
          key: "tags",
          render: (_, person) => (
            <span style={{ display: "flex", flexWrap: "wrap", gap: 4 }}>
              {person.tags.map((tag) => (
                <Pill key={tag.tag_id}>{say(tag.name)}</Pill>
              ))}
            </span>
          ),
        },
        { title: t("people.identifiers"), dataIndex: "identifiers", align: "right", render: integer },
        { title: t("people.orders"), dataIndex: "orders", align: "right", render: integer },
        {
          title: t("people.amount"),
          key: "amount",
          align: "right",
          render: (_, person) => <span className="number">{money(person.amount, person.currency)}</span>,
        },
        { title: t("people.seen"), dataIndex: "last_seen_at", render: ago },
      ]}
    />
  );
}
