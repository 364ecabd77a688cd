"""Message templates: `{{name}}`, `{{store}}` and `{{coupon.name}}`, replaced and nothing else.

There is no expression, no attribute, no filter: a template is text with holes of three known names. What is put
in is never read again, so a person called `{{store}}` stays called that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from quanyu.kernel.errors import FieldError, Invalid
from quanyu.kernel.label import Label

VARIABLES: Mapping[str, Label] = {
    "name": Label("客户称呼", "The person's name"),
    "store": Label("所属门店", "The person's store"),
    "coupon.name": Label("优惠券名称", "The coupon's name"),
}
# What is said where nothing is known: a message must not show a hole.
FALLBACKS: Mapping[str, str] = {"name": "顾客", "store": "门店", "coupon.name": "优惠券"}

_HOLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_STRAY = re.compile(r"\{\{|\}\}")

MAX_TEXT_BYTES = 4000
MAX_TITLE_BYTES = 64


@dataclass(frozen=True, slots=True)
class CardTemplate:
    """A mini-program card: its title may have holes, its page is fixed (the send token is added when it goes)."""

    title: str
    page: str
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A message with holes."""

    template_id: str
    name: str
    text: str
    card: CardTemplate | None = None
    revision: int = 1

    @property
    def kind(self) -> str:
        """`card` or `text`."""
        return "card" if self.card else "text"

    def variables(self) -> frozenset[str]:
        """The names of its holes."""
        found = set(_HOLE.findall(self.text))
        if self.card:
            found |= set(_HOLE.findall(self.card.title))
        return frozenset(found)


def problems(text: str, field: str) -> list[FieldError]:
    """What is wrong with one text: unknown holes, stray braces."""
    found = []
    known = "、".join("{{" + name + "}}" for name in VARIABLES)
    for name in dict.fromkeys(_HOLE.findall(text)):
        if name not in VARIABLES:
            shown = "{{" + name + "}}"
            message = Label(
                f"没有变量 {shown}，可用的有 {known}",
                f"There is no variable {shown}; there are {known.replace('、', ', ')}",
            )
            found.append(FieldError(field, message))
    if _STRAY.search(_HOLE.sub("", text)):
        found.append(
            FieldError(field, Label("大括号没有成对出现", "Braces are not closed: write a variable as {{name}}"))
        )
    return found


def check(text: str, card: CardTemplate | None) -> None:
    """Raise Invalid, naming every field that is wrong."""
    found = problems(text, "text")
    if not text.strip() and card is None:
        found.append(FieldError("text", Label("请填写正文", "Write the text")))
    if len(text.encode()) > MAX_TEXT_BYTES:
        found.append(
            FieldError(
                "text", Label(f"正文不能超过 {MAX_TEXT_BYTES} 字节", f"The text has at most {MAX_TEXT_BYTES} bytes")
            )
        )
    if card is not None:
        found += problems(card.title, "card.title")
        if not card.title.strip():
            found.append(FieldError("card.title", Label("请填写卡片标题", "Write the card's title")))
        if len(card.title.encode()) > MAX_TITLE_BYTES:
            found.append(
                FieldError(
                    "card.title",
                    Label(
                        f"标题不能超过 {MAX_TITLE_BYTES} 字节（约 21 个汉字）",
                        f"The title has at most {MAX_TITLE_BYTES} bytes",
                    ),
                )
            )
        if not re.fullmatch(r"[\w./\-]+(\?[\w=&%.\-]*)?", card.page, re.ASCII):
            found.append(
                FieldError(
                    "card.page",
                    Label("请填写小程序页面路径，如 pages/coupon", "Write the page's path, like pages/coupon"),
                )
            )
    if found:
        raise Invalid("template_invalid", Label("模板有误", "The template is wrong"), fields=tuple(found))


def render(text: str, values: Mapping[str, str | None]) -> str:
    """`text` with its holes filled; an empty value falls back to a polite word.

    Raises Invalid (`template_variable_unknown`) for a hole that is no variable.
    """

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in VARIABLES:
            shown = "{{" + name + "}}"
            raise Invalid(
                "template_variable_unknown",
                Label(f"没有变量 {shown}", f"There is no variable {shown}"),
                detail=Label("请修改消息模板", "Correct the message template"),
            )
        return values.get(name) or FALLBACKS[name]

    return _HOLE.sub(fill, text)


def page_with_token(page: str, token: str) -> str:
    """The card's page with the send token in its query: `pages/coupon?send=…`."""
    return f"{page}{'&' if '?' in page else '?'}send={token}"
