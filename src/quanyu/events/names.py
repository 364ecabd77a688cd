"""What the field calls things: event names and property names of Segment's and 神策's e-commerce, in our words.

A name that is not here stays as it was sent.
"""

from __future__ import annotations

# https://segment.com/docs/connections/spec/ecommerce/v2/, compared in lower case.
SEGMENT_NAMES: dict[str, str] = {
    "order completed": "order_paid",
    "completed order": "order_paid",
    "order refunded": "order_refunded",
    "product viewed": "product_viewed",
    "viewed product": "product_viewed",
    "product list viewed": "product_list_viewed",
    "products searched": "products_searched",
    "product added": "product_added_to_cart",
    "added product": "product_added_to_cart",
    "product removed": "product_removed_from_cart",
    "cart viewed": "cart_viewed",
    "checkout started": "checkout_started",
    "application opened": "app_opened",
    "consent granted": "consent_granted",
    "consent withdrawn": "consent_withdrawn",
}

# Preset events of the SDKs, and the names of 神策's e-commerce tracking plan, compared in lower case.
SENSORS_NAMES: dict[str, str] = {
    "$pageview": "page_viewed",
    "$mpviewscreen": "page_viewed",
    "$appviewscreen": "page_viewed",
    "$mplaunch": "mini_program_opened",
    "$appstart": "app_opened",
    "$webclick": "element_clicked",
    "$mpclick": "element_clicked",
    "$appclick": "element_clicked",
    "viewproduct": "product_viewed",
    "view_product": "product_viewed",
    "commoditydetail": "product_viewed",
    "commodity_detail": "product_viewed",
    "productdetail": "product_viewed",
    "addtocart": "product_added_to_cart",
    "add_to_cart": "product_added_to_cart",
    "addtoshoppingcart": "product_added_to_cart",
    "add_to_shopping_cart": "product_added_to_cart",
    "submitorder": "order_submitted",
    "submit_order": "order_submitted",
    "payorder": "order_paid",
    "pay_order": "order_paid",
    "refundorder": "order_refunded",
    "refund_order": "order_refunded",
    "search": "products_searched",
    "consentgranted": "consent_granted",
    "consentwithdrawn": "consent_withdrawn",
}

ORDER_EVENTS = frozenset({"order_paid", "order_refunded", "order_submitted", "checkout_started"})
PRODUCT_EVENTS = frozenset({"product_viewed", "product_added_to_cart", "product_removed_from_cart"})

# Our name -> how it may be written in properties; the first that is there counts.
PROPERTY_NAMES: dict[str, tuple[str, ...]] = {
    "order_id": ("order_id", "orderId", "OrderId", "order_no", "orderNo", "order_number"),
    "store_id": ("store_id", "storeId", "shop_id", "shopId"),
    "staff_id": ("staff_id", "staffId", "guide_id", "guideId"),
    "effect_id": ("effect_id", "effectId"),
    "session_id": ("session_id", "sessionId", "$session_id"),
    "touchpoint": ("touchpoint",),
    "channel": ("channel",),
    "currency": ("currency", "$currency", "currency_code"),
    "products": ("products", "items", "product_list", "goods_list"),
    "sku": ("sku", "product_id", "productId", "ProductId", "commodity_id", "goods_id", "sku_id"),
    "quantity": ("quantity", "product_quantity", "commodity_quantity", "goods_quantity"),
    "price": ("price", "unit_price", "ProductPrice", "product_price", "present_price", "commodity_price"),
    "total": ("total", "order_actual_amount", "actual_amount", "revenue", "order_amount", "amount", "value"),
    "refund": ("refund", "refund_amount", "total", "revenue", "amount", "value"),
    "revenue": ("revenue",),
    "purpose": ("purpose",),
    "notice_version": ("notice_version",),
    "evidence": ("evidence",),
    "library": ("$lib",),
    "login": ("$is_login_id",),
    "app_id": ("$app_id",),
    "page_name": ("name",),
    "page_category": ("category",),
}
ITEM_SKU = (
    "sku",
    "product_id",
    "productId",
    "ProductId",
    "commodity_id",
    "goods_id",
    "sku_id",
    "id",
    "variant",
    "name",
)
ITEM_PRICE = ("unit_price", "price", "product_price", "present_price")
ITEM_QUANTITY = ("quantity", "count", "num")
ITEM_TOTAL = ("total", "amount", "subtotal")

# A trait under one of these names is an identifier and does not stay among the traits.
TRAIT_IDENTIFIERS: dict[str, str] = {
    "phone": "phone",
    "mobile": "phone",
    "phone_number": "phone",
    "phoneNumber": "phone",
    "mobile_phone": "phone",
    "$phone_number": "phone",
    "手机号": "phone",
    "email": "email",
    "$email": "email",
    "邮箱": "email",
    "unionid": "unionid",
    "unionId": "unionid",
    "union_id": "unionid",
    "member_no": "member_no",
    "memberNo": "member_no",
    "member_id": "member_no",
    "会员号": "member_no",
    "external_userid": "external_userid",
}

# 神策 ID-Mapping 3.0 keys; openids carry their app's id in the key and are read by a pattern.
SENSORS_IDENTITIES: dict[str, str] = {
    "$identity_login_id": "user_id",
    "$identity_mobile": "phone",
    "$identity_email": "email",
    "$identity_cookie_id": "anonymous_id",
    "$identity_anonymous_id": "anonymous_id",
    "$identity_distinct_id": "anonymous_id",
    "$identity_mp_id": "anonymous_id",
    "$identity_idfv": "anonymous_id",
    "$identity_ios_uuid": "anonymous_id",
    "$identity_android_id": "anonymous_id",
    "$identity_android_uuid": "anonymous_id",
    "$identity_harmony_uuid": "anonymous_id",
    "$identity_mp_unionid": "unionid",
    "$identity_union_id": "unionid",
    "$identity_external_userid": "external_userid",
    "$identity_member_no": "member_no",
}

# Segment's and RudderStack's context.externalIds types.
EXTERNAL_IDS: dict[str, str] = {
    "user_id": "user_id",
    "anonymous_id": "anonymous_id",
    "email": "email",
    "phone": "phone",
    "ios.idfa": "anonymous_id",
    "android.idfa": "anonymous_id",
    "ios.id": "anonymous_id",
    "android.id": "anonymous_id",
    "ga_client_id": "anonymous_id",
    "cross_domain_id": "anonymous_id",
    "braze_id": "user_id",
}

LIBRARY_CHANNELS: dict[str, str] = {
    "analytics.js": "web",
    "RudderLabs JavaScript SDK": "web",
    "analytics-ios": "app",
    "analytics-swift": "app",
    "analytics-android": "app",
    "analytics-kotlin": "app",
    "@segment/analytics-react-native": "app",
    "js": "web",
    "MiniProgram": "mini_program",
    "WechatMini": "mini_program",
    "AlipayMini": "mini_program",
    "iOS": "app",
    "Android": "app",
    "HarmonyOS": "app",
}
