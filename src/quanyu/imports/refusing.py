"""Why bytes cannot be read as a table, in words that say what, where and how to mend. Reading is in `reading.py`."""

from __future__ import annotations

from quanyu.events.api import mask
from quanyu.kernel.label import Label

_EXCERPT = 40

# How files begin that are often taken for a table.
_KNOWN: tuple[tuple[bytes, Label], ...] = (
    (b"\x89PNG\r\n\x1a\n", Label("一张图片（PNG）", "a picture (PNG)")),
    (b"\xff\xd8\xff", Label("一张图片（JPEG）", "a picture (JPEG)")),
    (b"GIF8", Label("一张图片（GIF）", "a picture (GIF)")),
    (b"BM", Label("一张图片（BMP）", "a picture (BMP)")),
    (b"RIFF", Label("图片或音视频（RIFF）", "a picture, sound or film (RIFF)")),
    (b"%PDF", Label("PDF 文件", "a PDF")),
    (b"\x1f\x8b", Label("压缩文件（gzip）", "a compressed file (gzip)")),
    (b"Rar!", Label("压缩文件（RAR）", "a compressed file (RAR)")),
    (b"7z\xbc\xaf", Label("压缩文件（7z）", "a compressed file (7z)")),
    (b"\x7fELF", Label("程序文件", "a program")),
    (b"MZ", Label("程序文件", "a program")),
)
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_MOST_CONTROLS = 0.01  # the share of them that no text has
_LOOKED_AT = 100_000


def no_table(data: bytes) -> Label | None:
    """What the bytes are instead of a table; None when they may be one. UTF-16 is not asked for here."""
    for begin, what in _KNOWN:
        if data.startswith(begin) and (len(begin) > 2 or b"\0" in data[:64]):
            return _instead(what)
    head = data[:_LOOKED_AT]
    if len(head) - len(head.translate(None, _CONTROLS)) > _MOST_CONTROLS * len(head):
        return _instead(Label("二进制文件", "binary"))
    return None


def _instead(what: Label) -> Label:
    return Label(
        f"内容是{what.zh}，不是表格；请选择 CSV、Excel、Parquet 或 NDJSON 文件，压缩的先解压",
        f"It is {what.en}, not a table; choose a CSV, Excel, Parquet or NDJSON file, and unpack a compressed one first",
    )


def undecodable(data: bytes, encoding: str, at: int, *, beside: str | None = None) -> Label:
    """Which line holds a byte that is no character of the encoding (nor of `beside`), and what to do.

    What stands before it is told masked: it may be a phone.
    """
    line = data.count(b"\n", 0, at) + 1
    begin = data.rfind(b"\n", 0, at) + 1
    before = mask(data[begin:at].decode(encoding, "replace").strip().lstrip("\ufeff"))[-_EXCERPT:]
    shown = encoding.upper()
    neither = Label(f"既不是 {beside} 也不是 {shown}", f"neither {beside} nor {shown}")
    what = neither if beside else Label(f"不是 {shown}", f"no {shown}")
    after = Label(f"「{before}」之后", f", after “{before}”") if before else Label("的开头", ", at its beginning")
    byte = data[at : at + 1].hex().upper()
    return Label(
        f"第 {line} 行{after.zh}有{what.zh} 的字符（字节 {byte}），文件可能被截断或混用了两种编码；"
        "请从原系统重新导出，或用 Excel、WPS 打开后另存为「CSV UTF-8」",
        f"Line {line}{after.en}, holds what is {what.en} (byte {byte}): the file was cut off"
        " or mixes two encodings. Export it again, or open it in a spreadsheet and save it as CSV UTF-8",
    )


def broken(kind: str, error: Exception) -> Label:
    """A file of a known kind that its reader refuses."""
    return _BROKEN[kind](str(error).splitlines()[0][:300] if str(error) else type(error).__name__)


_BROKEN = {
    "csv": lambda said: Label(
        "CSV 的写法读不懂：多半是引号没有成对，或分隔符、表头所在行不对；请检查后重试，或另存为 Excel 再导入",
        f"It is not readable as CSV ({said}): look for a quotation mark without its pair, the delimiter and the"
        " header's line, or save it as a workbook",
    ),
    "excel": lambda said: Label(
        "工作簿打不开：可能有密码、已损坏或没有传完；请去掉密码，另存为 .xlsx 或 CSV 再导入",
        f"The workbook cannot be opened ({said}): it may have a password, be damaged or cut off. Save it again as .xlsx"
        " or CSV without a password",
    ),
    "parquet": lambda said: Label(
        "Parquet 文件已损坏或不完整；请从原系统重新导出",
        f"The Parquet file is damaged or cut off ({said}): export it again",
    ),
    "ndjson": lambda said: Label(
        "没有一行是 JSON 对象；每行应是一个 {…}，编码为 UTF-8",
        f"No line is a JSON object ({said}): each must be one {{…}}, in UTF-8",
    ),
}
