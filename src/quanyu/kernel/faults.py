"""What is wrong with a document that a person wrote, as sentences in both languages.

The libraries that read documents (pydantic, PyYAML) complain in English only and in their own terms; here their
complaints become what, where and how to mend. Which field it is, and what people call it, is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quanyu.kernel.label import Label

_LONGEST = 80


class WrongValue(ValueError):
    """A validator's complaint in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.label = Label(zh, en)
        super().__init__(en)


_KINDS: dict[str, Label] = {
    "missing": Label("必填", "This is required"),
    "extra_forbidden": Label("没有这一项", "There is no such field"),
    "string_type": Label("应为文本", "A text is needed"),
    "bool_type": Label("应为 true 或 false", "true or false is needed"),
    "bool_parsing": Label("应为 true 或 false", "true or false is needed"),
    "int_type": Label("应为整数", "A whole number is needed"),
    "int_parsing": Label("应为整数", "A whole number is needed"),
    "int_from_float": Label("应为整数", "A whole number is needed"),
    "float_type": Label("应为数字", "A number is needed"),
    "float_parsing": Label("应为数字", "A number is needed"),
    "list_type": Label("应为列表", "A list is needed"),
    "tuple_type": Label("应为列表", "A list is needed"),
    "finite_number": Label("应为有限的数字", "A finite number is needed"),
    "date_type": Label("应为日期，如 2026-01-31", "A date is needed, like 2026-01-31"),
    "date_parsing": Label("应为日期，如 2026-01-31", "A date is needed, like 2026-01-31"),
    "date_from_datetime_parsing": Label("应为日期，如 2026-01-31", "A date is needed, like 2026-01-31"),
    "date_from_datetime_inexact": Label("应为日期，不带时间", "A date is needed, without a time"),
    "dict_type": Label("应为「名称: 值」的对象", "An object of names and values is needed"),
    "model_type": Label("应为「名称: 值」的对象", "An object of names and values is needed"),
    "model_attributes_type": Label("应为「名称: 值」的对象", "An object of names and values is needed"),
    "string_pattern_mismatch": Label("写法不对，可能有不允许的字符", "Not written as it must be; see its characters"),
    "json_invalid": Label("不是合法的 JSON", "Not valid JSON"),
}


def of_field(fault: Mapping[str, Any]) -> Label:
    """What is wrong with a field: one of `ValidationError.errors()` of pydantic."""
    kind, context = fault["type"], fault.get("ctx") or {}
    bound = next(iter(context.values()), "")
    match kind:
        case "value_error" if isinstance(context.get("error"), WrongValue):
            said: Label = context["error"].label
            return said
        case "literal_error" | "enum":
            listed = context["expected"].replace(" or ", ", ")
            return Label(f"只能是 {listed} 之一", f"Must be one of {listed}")
        case "union_tag_not_found":
            which = context["discriminator"]
            return Label(f"缺少 {which}", f"{which} is required")
        case "union_tag_invalid":
            which, listed = context["discriminator"], context["expected_tags"]
            return Label(f"{which} 只能是 {listed} 之一", f"{which} must be one of {listed}")
        case "greater_than_equal":
            return Label(f"不能小于 {bound}", f"Must not be below {bound}")
        case "greater_than":
            return Label(f"应大于 {bound}", f"Must be above {bound}")
        case "less_than_equal":
            return Label(f"不能大于 {bound}", f"Must not be above {bound}")
        case "less_than":
            return Label(f"应小于 {bound}", f"Must be below {bound}")
        case "string_too_short":
            least = context["min_length"]
            return Label(f"至少 {least} 个字", f"At least {least} characters") if least > 1 else _KINDS["missing"]
        case "string_too_long":
            most = context["max_length"]
            return Label(f"最多 {most} 个字", f"At most {most} characters")
        case "too_short":
            return Label(f"至少 {context['min_length']} 项", f"At least {context['min_length']} of them")
        case "too_long":
            return Label(f"最多 {context['max_length']} 项", f"At most {context['max_length']} of them")
    return _KINDS.get(kind) or Label("值不对，请对照文档改写", f"Wrong value: {fault['msg']}")


# A part of what PyYAML or libyaml says -> what that means and what to do. The first that fits.
_YAML: tuple[tuple[str, str, str], ...] = (
    (
        "cannot start any token",
        "这里有不能用来开头的字符：缩进用空格，不用制表符（Tab）",
        "Indent with spaces, not with tabs",
    ),
    (
        "mapping values are not allowed",
        "冒号的位置不对：检查上一行的缩进；值里有冒号要加引号",
        "A colon stands where none may: check the indent of the line before, and quote a value that has a colon",
    ),
    ("could not find expected ':'", "缺少冒号（名称: 值）", "A colon is missing (name: value)"),
    ("expected ',' or", "括号没有闭合，或各项之间缺少逗号", "A bracket is not closed, or a comma is missing"),
    ("expected the node content", "括号没有闭合，或这里缺少内容", "A bracket is not closed, or a value is missing"),
    ("expected node content", "括号没有闭合，或这里缺少内容", "A bracket is not closed, or a value is missing"),
    ("expected <block end>", "缩进没有与同级的上一行对齐", "The indent does not line up with its level"),
    ("expected key", "缩进没有与同级的上一行对齐", "The indent does not line up with its level"),
    ("expected '-' indicator", "缩进没有与同级的上一行对齐", "The indent does not line up with its level"),
    ("while scanning a quoted scalar", "引号没有闭合", "A quotation mark is not closed"),
    ("undefined alias", "引用（*名称）没有定义", "An alias (*name) is not defined"),
    ("could not determine a constructor", "不支持 ! 开头的标签，请去掉", "Tags that begin with ! are not taken"),
    ("found unhashable key", "名称只能是文本；有 { } 的值要加引号", "A name must be a text; quote values with { }"),
    ("characters are not allowed", "有不可见的控制字符，请删除", "There are control characters; remove them"),
    ("a single document", "只能有一份文档，请去掉 --- 之后的内容", "Only one document is taken; end it before ---"),
    ("", "YAML 的写法不对：检查缩进、冒号和引号", "Not valid YAML: check indents, colons and quotation marks"),
)


def of_yaml(error: Exception, text: str) -> Label:
    """Why a text is no YAML, from PyYAML's `YAMLError`: the line, what stands there, what to do."""
    said = str(error)
    why = next(Label(chinese, english) for part, chinese, english in _YAML if part in said)
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return why
    lines = text.splitlines()
    there = lines[mark.line].strip()[:_LONGEST] if mark.line < len(lines) else ""
    zh, en = (f"「{there}」", f" “{there}”") if there else ("（结尾）", " (the end)")
    place = f"{mark.line + 1}", f"{mark.column + 1}"
    return Label(f"第 {place[0]} 行第 {place[1]} 列{zh}：{why.zh}", f"Line {place[0]}, column {place[1]}{en}: {why.en}")
