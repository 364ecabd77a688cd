"""Files of every kind become the same table of texts; what is in them is never guessed away."""

from __future__ import annotations

import asyncio
import io
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from quanyu.imports import cells
from quanyu.imports.looking import csv_of
from quanyu.imports.mapping import Reading
from quanyu.imports.reading import read
from quanyu.imports.sealing import SealedFiles
from quanyu.kernel.errors import Invalid, TooLarge
from quanyu.kernel.label import Label
from tests.unit.imports.conftest import chunks

ROWS = [{"订单号": "0012", "金额": "1,234.50"}, {"订单号": "0013", "金额": "-"}]


def workbook(sheets: dict[str, list[list[str | int | float]]]) -> bytes:
    """A workbook as spreadsheets write it, with inline texts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        names = list(sheets)
        parts.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        doc = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        parts.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r0" Type="{doc}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="{name}" sheetId="{i + 1}" r:id="r{i}"/>' for i, name in enumerate(names))
        parts.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{doc}"><sheets>{listed}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{i}" Type="{doc}/worksheet" Target="worksheets/s{i}.xml"/>' for i in range(len(names))
        )
        parts.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>')
        for i, rows in enumerate(sheets.values()):
            body = ""
            for number, row in enumerate(rows, 1):
                inner = "".join(
                    f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
                    if isinstance(cell, str)
                    else f'<c r="{chr(65 + place)}{number}"><v>{cell}</v></c>'
                    for place, cell in enumerate(row)
                )
                body += f'<row r="{number}">{inner}</row>'
            parts.writestr(
                f"xl/worksheets/s{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            )
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_csv_of_any_encoding_and_delimiter_reads_the_same(encoding: str, delimiter: str) -> None:
    lines = [delimiter.join(ROWS[0]), *(delimiter.join(f'"{cell}"' for cell in row.values()) for row in ROWS)]
    found = read("\r\n".join(lines).encode(encoding), "orders.csv")
    assert found.format == "csv"
    assert found.table.to_pylist() == ROWS
    assert found.reading.delimiter == delimiter


def test_a_cell_may_hold_line_breaks_and_a_ragged_row_is_named() -> None:
    found = read(b'a,b\n"x\ny",1\nonly\n2,3,4\n5,6\n', "f.csv")
    assert found.table.to_pylist() == [{"a": "x\ny", "b": "1"}, {"a": "5", "b": "6"}]
    assert [line for _, line in found.ragged] == ["only", "2,3,4"]


def test_the_header_may_stand_lower_and_columns_may_share_a_name() -> None:
    found = read("导出时间：2026-01-01\n\n订单,金额,金额,\nA,1,2,3\n".encode(), "f.csv", Reading(header_row=3))
    assert found.table.to_pylist() == [{"订单": "A", "金额": "1", "金额_2": "2", "列4": "3"}]


def test_excel_keeps_texts_whole_numbers_and_sheets() -> None:
    data = workbook({"订单": [["订单号", "金额", "件数"], ["0012", 12.5, 3], ["0013", 7, 1]], "说明": [["x"], ["y"]]})
    found = read(data, "orders.xlsx")
    assert (found.format, found.sheets) == ("excel", ("订单", "说明"))
    assert found.table.to_pylist() == [
        {"订单号": "0012", "金额": "12.5", "件数": "3"},
        {"订单号": "0013", "金额": "7", "件数": "1"},
    ]
    assert read(data, "orders.xlsx", Reading(sheet="说明")).table.to_pylist() == [{"x": "y"}]
    with pytest.raises(Invalid, match="no sheet"):
        read(data, "orders.xlsx", Reading(sheet="没有"))


def test_parquet_and_ndjson_flatten_what_is_inside() -> None:
    out = io.BytesIO()
    at = datetime(2026, 3, 1, 4, tzinfo=UTC)
    pq.write_table(pa.table({"at": [at], "amount": [Decimal("12.30")], "n": [3.0], "buyer": [{"phone": "1"}]}), out)
    (row,) = read(out.getvalue(), "x").table.to_pylist()
    assert row == {"at": "2026-03-01T04:00:00.000000Z", "amount": "12.30", "n": "3", "buyer.phone": "1"}
    lines = b'{"id":1,"buyer":{"phone":"1"}}\n{"id":"x","tags":["a"]}\nnot json\n'
    found = read(lines, "x.ndjson")
    assert found.table.to_pylist() == [
        {"id": "1", "buyer.phone": "1", "tags": None},
        {"id": "x", "buyer.phone": None, "tags": '["a"]'},
    ]
    assert found.ragged == ((3, "not json"),)


def refusal(data: bytes) -> str | None:
    """The code with which bytes are refused; None where they are a table."""
    try:
        read(data, "f.csv")
    except Invalid as error:
        return error.code
    return None


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0", b"PAR1 cut off", b"PK\x03\x04 no workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_what_is_no_table_is_refused_in_words(data: bytes) -> None:
    assert refusal(data) == "import_file_unreadable"


def refused(data: bytes, reading: Reading | None = None) -> Label:
    """What is said of bytes that are refused."""
    with pytest.raises(Invalid) as caught:
        read(data, "f.csv", reading)
    assert caught.value.detail is not None
    return caught.value.detail


def test_a_byte_that_is_no_character_is_named_with_its_line() -> None:
    text = "订单号,手机,备注\nA1,13900001111,好的\n".encode()
    cut = refused(text[:-2])
    assert cut.zh.startswith("第 2 行「A1,[phone],好」之后有不是 UTF-8 的字符（字节 E7）")
    assert "CSV UTF-8" in cut.zh
    assert cut.en.startswith("Line 2, after “A1,[phone],好”, holds what is no UTF-8 (byte E7)")
    assert "13900001111" not in cut.zh + cut.en
    assert refused(b"id,name\n1,caf\xe9,\n").zh.startswith("第 2 行「1,caf」之后有既不是 UTF-8 也不是 GB18030 的字符")
    assert refused("a,b\n1,中\n".encode(), Reading(encoding="ascii")).en.startswith("Line 2, after “1,”")


def test_a_damaged_utf8_is_not_read_as_another_encoding() -> None:
    """GB18030 would take these bytes: as characters that nobody wrote."""
    broken = ("名称,备注\n" + "苹果,好的\n" * 50).encode().replace("好的".encode(), "好的".encode() + b"\xe5\xa5", 1)
    assert broken.decode("gb18030")
    assert "不是 UTF-8" in refused(broken).zh


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "一张图片（PNG）"),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)), "一张图片（JPEG）"),
        (b"\x1f\x8b\x08" + bytes(99), "压缩文件（gzip）"),
        (b"%PDF-1.7\nx", "PDF 文件"),
        (bytes(range(256)) * 9, "二进制文件"),
    ],
)
def test_a_picture_called_csv_is_called_a_picture(data: bytes, what: str) -> None:
    assert refused(data).zh.startswith(f"内容是{what}，不是表格")


def test_a_table_may_begin_like_a_picture() -> None:
    assert read(b"BMW,MZ\n1,2\n", "cars.csv").table.column_names == ["BMW", "MZ"]


def test_a_header_alone_is_a_table_without_rows() -> None:
    found = read("订单号,金额".encode(), "f.csv").table
    assert (found.column_names, found.num_rows) == (["订单号", "金额"], 0)


def test_too_many_columns_say_how_many() -> None:
    assert refused(",".join(f"c{i}" for i in range(1_200)).encode()).zh.startswith("有 1,200 列，最多 1,000 列")


def test_lines_without_one_object_are_refused() -> None:
    assert "没有一行是 JSON 对象" in refused(b"{nope\n{no\n").zh


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_never_a_crash(data: bytes) -> None:
    assert refusal(data) in (None, "import_file_unreadable")


def test_times_are_recognised_as_exports_write_them() -> None:
    texts = [
        "2026-03-01 12:00:00", "2026/3/1 12:00", "2026年3月1日 12时00分", "20260301120000", "2026-03-01T12:00:00+08:00",
        "2026-03-01T04:00:00Z", "1772337600", "1772337600000", '="2026-03-01 12:00"', "2026.03.01 12:00:00.000",
    ]  # fmt: skip
    at, wrong = cells.instants(cells.tidy(pa.array(texts)), "Asia/Shanghai")
    assert set(at.to_pylist()) == {1772337600000000}
    assert not wrong.any()
    _, wrong = cells.instants(pa.array(["2026-02-30", "昨天", "2026-13-01", None]), "Asia/Shanghai")
    assert wrong.tolist() == [True, True, True, False]
    at, _ = cells.instants(pa.array(["03/01/2026"]), "UTC", "%m/%d/%Y")
    assert at.to_pylist() == [1772323200000000]


@given(st.decimals(-(10**9), 10**9, places=2))
def test_money_is_exact(amount: Decimal) -> None:
    for text in (f"{amount}", f"¥{amount:,}", f" {amount}元"):
        cents, wrong = cells.money(cells.tidy(pa.array([text])), "yuan")
        assert (cents.to_pylist(), wrong.tolist()) == ([int(amount * 100)], [False])


def test_masked_and_virtual_values_are_known_as_such() -> None:
    given = ["138****1234", "林**", "18412345678-2311", "xxx", "13800001111", "x-men", None]
    assert cells.masked(pa.array(given)).tolist() == [True, True, True, True, False, False, False]


def test_an_uploaded_file_lies_sealed_and_cannot_be_altered(tmp_path: Path) -> None:
    files, cipher = SealedFiles(tmp_path, 5_000_000), AESGCM(bytes(32))
    data = b"13800000001," * 200_000
    name, size = asyncio.run(files.take(cipher, chunks(data, 70_000)))
    assert (size, files.open(cipher, name)) == (len(data), data)
    stored = (tmp_path / name).read_bytes()
    assert b"13800000001" not in stored
    first = 4 + int.from_bytes(stored[:4], "big")
    for altered in (stored[:-1] + b"\0", stored[:first], stored[first:] + stored[:first], b""):
        (tmp_path / name).write_bytes(altered)
        with pytest.raises(Invalid):
            files.open(cipher, name)
    with pytest.raises(TooLarge):
        asyncio.run(SealedFiles(tmp_path, 1000).take(cipher, chunks(data, 700)))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_download_runs_no_formula() -> None:
    from quanyu.events.contracts import RefusedRow

    row = RefusedRow(0, "row_time_unreadable", "at", "x", {"at": '=HYPERLINK("x")', "amount": "-5", "note": "@sum"})
    text = csv_of([row], "en", clear=True)
    assert '"\'=HYPERLINK(""x"")"' in text
    assert '"-5"' in text
    assert '"\'@sum"' in text
