"""Reading files: CSV, Excel, Parquet and NDJSON as a table of text columns.

Everything becomes text: what a cell means is the mapping's to say, and an order number must not lose its zeros to a
guess. Encoding, delimiter and kind are found out from the bytes; the file's name counts for nothing but its ending.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from python_calamine import CalamineError, CalamineWorkbook

from quanyu.imports.errors import file_unreadable
from quanyu.imports.mapping import Reading
from quanyu.imports.refusing import broken, no_table, undecodable
from quanyu.kernel.label import Label

Format = Literal["csv", "excel", "parquet", "ndjson"]
_SAMPLE = 200_000
_DELIMITERS = ",\t;|"
_MOST_COLUMNS = 1_000
_MOST_UNPACKED = 1_000_000_000
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Read:
    """A file as a table, how it was read, and the lines whose cells are more or fewer than the header's.

    `lines` are the lines of the file (from 1) on which the rows of the table begin; without, row 0 is on the second.
    """

    table: pa.Table
    format: Format
    reading: Reading
    sheets: tuple[str, ...] = ()
    ragged: tuple[tuple[int, str], ...] = ()
    lines: npt.NDArray[np.int64] | None = None

    def line(self, row: int) -> int:
        """The line of the file on which a row of the table begins."""
        return row + 2 if self.lines is None else int(self.lines[row])


def read(data: bytes, name: str, reading: Reading | None = None) -> Read:
    """The table in the bytes of a file called `name`. Raises Invalid with what is wrong with it."""
    reading = reading or Reading()
    if not data.strip(b"\0 \r\n\t"):
        raise file_unreadable(Label("文件是空的，请重新导出后再选", "The file is empty: export it again"))
    kind = format_of(data, name)
    if kind in ("csv", "ndjson") and data[:2] not in _UTF16 and (instead := no_table(data)):
        raise file_unreadable(instead)
    try:
        found = {"csv": _csv, "excel": _excel, "parquet": _parquet, "ndjson": _ndjson}[kind](data, reading)
    except (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        CalamineError,
        zipfile.BadZipFile,
        UnicodeError,
        ValueError,
        OSError,
    ) as error:
        raise file_unreadable(broken(kind, error)) from error
    if found.table.num_columns > _MOST_COLUMNS:
        raise file_unreadable(
            Label(
                f"有 {found.table.num_columns:,} 列，最多 {_MOST_COLUMNS:,} 列；请删去用不到的列，或检查分隔符",
                f"It has {found.table.num_columns:,} columns, at most {_MOST_COLUMNS:,} are taken: remove what is not"
                " needed, or see the delimiter",
            )
        )
    return replace(found, table=_named(found.table))


def format_of(data: bytes, name: str) -> Format:
    """What kind of file the bytes are."""
    if data[:4] == b"PAR1":
        return "parquet"
    if data[:4] == b"PK\x03\x04" or data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return "excel"
    if data.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" or name.lower().endswith((".ndjson", ".jsonl")):
        return "ndjson"
    return "csv"


def decoded(data: bytes, encoding: str | None) -> tuple[str, bytes]:
    """The encoding of a text, and the text in UTF-8. Raises Invalid, naming the line that is not in it.

    Left out, it is UTF-8 where the bytes are or mostly are that, UTF-16 by its mark, else the Chinese national encoding
    (which holds GBK and GB2312): that one reads much of a damaged UTF-8 as characters that nobody wrote.
    """
    guessing = encoding is None
    if encoding is None:
        encoding = "utf-16" if data[:2] in _UTF16 else "utf-8"
    try:
        if encoding != "utf-8":
            return encoding, data.decode(encoding).encode()
        data.decode()
    except UnicodeDecodeError as error:
        if not guessing or encoding != "utf-8" or _mostly_utf8(data, error.start):
            raise file_unreadable(undecodable(data, encoding, error.start)) from error
    else:
        return encoding, data
    try:
        return "gb18030", data.decode("gb18030").encode()
    except UnicodeDecodeError as error:
        raise file_unreadable(undecodable(data, "gb18030", error.start, beside="UTF-8")) from error


def _mostly_utf8(data: bytes, at: int) -> bool:
    """Whether what lies around a wrong byte is UTF-8 otherwise: in another encoding, hardly a character is."""
    around = data[max(0, at - _SAMPLE) : at + _SAMPLE].decode("utf-8", "replace")
    wrong = around.count("\ufffd")
    return len(around) - len(around.encode("ascii", "ignore")) > 3 * wrong


def texts(table: pa.Table) -> pa.Table:
    """A typed table as text columns: instants in ISO form with their offset, structs as `outer.inner`."""
    while any(pa.types.is_struct(column.type) for column in table.schema):
        table = table.flatten()
    return pa.table({field.name: _text(table.column(i)) for i, field in enumerate(table.schema)})


def _csv(data: bytes, reading: Reading) -> Read:
    encoding, text = decoded(data, reading.encoding)
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"")
    if b"\n" not in text:
        text += b"\n"  # a header and nothing else
    lines = text[:_SAMPLE].split(b"\n", reading.header_row + 1)
    header = lines[min(reading.header_row, len(lines)) - 1].decode("utf-8", "replace")
    delimiter = reading.delimiter or max(_DELIMITERS, key=lambda mark: (header.count(mark), -_DELIMITERS.index(mark)))
    ragged: list[tuple[int, str]] = []

    def note(row: Any) -> str:
        if row.text.strip(" \t\r\n" + delimiter):
            ragged.append((row.number or 0, row.text[:500]))  # numbered anew below
        return "skip"

    options = {
        "read_options": pa.csv.ReadOptions(use_threads=False, skip_rows=reading.header_row - 1, block_size=1 << 24),
        "parse_options": pa.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note, ignore_empty_lines=True
        ),
    }
    names = pa.csv.open_csv(io.BytesIO(text), **options).schema.names if text else []
    types = dict.fromkeys(names, pa.string())
    ragged.clear()
    table = pa.csv.read_csv(
        io.BytesIO(text),
        convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        **options,
    )
    taken = Reading(encoding=encoding, delimiter=delimiter, header_row=reading.header_row)
    if not ragged and _lines_in(text) == reading.header_row + table.num_rows:
        return Read(table, "csv", taken, lines=np.arange(table.num_rows, dtype=np.int64) + reading.header_row + 1)
    begins, wrong = _csv_lines(text, delimiter, reading.header_row, table.num_columns)
    if len(begins) != table.num_rows or len(wrong) != len(ragged):  # quoted in a way that only Arrow understands
        return Read(table, "csv", taken, ragged=tuple(ragged))
    numbered = tuple((line, raw) for line, (_, raw) in zip(wrong, ragged, strict=True))
    return Read(table, "csv", taken, ragged=numbered, lines=np.array(begins, np.int64))


def _lines_in(text: bytes) -> int:
    return text.count(b"\n") + (not text.endswith(b"\n"))


def _csv_lines(text: bytes, delimiter: str, header_row: int, columns: int) -> tuple[list[int], list[int]]:
    """On which lines the rows begin, and those with too many or too few cells; a quoted cell may hold line breaks."""
    file = io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="")
    for _ in range(header_row - 1):
        file.readline()
    begins: list[int] = []
    wrong: list[int] = []
    reader = csv.reader(file, delimiter=delimiter)
    line = header_row
    try:
        for record in reader:
            if len(record) == columns:
                begins.append(line)
            elif any(cell.strip() for cell in record):
                wrong.append(line)
            line = header_row + reader.line_num
    except csv.Error:  # a cell longer than the module takes
        return [], []
    return begins[1:], wrong  # the first is the header


def _excel(data: bytes, reading: Reading) -> Read:
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(part.file_size for part in parts.infolist()) > _MOST_UNPACKED:
                raise file_unreadable(
                    Label("表格解压后过大，请另存为 CSV 再导入", "Unpacked, the workbook is too large: save it as CSV")
                )
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    sheets = tuple(book.sheet_names)
    sheet = reading.sheet or next((one for one in sheets), "")
    if sheet not in sheets:
        raise file_unreadable(Label(f"没有工作表 {sheet}", f"There is no sheet {sheet}"))
    cells = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)[reading.header_row - 1 :]
    if not cells:
        raise file_unreadable(Label(f"工作表 {sheet} 是空的", f"The sheet {sheet} is empty"))
    names = [_cell(value) for value in cells[0]]
    filled = [
        (line, row) for line, row in enumerate(cells[1:], reading.header_row + 1) if any(one != "" for one in row)
    ]
    rows = [row for _, row in filled]
    columns = [pa.array([_cell(row[i]) for row in rows], pa.string()) for i in range(len(names))]
    kept = [i for i, name in enumerate(names) if name or any(columns[i].to_pylist())]
    table = pa.Table.from_arrays([columns[i] for i in kept], names=[names[i] for i in kept])
    lines = np.array([line for line, _ in filled], np.int64)
    return Read(table, "excel", Reading(sheet=sheet, header_row=reading.header_row), sheets, lines=lines)


def _cell(value: Any) -> str:
    """A cell as text: whole numbers without a point, times in ISO form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e18 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | clock_time | timedelta):
        return str(value)
    return str(value).strip()


def _parquet(data: bytes, _: Reading) -> Read:
    return Read(texts(pa.parquet.read_table(pa.BufferReader(data))), "parquet", Reading())


def _ndjson(data: bytes, _: Reading) -> Read:
    text = data.removeprefix(b"\xef\xbb\xbf")
    try:
        table = pa.json.read_json(
            io.BytesIO(text),
            parse_options=pa.json.ParseOptions(newlines_in_values=False, unexpected_field_behavior="infer"),
        )
        lines = np.arange(table.num_rows, dtype=np.int64) + 1
        if _lines_in(text) != table.num_rows:
            filled = (number for number, line in enumerate(text.split(b"\n"), 1) if line.strip())
            lines = np.fromiter(filled, np.int64)
        return Read(texts(table), "ndjson", Reading(), lines=lines)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _ndjson_line_by_line(text)


def _ndjson_line_by_line(text: bytes) -> Read:
    """Lines that are no JSON, or in which a field has another type than in the line before: slower, and forgiving."""
    rows: list[dict[str, str | None]] = []
    ragged: list[tuple[int, str]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            given = msgspec.json.decode(line)
            if not isinstance(given, dict):
                raise msgspec.DecodeError("no object")
            rows.append(flat(given))
            lines.append(number)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            ragged.append((number, line[:500].decode("utf-8", "replace")))
    if not rows:
        raise file_unreadable(broken("ndjson", ValueError(f"{len(ragged):,} lines")))
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    return Read(table, "ndjson", Reading(), (), tuple(ragged), np.array(lines, np.int64))


def flat(given: dict[str, Any], prefix: str = "") -> dict[str, str | None]:
    """A JSON object as text by path: `{"a": {"b": 1}}` is `{"a.b": "1"}`; lists stay JSON."""
    out: dict[str, str | None] = {}
    for name, value in given.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            out.update(flat(value, f"{path}."))
        elif value is None or isinstance(value, str):
            out[path] = value
        elif isinstance(value, float):
            out[path] = _cell(value)
        else:
            out[path] = msgspec.json.encode(value).decode()
    return out


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind):
        form = "%Y-%m-%d %H:%M:%S" if kind.tz is None else "%Y-%m-%dT%H:%M:%SZ"
        return pc.strftime(column.cast(pa.timestamp("us", tz=None if kind.tz is None else "UTC")), format=form)
    if pa.types.is_nested(kind):
        values = [None if value is None else msgspec.json.encode(value).decode() for value in column.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.string())])
    if pa.types.is_null(kind):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.chunked_array([pa.array([None if v is None else v.hex() for v in column.to_pylist()], pa.string())])
    if pa.types.is_floating(kind):
        return pc.replace_substring_regex(column.cast(pa.string()), r"\.0$", "")
    return column.cast(pa.string())


def _named(table: pa.Table) -> pa.Table:
    """Column names trimmed, none empty, none twice (`金额`, `金额_2`)."""
    names: list[str] = []
    for place, raw in enumerate(table.column_names):
        name = raw.strip(" \t\r\n\ufeff\u00a0\"'") or f"列{place + 1}"
        base, serial = name, 1
        while name in names:
            serial += 1
            name = f"{base}_{serial}"
        names.append(name)
    return table.rename_columns(names).combine_chunks()
