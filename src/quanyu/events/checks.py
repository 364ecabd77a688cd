"""Why an event can be refused: one code per reason, each with its words in both languages."""

from __future__ import annotations

from quanyu.kernel.label import Label

REASONS: dict[str, Label] = {
    # the body as a whole
    "malformed_json": Label("不是合法的 JSON", "Not valid JSON"),
    "not_utf8": Label("编码不是 UTF-8", "Not encoded in UTF-8"),
    "not_an_object": Label("应为 JSON 对象", "Not a JSON object"),
    "too_deep": Label("嵌套过深", "Nested too deeply"),
    "batch_missing": Label("缺少 batch 数组", "There is no array named batch"),
    "too_many_events": Label("单次请求事件过多", "Too many events in one request"),
    "bad_gzip": Label("gzip 数据损坏", "Damaged gzip data"),
    "bad_base64": Label("base64 数据损坏", "Damaged base64 data"),
    "bad_crc": Label("校验值不符", "The checksum does not fit"),
    "no_data": Label("缺少 data 或 data_list", "Neither data nor data_list is there"),
    "not_a_form": Label("表单无法解析", "The form cannot be read"),
    "encrypted_payload": Label("不支持加密上报", "Encrypted payloads are not supported"),
    "unknown_key": Label("消息里的 token 无效", "The message names an unknown token"),
    # one event
    "bad_field": Label("字段类型不对", "A field has the wrong type"),
    "unknown_type": Label("未知的调用类型", "Unknown type of call"),
    "name_missing": Label("缺少事件名", "The event has no name"),
    "bad_name": Label("事件名不合法", "The event's name is not valid"),
    "bad_event_id": Label("事件编号不合法", "The event's id is not valid"),
    "too_large": Label("单个事件过大", "The event is too large"),
    "bad_time": Label("时间无法解析", "The time cannot be read"),
    "time_too_old": Label("时间早于 2000 年", "The time lies before the year 2000"),
    "time_in_future": Label("时间晚于接收时间一小时以上", "The time lies more than an hour ahead"),
    "no_identifier": Label("没有任何客户标识", "The event carries no identifier"),
    "bad_identifier": Label("标识不合法", "An identifier is not valid"),
    "unknown_namespace": Label("未知的标识类型", "Unknown kind of identifier"),
    "bad_properties": Label("properties 应为对象", "properties is not an object"),
    "bad_traits": Label("traits 应为对象", "traits is not an object"),
    "bad_amount": Label("金额不是有效数字", "An amount is not a valid number"),
    "bad_quantity": Label("数量不是有效数字", "A quantity is not a valid number"),
    "bad_items": Label("商品明细格式不对", "The lines of the order are not as expected"),
    "bad_currency": Label("币种不合法", "The currency is not valid"),
    "bad_consent": Label("授权信息格式不对", "What is said of consent is not as expected"),
    "not_a_number": Label("含有 NaN 或无穷大", "A number is NaN or infinite"),
    "unforeseen": Label("处理时出错，请反馈给我们", "It could not be processed; please report it"),
    # a row of a file or table that is imported
    "row_key_missing": Label("业务主键为空", "The business key is empty"),
    "row_key_too_long": Label("业务主键超过 200 个字符", "The business key has more than 200 characters"),
    "row_time_missing": Label("发生时间为空", "The time is empty"),
    "row_time_unreadable": Label("时间无法识别", "The time cannot be read"),
    "row_money_unreadable": Label("金额无法识别", "The amount cannot be read"),
    "row_number_unreadable": Label("数字无法识别", "The number cannot be read"),
    "row_flag_unreadable": Label("应为是或否", "Neither yes nor no"),
    "row_value_unknown": Label("取值不在映射里", "The mapping does not translate this value"),
    "row_value_missing": Label("必填列为空", "A required column is empty"),
    "row_identifier_missing": Label("没有可用的客户标识", "There is no identifier that can be used"),
    "row_order_incomplete": Label("同一订单的其他行有错误", "Another row of the same order is refused"),
    "row_ragged": Label("列数与表头不一致，或不是合法的一行", "Not as many cells as the header, or no valid line"),
    # the tracking plan
    "undeclared_event": Label("埋点方案里没有这个事件", "The tracking plan does not name this event"),
    "wrong_source": Label("这个数据源不应发送该事件", "This source should not send this event"),
    "undeclared_property": Label("埋点方案里没有这个属性", "The tracking plan does not name this property"),
    "missing_property": Label("缺少必填属性", "A required property is missing"),
    "wrong_type": Label("属性类型与埋点方案不符", "A property has another type than planned"),
    "not_allowed": Label("属性值不在允许范围内", "A property's value is not among the allowed ones"),
    "out_of_range": Label("数值超出埋点方案的范围", "A number lies outside of the planned range"),
    "control_character": Label("含有空字符", "A text holds a NUL character"),
}


class Refused(Exception):
    """An event fails a check: `reason` is a key of `REASONS`, `where` the path to what is wrong."""

    def __init__(self, reason: str, where: str = "", detail: str = "") -> None:
        super().__init__(reason, where, detail)
        self.reason = reason
        self.where = where
        self.detail = detail


def reason_label(reason: str) -> Label:
    """The words of a reason."""
    return REASONS.get(reason) or Label(reason, reason)
