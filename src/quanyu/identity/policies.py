"""What each namespace of identifiers promises: how strong it is, how many belong to one person, who may share it.

A policy decides; the resolution in `resolution` only counts. Values that are never identifiers are here too.
Normal forms and masks of values are in `values`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from quanyu.kernel.label import Label

OverLimit = Literal["refuse", "demote", "flag"]

OVER_LIMIT_LABELS: Mapping[str, Label] = {
    "refuse": Label("拒绝新的关联", "Refuse the link"),
    "demote": Label("降级：不再用于识别客户", "Demote: it no longer identifies anybody"),
    "flag": Label("保留并标记待查", "Keep and flag for review"),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one namespace.

    `strength` orders evidence: of two links that cannot both hold, the one whose weaker end is stronger wins.
    `max_per_person` is how many values one person may hold (per issuer, where values carry one); None is no limit.
    `max_people` is how many people may share one value; past it `over_limit` says what happens.
    `max_links` is a bound no single person reaches: past it a value is demoted whatever `over_limit` says.
    `issuer` says that values are written `issuer:value` (an app id, a corp id, a platform).
    """

    namespace: str
    label: Label
    strength: int
    max_per_person: int | None
    max_people: int
    over_limit: OverLimit
    personal: bool
    issuer: bool = False
    max_links: int = 1000
    blocked: tuple[str, ...] = ()


_ANY = ("∅", "0…0", "-1", "null", "undefined", "anonymous", "test", "n/a")

POLICIES: tuple[Policy, ...] = (
    Policy("member_no", Label("会员号", "Member number"), 100, 1, 1, "refuse", True, blocked=_ANY),
    Policy("unionid", Label("微信 UnionID", "WeChat UnionID"), 95, 1, 1, "refuse", True, blocked=_ANY),
    Policy(
        "external_userid", Label("企业微信外部联系人", "WeCom contact"), 92, 1, 1, "refuse", True, True, blocked=_ANY
    ),
    Policy("openid", Label("微信 OpenID", "WeChat OpenID"), 90, 1, 1, "refuse", True, True, blocked=_ANY),
    Policy("user_id", Label("登录账号", "Login account"), 85, 5, 3, "demote", True, blocked=_ANY),
    Policy("platform_buyer", Label("电商平台买家", "Marketplace buyer"), 80, 5, 3, "demote", True, True, blocked=_ANY),
    Policy("card", Label("卡号", "Card"), 75, 5, 3, "demote", True, blocked=_ANY),
    Policy(
        "phone",
        Label("手机号", "Phone"),
        70,
        3,
        3,
        "demote",
        True,
        blocked=(*_ANY, "13800138000", "13x00000000", "1xx12345678"),
    ),
    Policy("email", Label("邮箱", "Email"), 60, 5, 3, "demote", True, blocked=(*_ANY, "test@…", "noreply@…")),
    Policy("household", Label("家庭", "Household"), 50, 1, 10, "flag", False, blocked=_ANY),
    Policy("anonymous_id", Label("设备或浏览器", "Device or browser"), 10, 200, 3, "demote", False, blocked=_ANY),
)

# Words that programs write where they have no value. Compared in lower case, after trimming.
_NO_VALUE = frozenset(
    {
        "",
        "-1",
        "-",
        "--",
        "null",
        "(null)",
        "<null>",
        "nil",
        "none",
        "undefined",
        "nan",
        "n/a",
        "na",
        "unknown",
        "anonymous",
        "anonymous_user",
        "guest",
        "visitor",
        "test",
        "testuser",
        "test_user",
        "true",
        "false",
        "[object object]",
        "{}",
        "[]",
        '""',
        "''",
        "id",
        "user",
        "userid",
        "user_id",
        "openid",
        "unionid",
        "distinct_id",
        "email",
        "phone",
        "空",
        "无",
        "匿名",
        "游客",
        "测试",
    }
)
_SUSPECT = frozenset("0-:._ x*#?")  # what a filler starts with: spares nearly every value two regular expressions
_ZEROS = re.compile(r"^[0\-:._\s]*$")
_FILLER = re.compile(r"^([x*#?])\1*$", re.IGNORECASE)
# Chinese numbers typed to get past a form: the carrier's own service number, round and counting ones.
_CN_TEST_PHONE = re.compile(r"^\+86(13800138000|1\d{2}0{8}|1\d{2}12345678|1(\d)\2{9})$")
_TEST_EMAIL = re.compile(r"^(test|null|none|na|noreply|no-reply|anonymous)@|@(test|localhost|invalid)(\.|$)")


def is_blocked(namespace: str, value: str) -> bool:
    """Whether `value` (in normal form) can never identify anybody, in any brand."""
    text = value.strip().lower()
    if text in _NO_VALUE or (text[0] in _SUSPECT and (_ZEROS.match(text) or _FILLER.match(text))):
        return True
    if namespace == "phone":
        return _CN_TEST_PHONE.match(text) is not None
    if namespace == "email":
        return _TEST_EMAIL.search(text) is not None
    return False


class PolicyBook:
    """The policies in force, by namespace and by a dense code (their place, strongest first)."""

    def __init__(self, policies: Iterable[Policy] = POLICIES) -> None:
        ordered = sorted(policies, key=lambda policy: (-policy.strength, policy.namespace))
        self.policies: tuple[Policy, ...] = tuple(ordered)
        self.code: dict[str, int] = {policy.namespace: code for code, policy in enumerate(ordered)}
        if len(self.code) != len(ordered):
            raise ValueError("a namespace has two policies")

    def __getitem__(self, namespace: str) -> Policy:
        """The policy of `namespace`. Raises KeyError when there is none."""
        return self.policies[self.code[namespace]]

    def get(self, namespace: str | None) -> Policy | None:
        """The policy of `namespace`, or None."""
        return self.policies[self.code[namespace]] if namespace in self.code else None

    def __contains__(self, namespace: object) -> bool:
        return namespace in self.code

    def replaced(self, changes: Iterable[Policy]) -> PolicyBook:
        """The same book with some policies exchanged: to preview a change before it is applied."""
        book = {policy.namespace: policy for policy in self.policies}
        book.update({policy.namespace: policy for policy in changes})
        return PolicyBook(book.values())
