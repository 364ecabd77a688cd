# ruff: noqa: E501 - the heads of files stand here as they are
"""Ready mappings: each recognises the export that it is for, by the columns that the export really has."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from quanyu.imports.applying import Applied, apply
from quanyu.imports.looking import inspect
from quanyu.imports.reading import Read, read
from quanyu.imports.suggesting import ready, suggest

ZONE = "Asia/Shanghai"

# Heads of the exports as merchants download them; where they are known from stands in each ready mapping.
TMALL_ORDERS = (
    "订单编号,买家会员名,买家支付宝账号,买家应付货款,买家应付邮费,买家支付积分,总金额,返点积分,买家实际支付金额,买家实际支付积分,订单状态,"
    "买家留言,收货人姓名,收货地址 ,运送方式,联系电话 ,联系手机,订单创建时间,订单付款时间 ,宝贝标题 ,宝贝种类 ,物流单号 ,物流公司,订单备注,"
    "宝贝总数量,店铺Id,店铺名称,订单关闭原因,卖家服务费,买家服务费,发票抬头,是否手机订单,分阶段订单信息,特权订金订单id,定金排名,修改后的sku,"
    "修改后的收货地址,异常信息,天猫卡券抵扣,集分宝抵扣,是否是O2O交易"
)
TMALL_LINES = (
    "子订单编号,主订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码,支付单号,买家应付货款,买家实际支付金额,"
    "退款状态,退款金额,订单创建时间,订单付款时间"
)
JD = (
    "订单号,商品ID,商品名称,订购数量,支付方式,下单时间,京东价,订单金额,结算金额,余额支付,应付金额,订单状态,订单类型,下单帐号,客户姓名,"
    "客户地址,联系电话,订单备注,发票类型,发票抬头,发票内容,商家备注,商家备注等级（等级1-5为由高到低）,运费金额,付款确认时间,增值税发票,货号,"
    "订单完成时间,订单来源,订单渠道,送装服务,服务费,仓库id,仓库名称"
)
YOUZAN = (
    "订单号,订单状态,订单创建时间,买家付款时间,交易成功时间,全部商品名称,商品种类数,订单商品总件数,运费,店铺优惠合计,商品金额合计,买家昵称,"
    "买家姓名,买家手机号,会员等级,买家是否会员,客户标签,买家备注,下单次数,收货人省份,收货人城市,收货人地区"
)
WEIMOB = (
    "订单编号,下单时间,订单状态,订单总金额,余额抵扣金额,实收金额,商品名称,商品数量,成本价,预约人/收货人姓名,预约人/收货人手机号,售后类型,"
    "售后状态,售后件数,退款金额"
)


def made(head: str, *rows: dict[str, str], encoding: str = "gb18030") -> Read:
    """A file with this head."""
    names = head.split(",")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        writer.writerow([row.get(name.strip(), "") for name in names])
    return read(out.getvalue().encode(encoding), "export.csv")


def taken(key: str, found: Read) -> tuple[Applied, list[dict[str, Any]]]:
    """What the ready mapping makes of a file that it must be suggested for before all others."""
    suggestions = suggest(inspect(found, ZONE).columns)
    assert suggestions[0].ready == key, [(one.ready, one.fits) for one in suggestions]
    applied = apply(ready()[key][2], found.table, time_zone=ZONE, now=0)
    return applied, applied.table.to_pylist()


def test_tmall_orders_never_link_on_a_masked_buyer() -> None:
    found = made(
        TMALL_ORDERS,
        {
            "订单编号": '="1930679858170647"',
            "买家会员名": "幸**",
            "买家实际支付金额": "598.00",
            "订单状态": "买家已付款，等待卖家发货",
            "联系手机": "'186****6065",
            "订单付款时间": "2026-01-23 22:02:11",
            "宝贝标题": "洗面奶",
            "宝贝总数量": "2",
        },
        {
            "订单编号": '="1930679858170648"',
            "买家会员名": "幸福蔓岩",
            "买家实际支付金额": "12.5",
            "订单状态": "交易成功",
            "联系手机": "'18412345678-2311",
            "订单付款时间": "2026-01-23 22:03:00",
        },
        {"订单编号": '="1930679858170649"', "买家会员名": "a", "订单状态": "交易关闭"},
    )
    assert found.reading.encoding == "gb18030"
    applied, rows = taken("tmall_orders", found)
    assert (applied.skipped, applied.masked, applied.bad) == (1, 3, [])
    assert [(row["key"], row["amount"], row["channel"]) for row in rows] == [
        ("order_paid:1930679858170647", 59800, "tmall"),
        ("order_paid:1930679858170648", 1250, "tmall"),
    ]
    assert rows[0]["raw_identifiers"] == []
    assert rows[1]["raw_identifiers"] == [{"namespace": "platform_buyer", "value": "幸福蔓岩@tmall"}]
    assert rows[0]["properties"] == '{"title":"洗面奶","quantity":2.0,"status":"买家已付款，等待卖家发货"}'


def test_tmall_lines_make_one_order_that_corrects_the_order_report() -> None:
    line = {"主订单编号": '="77"', "订单状态": "交易成功", "订单付款时间": "2026/1/23 22:02"}
    found = made(
        TMALL_LINES,
        {**line, "商家编码": "SKU-1", "价格": "10.00", "购买数量": "2", "买家实际支付金额": "19.00"},
        {**line, "商家编码": "SKU-2", "价格": "5.00", "购买数量": "1", "买家实际支付金额": "5.00"},
    )
    _, (row,) = taken("tmall_order_lines", found)
    assert (row["key"], row["amount"]) == ("order_paid:77", 2400)
    assert [(item["sku"], item["quantity"], item["unit_price"], item["amount"]) for item in row["items"]] == [
        ("SKU-1", 2.0, 1000, 1900),
        ("SKU-2", 1.0, 500, 500),
    ]
    assert ready()["tmall_orders"][1] == ready()["tmall_order_lines"][1] == "tmall"


def test_jd_orders_count_an_order_of_two_products_once() -> None:
    line = {
        "订单号": "288888888888",
        "下单时间": "2026-01-05 09:30:00",
        "订单金额": "118",
        "应付金额": "110.00",
        "订单状态": "完成",
        "下单帐号": "jd_4a****",
        "联系电话": "138****0000",
    }
    found = made(
        JD,
        {**line, "商品ID": "100", "货号": "H-1", "订购数量": "1", "京东价": "59.00"},
        {**line, "商品ID": "101", "货号": "", "订购数量": "1", "京东价": "59.00"},
        {**line, "订单号": "288888888889", "订单状态": "已取消"},
    )
    applied, (row,) = taken("jd_orders", found)
    assert (row["amount"], row["channel"], row["raw_identifiers"], applied.skipped) == (11000, "jd", [], 1)
    assert [item["sku"] for item in row["items"]] == ["H-1"]


def test_youzan_orders_bring_the_buyer_with_level_and_tags() -> None:
    found = made(
        YOUZAN,
        {
            "订单号": "E20260105093000012300001",
            "订单状态": "交易完成",
            "买家付款时间": "2026-01-05 09:30:00",
            "商品金额合计": "¥1,088.00",
            "买家手机号": "13800000001",
            "买家姓名": "王小明",
            "会员等级": "金卡",
            "客户标签": "高价值,复购",
        },
        encoding="utf-8-sig",
    )
    _, (row,) = taken("youzan_orders", found)
    assert (row["amount"], row["channel"]) == (108800, "mini_program")
    assert row["raw_identifiers"] == [{"namespace": "phone", "value": "13800000001"}]
    assert row["traits"] == (
        '{"set":{"name":"王小明","member_level":"金卡"},'
        '"tags":[{"group":"有赞标签","name":"高价值"},{"group":"有赞标签","name":"复购"}]}'
    )


def test_weimob_orders_with_merged_cells_are_one_order() -> None:
    found = made(
        WEIMOB,
        {
            "订单编号": "90001",
            "下单时间": "2026-01-05 09:30",
            "订单状态": "已完成",
            "实收金额": "30.00",
            "商品名称": "牛奶",
            "商品数量": "2",
            "预约人/收货人手机号": "13800000001",
        },
        {"商品名称": "面包", "商品数量": "1"},
    )
    _, (row,) = taken("weimob_orders", found)
    assert (row["order_id"], row["amount"]) == ("90001", 3000)
    assert [(item["sku"], item["quantity"]) for item in row["items"]] == [("牛奶", 2.0), ("面包", 1.0)]


def test_pos_receipts_members_products_and_stock_are_recognised() -> None:
    pos = made("小票号,销售时间,门店编码,会员卡号,商品编码,数量,零售价,实收金额,收银员", {
        "小票号": "P1", "销售时间": "2026-01-05 09:30:00", "门店编码": "D1", "会员卡号": "M1", "商品编码": "S1", "数量": "1",
        "零售价": "10", "实收金额": "9.9", "收银员": "g1"})  # fmt: skip
    _, (receipt,) = taken("pos_orders", pos)
    assert (receipt["store_id"], receipt["staff_id"], receipt["amount"]) == ("D1", "g1", 990)
    members = made("会员卡号,姓名,手机号,性别,生日,会员等级,积分,注册时间,标签", {
        "会员卡号": "M1", "姓名": "王小明", "手机号": "13800000001", "性别": "女", "积分": "1,200", "注册时间": "2025-01-01"})  # fmt: skip
    _, (member,) = taken("members", members)
    assert member["name"] == "identified"
    assert member["traits"] == (
        '{"set":{"name":"王小明","gender":"female","points":1200.0,"joined_at":"2024-12-31T16:00:00Z"}}'
    )
    products = made("商品编码,商品名称,商品分类,品牌,条码", {"商品编码": "S1", "商品名称": "牛奶", "商品分类": "乳品"})
    _, (product,) = taken("erp_products", products)
    assert product == {"sku": "S1", "name": "牛奶", "category": "乳品", "department": None, "key": "S1"}
    stock = made("仓库编码,商品编码,更新时间,可用库存,占用库存", {
        "仓库编码": "W1", "商品编码": "S1", "更新时间": "2026-01-05 00:00:00", "可用库存": "12", "占用库存": "3"})  # fmt: skip
    _, (level,) = taken("erp_stock", stock)
    assert (level["name"], level["key"]) == ("stock_reported", "stock_reported:W1|S1|2026-01-05 00:00:00")
    assert level["items"] == [{"sku": "S1", "quantity": 12.0, "unit_price": None, "amount": None}]


@pytest.mark.parametrize("key", sorted(ready()))
def test_every_ready_mapping_survives_being_written_and_read_again(key: str) -> None:
    from quanyu.imports.mapping import dump, parse

    mapping = ready()[key][2]
    assert parse(dump(mapping)) == mapping


def test_unknown_columns_are_recognised_by_their_names() -> None:
    found = made("Order ID,Paid At,Phone,SKU,Qty,Amount", {
        "Order ID": "1", "Paid At": "2026-01-05", "Phone": "13800000001", "SKU": "a", "Qty": "1", "Amount": "3"})  # fmt: skip
    (first, *_) = suggest(inspect(found, ZONE).columns)
    assert first.ready is None
    applied = apply(first.mapping, found.table, time_zone=ZONE, now=0)
    assert applied.bad == []
    assert applied.table.to_pylist()[0]["amount"] == 300
