"""Suggesting a mapping: the ready ones that fit a file's columns, or one put together from the columns' names.

Names are compared without space, brackets and what stands in brackets. Whatever is suggested is shown before it is
used; nothing is guessed from what cells say but whether a column is masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from quanyu.imports.contracts import ColumnView, Suggestion
from quanyu.imports.mapping import Mapping, parse
from quanyu.kernel.label import Label

# What columns are called, by what they are. Earlier names are surer.
_NAMES: dict[str, list[str]] = {
    "order_id": [
        "订单编号",
        "订单号",
        "订单id",
        "主订单编号",
        "交易号",
        "单号",
        "小票号",
        "流水号",
        "单据号",
        "orderid",
        "orderno",
        "ordernumber",
        "order",
    ],
    "paid_at": [
        "付款时间",
        "支付时间",
        "订单付款时间",
        "交易时间",
        "销售时间",
        "下单时间",
        "订单创建时间",
        "创建时间",
        "日期",
        "时间",
        "paidat",
        "paymenttime",
        "paytime",
        "orderdate",
        "createdat",
        "date",
        "time",
        "timestamp",
    ],
    "amount": [
        "实付金额",
        "买家实际支付金额",
        "实收金额",
        "应付金额",
        "订单金额",
        "支付金额",
        "总金额",
        "金额",
        "amount",
        "total",
        "totalamount",
        "paidamount",
        "price",
    ],
    "sku": [
        "商家编码",
        "sku编码",
        "商品编码",
        "商品编号",
        "条码",
        "货号",
        "商品id",
        "sku",
        "skuid",
        "productid",
        "itemid",
        "barcode",
    ],
    "quantity": ["商品数量", "购买数量", "数量", "件数", "quantity", "qty", "count"],
    "unit_price": ["商品单价", "单价", "零售价", "unitprice"],
    "line_amount": ["商品金额", "小计", "行金额", "lineamount", "subtotal"],
    "store_id": ["门店编码", "门店编号", "店铺编码", "门店代码", "门店id", "门店", "storeid", "storecode", "store"],
    "staff_id": ["导购编号", "导购工号", "店员编号", "导购", "收银员", "staffid", "cashier"],
    "phone": [
        "手机号",
        "手机号码",
        "手机",
        "会员手机",
        "会员手机号",
        "买家手机号",
        "收货人手机",
        "收货人手机号",
        "联系手机",
        "联系电话",
        "电话",
        "phone",
        "mobile",
        "phonenumber",
        "tel",
    ],
    "member_no": [
        "会员号",
        "会员编号",
        "会员卡号",
        "会员id",
        "卡号",
        "memberno",
        "memberid",
        "membercard",
        "customerid",
    ],
    "unionid": ["unionid", "微信unionid"],
    "openid": ["openid", "微信openid"],
    "email": ["邮箱", "电子邮箱", "邮件", "email", "mail"],
    "platform_buyer": ["买家id", "买家昵称", "买家会员名", "下单帐号", "买家账号", "buyerid"],
    "name": ["姓名", "会员姓名", "客户姓名", "会员名称", "name", "fullname"],
    "gender": ["性别", "gender", "sex"],
    "birthday": ["生日", "出生日期", "birthday", "birthdate"],
    "level": ["会员等级", "等级", "level", "tier"],
    "city": ["城市", "所在城市", "city"],
    "province": ["省份", "省", "province"],
    "points": ["积分", "会员积分", "可用积分", "points"],
    "joined_at": ["注册时间", "入会时间", "开卡时间", "加入时间", "registeredat", "createtime"],
    "tags": ["标签", "会员标签", "客户标签", "tags", "tag"],
    "product_name": ["商品名称", "商品标题", "品名", "名称", "productname", "itemname", "title"],
    "category": ["商品分类", "分类", "品类", "类目", "category"],
}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-.:：/]+", "", re.sub(r"[(（\[【].*?[)）\]】]", "", name)).lower()


@cache
def ready() -> dict[str, tuple[Label, str, Mapping]]:
    """The ready mappings by key: name, what they are for (a source's key) and the document."""
    found = {}
    for file in sorted((resources.files("quanyu.imports") / "ready").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            given = yaml.safe_load(file.read_text(encoding="utf-8"))
            key = file.name.removesuffix(".yaml")
            found[key] = (Label(**given["name"]), given["source"], parse(given["mapping"]))
    return found


def suggest(columns: Sequence[ColumnView]) -> list[Suggestion]:
    """Mappings for a file with these columns, the likeliest first; none when nothing is recognised."""
    there = [column.name for column in columns]
    found = []
    for key, (name, _, mapping) in ready().items():
        fits = _fits(mapping, there)
        if fits:
            found.append(Suggestion(key, name, fits, mapping))
    made = _made(columns)
    if made is not None:
        found.append(Suggestion(None, Label("按列名识别", "By the names of the columns"), 0.5, made))
    return sorted(found, key=lambda one: -one.fits)


def _fits(mapping: Mapping, there: Sequence[str]) -> float:
    """The share of the mapping's columns that the file has; 0 when one is missing that the mapping needs."""
    if not all(set(columns).intersection(there) for columns in mapping.needed()):
        return 0.0
    wanted = [set(columns) for columns in _columns(mapping.model_dump())]
    return round(sum(bool(columns.intersection(there)) for columns in wanted) / max(len(wanted), 1), 3)


def _columns(document: Any) -> list[list[str]]:
    """Every column that a document names, in whatever place."""
    if isinstance(document, dict):
        own = [document["column"]] if isinstance(document.get("column"), list) and document["column"] else []
        return own + [one for name, value in document.items() if name != "column" for one in _columns(value)]
    if isinstance(document, list):
        if document and all(isinstance(one, list) for one in document):  # the business key
            return document
        return [one for value in document for one in _columns(value)]
    return []


def _made(columns: Sequence[ColumnView]) -> Mapping | None:
    role: dict[str, str] = {}
    masked = {column.name for column in columns if column.looks_like == "masked"}
    plain = {_plain(column.name): column.name for column in reversed(columns)}
    for what, names in _NAMES.items():
        role |= next(({what: plain[name]} for name in names if name in plain), {})
    role.setdefault("phone", next((one.name for one in columns if one.looks_like == "phone"), ""))
    identifiers = [
        {"namespace": namespace, "column": role[namespace]}
        for namespace in ("member_no", "phone", "unionid", "openid", "email", "platform_buyer")
        if role.get(namespace) and role[namespace] not in masked
    ]
    if "order_id" in role and "paid_at" in role:
        return _order(role, identifiers)
    if identifiers:
        return _people(role, identifiers)
    if "sku" in role and "product_name" in role:
        fields = {"sku": role["sku"], "name": role["product_name"]}
        fields |= {"category": role["category"]} if "category" in role else {}
        return parse({"target": "products", "key": [role["sku"]], "fields": fields})
    return None


def _order(role: dict[str, str], identifiers: list[dict[str, str]]) -> Mapping:
    document: dict[str, Any] = {
        "target": "events",
        "key": [role["order_id"]],
        "name": {"const": "order_paid"},
        "occurred_at": role["paid_at"],
        "order_id": role["order_id"],
        "identifiers": identifiers,
    }
    if "sku" in role:
        document["grouped"] = True
        document["items"] = {"sku": role["sku"]}
        line = {"quantity": "quantity", "unit_price": "unit_price", "line_amount": "amount"}
        document["items"] |= {to: role[one] for one, to in line.items() if one in role}
    for what in ("amount", "store_id", "staff_id"):
        if what in role:
            document[what] = role[what]
    return parse(document)


def _people(role: dict[str, str], identifiers: list[dict[str, str]]) -> Mapping:
    traits: dict[str, Any] = {
        one: role[one] for one in ("name", "gender", "birthday", "level", "city", "province") if one in role
    }
    if "points" in role:
        traits["points"] = {"column": role["points"], "type": "number"}
    document: dict[str, Any] = {
        "target": "people",
        "key": [identifiers[0]["column"]],
        "identifiers": identifiers,
        "traits": traits,
    }
    if "tags" in role:
        document["tags"] = [{"group": "导入", "column": role["tags"]}]
    return parse(document)
