// Which column is what: one row per column of the file, with what its cells look like and its roles; and the document itself.
import { App, Button, Input, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Column, Document } from "@/features/imports/api";
import { ROLES, rolesOf, withRoles, type Target } from "@/features/imports/model";
import { integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { Table } from "@/shared/table";

export function ColumnTable({ columns, mapping, change }: { columns: Column[]; mapping: Document; change: (next: Document) => void }) {
  const { t } = useTranslation("imports");
  const there = columns.map((column) => column.name);
  const roles = rolesOf(mapping, there);
  const options = (ROLES[mapping["target"] as Target] ?? []).map((value) => ({ value, label: t(`roles.${value}`) }));
  return (
    <>
      <Table
        size="small"
        rowKey="name"
        label={t("map")}
        dataSource={columns}
        columns={[
          { title: t("column"), dataIndex: "name", render: (name: string) => <strong>{name}</strong> },
          {
            title: t("looks"),
            dataIndex: "looks_like",
            render: (kind: string, row) => (
              <>
                <Pill tone={kind === "masked" ? "warn" : kind === "empty" ? "calm" : "info"}>{t(`kinds.${kind}`)}</Pill>
                {row.empty ? <small className="faint"> {t("emptyCells", { n: integer(row.empty) })}</small> : null}
              </>
            ),
          },
          { title: t("sample"), dataIndex: "sample", render: (sample: string[]) => <span className="sample">{sample.slice(0, 3).join(" · ")}</span> },
          {
            title: t("is"),
            key: "roles",
            render: (_: unknown, row) => (
              <Select
                mode="multiple"
                className="roles"
                aria-label={`${row.name}: ${t("is")}`}
                placeholder={t("ignored")}
                value={roles[row.name] ?? []}
                options={options}
                onChange={(wanted: string[]) => change(withRoles(mapping, there, row.name, wanted))}
              />
            ),
          },
        ]}
      />
      <Raw key={JSON.stringify(mapping)} mapping={mapping} change={change} />
    </>
  );
}

/** The document as text: everything that the table cannot say (filters, translations of values, consent, time formats). */
function Raw({ mapping, change }: { mapping: Document; change: (next: Document) => void }) {
  const { t } = useTranslation("imports");
  const { message } = App.useApp();
  const [text, setText] = useState(() => JSON.stringify(mapping, null, 2));
  const use = () => {
    try {
      change(JSON.parse(text) as Document);
    } catch (error) {
      void message.error(t("notJson", { why: String(error) }));
    }
  };
  return (
    <details className="raw">
      <summary>{t("advanced")}</summary>
      <p className="faint">{t("advancedHint")}</p>
      <Input.TextArea aria-label={t("advanced")} autoSize={{ minRows: 6, maxRows: 24 }} value={text} onChange={(event) => setText(event.target.value)} />
      <Button onClick={use}>{t("use")}</Button>
    </details>
  );
}
