"""The demonstration's tags: put on the people whom a rule finds, once, as sets. Their groups say that they are made."""

from __future__ import annotations

from typing import Any

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.audiences.api import rule
from quanyu.kernel.label import Label

_ACTIVITY = Label("活跃度（演示生成）", "Activity (made for the demo)")
_TASTE = Label("偏好（演示生成）", "Taste (made for the demo)")
_PRICE = Label("价格（演示生成）", "Price (made for the demo)")


def _buys(times: int, *categories: str) -> dict[str, Any]:
    return rule("bought", by="category", keys=list(categories), at_least=times, within_days=180)


_TAGS = (
    (
        _ACTIVITY,
        Label("高频", "Frequent"),
        rule("performed", event="order_paid", times_operator="gte", times=8, within_days=90),
    ),
    (_ACTIVITY, Label("60 天未购", "60 days away"), rule("not_performed", event="order_paid", within_days=60)),
    (_TASTE, Label("咖啡", "Coffee"), _buys(4, "grocery.coffee")),
    (_TASTE, Label("有机蔬果", "Organic produce"), _buys(3, "produce.organics-fruit-vegetables")),
    (_TASTE, Label("养猫", "Cat owner"), _buys(3, "grocery.cat-food", "grocery.cat-litter")),
    (_TASTE, Label("养狗", "Dog owner"), _buys(3, "grocery.dog-foods")),
    (
        _TASTE,
        Label("有婴儿", "Baby at home"),
        _buys(2, "drug-gm.baby-foods", "drug-gm.infant-formula", "drug-gm.diapers-disposables"),
    ),
    (
        _PRICE,
        Label("爱用券", "Uses coupons"),
        rule("performed", event="coupon_redeemed", times_operator="gte", times=2, within_days=365),
    ),
)


def put_tags(product: Product, caller: Caller) -> None:
    """Make the tags and put each on the people of its rule; safe to repeat."""
    scope, at = caller.scope, product.clock.now()
    for group, name, tree in _TAGS:
        people = product.audiences.evaluate(product.audiences.check(tree, scope), at, scope)
        with product.state.write() as tx:
            tag_id = product.profiles.ensure_tag(tx, scope.brand_id, name, group)
            anchors = product.identity.anchors_of(tx, list(people))
            product.profiles.assign_tags(tx, [(tag_id, anchor) for anchor in anchors.values()], caller.name)
