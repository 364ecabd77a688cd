// A table of rows: columns, sorting by a click on a head, rows that unfold. Plain HTML, so that a list page stays light;
// it takes the part of antd's Table props that lists here use. Where its frame is narrow, each row becomes a card.
import { CaretDownOutlined, CaretUpOutlined, DownOutlined, RightOutlined } from "@ant-design/icons";
import { Fragment, useMemo, useState, type Key, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import "./table.css";

export interface Column<R> {
  title: ReactNode;
  key?: string;
  dataIndex?: keyof R & string;
  align?: "left" | "right";
  width?: number | string;
  /** The order of the rows by this column, smallest first; its head then sorts. */
  sorter?: (one: R, other: R) => number;
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

interface Sorting {
  column: string;
  down: boolean;
}

const nameOf = <R,>(column: Column<R>, index: number): string => column.key ?? column.dataIndex ?? String(index);

/** A head pressed once sorts downwards, twice upwards, a third time leaves the order that the list came in. */
export function turned(now: Sorting | null, column: string): Sorting | null {
  if (now?.column !== column) return { column, down: true };
  return now.down ? { column, down: false } : null;
}

/** The rows in the order that is asked for; equal ones keep the order that they came in. */
export function sorted<R>(rows: readonly R[], columns: Column<R>[], sorting: Sorting | null): readonly R[] {
  const order = sorting ? columns.find((column, i) => nameOf(column, i) === sorting.column)?.sorter : undefined;
  if (!order || !sorting) return rows;
  return [...rows].sort((one, other) => (sorting.down ? order(other, one) : order(one, other)));
}

export function Table<R extends object>({ columns, dataSource, rowKey, size = "middle", loading, label, emptyText, minWidth, unfold, onRow }: Props<R>) {
  const { t } = useTranslation("shell");
  const [unfolded, setUnfolded] = useState<ReadonlySet<Key>>(new Set());
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const rows = useMemo(() => sorted(dataSource, columns, sorting), [dataSource, columns, sorting]);
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
            {unfold ? <td className="list-fold" /> : null}
            {columns.map((column, i) =>
              column.title === "" ? (
                <td key={nameOf(column, i)} style={{ width: column.width }} />
              ) : (
                <th key={nameOf(column, i)} scope="col" style={{ textAlign: column.align, width: column.width }} aria-sort={column.sorter ? (sorting?.column !== nameOf(column, i) ? "none" : sorting.down ? "descending" : "ascending") : undefined}>
                  {column.sorter ? (
                    <button type="button" className="list-sort" onClick={() => setSorting(turned(sorting, nameOf(column, i)))}>
                      {column.title}
                      <span aria-hidden>
                        <CaretUpOutlined className={sorting?.column === nameOf(column, i) && !sorting.down ? "on" : undefined} />
                        <CaretDownOutlined className={sorting?.column === nameOf(column, i) && sorting.down ? "on" : undefined} />
                      </span>
                    </button>
                  ) : (
                    column.title
                  )}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => {
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
                      <td key={nameOf(column, i)} style={{ textAlign: column.align }} data-label={typeof column.title === "string" ? column.title : undefined}>
                        <div>{column.render ? column.render(value, row, index) : (value as ReactNode)}</div>
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
