"""The demonstration's import: a member export as a till system writes it, mapped by the ready mapping, with bad rows.

The file is made from the demonstration's members; how it comes in is in `demo_files.py`.
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.app.connectors import Customer
from quanyu.cli.demo_files import MadeFile, import_made
from quanyu.kernel.label import Label

SOURCE = "demo_member_file"
_MADE = MadeFile(
    source=SOURCE,
    name=Label("会员导出（演示生成）", "Member export (made for the demo)"),
    file=Label("会员导出.csv", "member export.csv"),
    mapping="members",
)
_HEADER = ("会员卡号", "手机号", "姓名", "性别", "生日", "积分", "注册时间")
_ROWS = 120


def import_members(product: Product, caller: Caller, customers: list[Customer]) -> None:
    """Import the file to its end, once; the log holds it afterwards."""
    import_made(product, caller, _MADE, lambda: member_file(customers))


def member_file(customers: list[Customer]) -> bytes:
    """The export in GBK, as such systems write it: members with a phone, and five rows that are wrong."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    members = [one for one in customers if one.phone][:_ROWS]
    for number, member in enumerate(members):
        joined = date(2019, 1, 1) + timedelta(days=13 * number)
        born = date(1965, 3, 1) + timedelta(days=173 * number % 12_000)
        gender = ("女", "男", "未知")[number % 3]
        points = str(number * 97 % 5000)
        row = [str(member.household_id), member.phone or "", member.name, gender, born.isoformat(), points]
        row.append(f"{joined:%Y/%m/%d} 10:30")
        _spoil(number, row)
        writer.writerow(row)
    return text.getvalue().encode("gbk")


def _spoil(number: int, row: list[str]) -> None:
    """Five rows are wrong: no card, no such month, points in words, no such gender, a cell too many."""
    if number == 17:
        row[0] = ""
    elif number == 38:
        row[6] = "2020/13/05 10:30"
    elif number == 59:
        row[5] = "一千二"
    elif number == 80:
        row[3] = "女士"
    elif number == 101:
        row.append("备注：重复发卡")
