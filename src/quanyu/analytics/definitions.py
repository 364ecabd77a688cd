"""What the numbers mean: which events are visits, and the definitions that the console shows beside each number."""

from __future__ import annotations

from quanyu.kernel.label import Label

ORDER = "order_paid"
VISITS: tuple[str, ...] = (
    "app_opened",
    "cart_viewed",
    "checkout_started",
    "element_clicked",
    "mini_program_opened",
    ORDER,
    "order_submitted",
    "page_viewed",
    "product_added_to_cart",
    "product_list_viewed",
    "product_removed_from_cart",
    "product_viewed",
    "products_searched",
)
"""Events that a person does in person. Being mailed, sent to or issued a coupon is no visit."""

RFM_DAYS = 365

DEFINITIONS: dict[str, Label] = {
    "visitors": Label(
        "所选日期内有任意到访（浏览、打开、加购、搜索等）或支付订单的去重客户数；只统计已识别的客户",
        "Distinct identified people with any visit (view, open, cart, search …) or paid order in the range",
    ),
    "conversion": Label(
        "买家数 ÷ 访客数；支付订单也算到访，所以不会超过 100%",
        "Buyers ÷ visitors; a paid order is a visit too, so it never exceeds 100%",
    ),
    "order_value": Label(
        "支付金额 ÷ 买家数；未识别客户的订单只计金额、不计买家",
        "Paid amount ÷ buyers; orders of unidentified customers count in the amount, not among the buyers",
    ),
    "average_order": Label("支付金额 ÷ 支付订单数", "Paid amount ÷ paid orders"),
    "gmv": Label(
        "支付订单金额之和，未扣退款；等于 访客数 × 转化率 × 客单价",
        "Sum of paid orders, refunds not deducted; equals visitors × conversion × value per buyer",
    ),
    "orders": Label(
        "支付订单数；按品类筛选时为含该品类商品的订单数", "Paid orders; with a category, those that hold it"
    ),
    "buyers": Label("有支付订单的去重客户数", "Distinct people with a paid order"),
    "people": Label("可见范围内的全部客户", "Everybody within your scope"),
    "reachable": Label(
        "至少同意一个渠道营销触达的客户", "People who consent to marketing through at least one channel"
    ),
    "repurchase": Label(
        "在 2 个及以上不同日期支付过订单的买家 ÷ 全部买家，限所选日期内",
        "Buyers with paid orders on two or more different days ÷ all buyers, within the range",
    ),
    "rfm": Label(
        f"截至所选结束日近 {RFM_DAYS} 天支付订单（不随筛选变化）：R 距最近一单天数，F 订单数，M 金额，"
        "在你能看到的客户中各按五分位打 1–5 分，同值按客户编号先后；4 分及以上为高",
        f"Paid orders in the {RFM_DAYS} days to the end of the range, whatever the filters: R days since last, F "
        "orders, M amount, each scored 1–5 by quintile among the people whom you see, ties in order of person number; "
        "4 and above is high",
    ),
}

KPI_LABELS: dict[str, Label] = {
    "gmv": Label("支付金额 GMV", "GMV"),
    "visitors": Label("访客数", "Visitors"),
    "conversion": Label("转化率", "Conversion"),
    "order_value": Label("客单价", "Value per buyer"),
    "average_order": Label("笔单价", "Average order"),
    "orders": Label("支付订单数", "Orders"),
    "buyers": Label("买家数", "Buyers"),
    "people": Label("客户总数", "People"),
    "reachable": Label("可触达客户", "Reachable people"),
    "repurchase": Label("复购率", "Repurchase rate"),
}
