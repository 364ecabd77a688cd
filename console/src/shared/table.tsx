// A table of rows: columns, a skeleton while loading, rows that unfold. Plain HTML, so that a list page stays light;
// it takes the part of antd's Table props that lists here use.
import { DownOutlined, RightOutlined } from "@ant-design/icons";
import { Fragment, useState, type Key, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import "./table.css";

export interface Column<R> {
  title: ReactNode;
  key?: string;
  dataIndex?: keyof R & string;
  align?: "left" | "right";
  width?: number | string;
  // Each column knows the type of its own cell; a list of columns cannot.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  render?: (value: any, row: R, index: number) => ReactNode;
}

interface Props<R> {
  columns: Column<R>[];
  dataSource: readonly R[];
  rowKey: (keyof R & string) | ((row: R) => Key);
  size?: "small" | "middle";
  loading?: boolean;
  label?: string;
  emptyText?: ReactNode;
  /** The least width before the table scrolls sideways inside its frame. */
  minWidth?: number;
  unfold?: (row: R) => ReactNode;
  onRow?: (row: R) => void;
}

export function Table<R extends object>({ columns, dataSource, rowKey, size = "middle", loading, label, emptyText, minWidth, unfold, onRow }: Props<R>) {
  const { t } = useTranslation("shell");
  const [unfolded, setUnfolded] = useState<ReadonlySet<Key>>(new Set());
  const keyOf = (row: R): Key => (typeof rowKey === "function" ? rowKey(row) : (row[rowKey] as Key));
  const toggle = (key: Key) =>
    setUnfolded((old) => {
      const next = new Set(old);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  return (
    <div className="list-frame" tabIndex={0} role="region" aria-label={label ?? t("table")} aria-busy={loading}>
      <table className={`list list-${size}${loading ? " list-loading" : ""}`} style={{ minWidth }}>
        <thead>
          <tr>
            {unfold ? <th className="list-fold" aria-label={t("actions.unfold")} /> : null}
            {columns.map((column, i) => (
              <th key={column.key ?? column.dataIndex ?? i} scope="col" style={{ textAlign: column.align, width: column.width }}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {dataSource.map((row, index) => {
            const key = keyOf(row);
            const open = unfolded.has(key);
            return (
              <Fragment key={key}>
                <tr onClick={onRow ? () => onRow(row) : undefined} className={onRow ? "list-click" : undefined}>
                  {unfold ? (
                    <td className="list-fold">
                      <button type="button" aria-expanded={open} aria-label={t("actions.unfold")} onClick={() => toggle(key)}>
                        {open ? <DownOutlined aria-hidden /> : <RightOutlined aria-hidden />}
                      </button>
                    </td>
                  ) : null}
                  {columns.map((column, i) => {
                    const value: unknown = column.dataIndex ? row[column.dataIndex] : undefined;
                    return (
                      <td key={column.key ?? column.dataIndex ?? i} style={{ textAlign: column.align }}>
                        {column.render ? column.render(value, row, index) : (value as ReactNode)}
                      </td>
                    );
                  })}
                </tr>
                {unfold && open ? (
                  <tr className="list-unfolded">
                    <td colSpan={columns.length + 1}>{unfold(row)}</td>
                  </tr>
                ) : null}
              </Fragment>
            );
          })}
          {dataSource.length || loading ? null : (
            <tr>
              <td colSpan={columns.length + (unfold ? 1 : 0)} className="list-empty">
                {emptyText ?? t("states.empty")}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
