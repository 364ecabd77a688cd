import { describe, expect, it } from "vitest";
import { sorted, turned, type Column } from "@/shared/table";

interface Row {
  name: string;
  size: number;
}

const rows: Row[] = [
  { name: "b", size: 2 },
  { name: "a", size: 1 },
  { name: "c", size: 2 },
];
const columns: Column<Row>[] = [
  { title: "name", dataIndex: "name" },
  { title: "size", dataIndex: "size", sorter: (one, other) => one.size - other.size },
];
const names = (sorting: { column: string; down: boolean } | null) => sorted(rows, columns, sorting).map((row) => row.name).join("");

describe("sorting a table", () => {
  it("turns a head downwards, then upwards, then back to the order that came", () => {
    const first = turned(null, "size");
    const second = turned(first, "size");
    expect([first, second, turned(second, "size")]).toEqual([{ column: "size", down: true }, { column: "size", down: false }, null]);
    expect(turned(second, "name")).toEqual({ column: "name", down: true });
  });
  it("keeps the order of equal rows and leaves the list itself alone", () => {
    expect([names({ column: "size", down: true }), names({ column: "size", down: false }), names(null)]).toEqual(["bca", "abc", "bac"]);
    expect(rows.map((row) => row.name).join("")).toBe("bac");
  });
  it("does not sort by a column that has no order", () => {
    expect(names({ column: "name", down: true })).toBe("bac");
  });
});
