"""The frozen values that cross the door of profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quanyu.kernel.label import Label

PROFILES_CHANGED = "profiles_changed"

# Traits that name a person. They are sealed; lists show a mask, and only a reveal opens them.
PERSONAL_TRAITS = frozenset(
    {
        "name",
        "first_name",
        "last_name",
        "full_name",
        "firstName",
        "lastName",
        "nickname",
        "nick_name",
        "address",
        "street",
        "id_number",
        "id_card",
        "wechat_id",
        "avatar",
        "真实姓名",
        "姓名",
        "昵称",
        "地址",
        "身份证号",
    }
)
NAME_TRAITS = ("name", "full_name", "姓名", "真实姓名", "nickname", "nick_name", "昵称")
# Traits that say where a person belongs; they go to identity.
STORE_TRAITS = frozenset({"home_store", "store_id", "归属门店"})
STAFF_TRAITS = frozenset({"owner_staff", "staff_id", "guide_id", "归属导购"})

TRAIT_LABELS: Mapping[str, Label] = {
    "name": Label("姓名", "Name"),
    "first_name": Label("名", "First name"),
    "last_name": Label("姓", "Last name"),
    "nickname": Label("昵称", "Nickname"),
    "gender": Label("性别", "Gender"),
    "birthday": Label("生日", "Birthday"),
    "age": Label("年龄", "Age"),
    "age_band": Label("年龄段", "Age band"),
    "city": Label("城市", "City"),
    "province": Label("省份", "Province"),
    "country": Label("国家", "Country"),
    "address": Label("地址", "Address"),
    "level": Label("会员等级", "Member level"),
    "member_level": Label("会员等级", "Member level"),
    "points": Label("积分", "Points"),
    "joined_at": Label("入会时间", "Joined"),
    "income": Label("收入", "Income"),
    "income_band": Label("收入段", "Income band"),
    "household_size": Label("家庭人数", "Household size"),
    "kids": Label("孩子数", "Children"),
    "kids_count": Label("孩子数", "Children"),
    "marital_status": Label("婚姻状况", "Marital status"),
    "home_ownership": Label("住房", "Home ownership"),
    "household_comp": Label("家庭构成", "Household composition"),
    "household_type": Label("家庭类型", "Household type"),
    "first_visit_time": Label("首次访问时间", "First visit"),
    "utm_source": Label("来源", "Source"),
    "home_store": Label("归属门店", "Home store"),
    "owner_staff": Label("归属导购", "Guide"),
}


def trait_label(name: str) -> Label:
    """How people read a trait's name; one that nobody labelled reads as it is."""
    return TRAIT_LABELS.get(name) or Label(name, name)


@dataclass(frozen=True, slots=True)
class StoreName:
    """A store by id and name."""

    store_id: str
    name: Label


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; `people` is how many visible people carry it (None: not counted)."""

    tag_id: str
    name: Label
    group: Label
    people: int | None = None


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person as lists show them: masked. `person_id` is the public id, `last_seen_at` ISO 8601 in UTC.

    `amount` is minor units of `currency`; `made` says that everything known of them was generated.
    """

    person_id: str
    name: str | None
    phone: str | None
    home_store: StoreName | None
    owner_staff: str | None
    tags: tuple[Tag, ...]
    identifiers: int
    orders: int
    amount: int
    currency: str
    last_seen_at: str | None
    made: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message may say of a person (`name` in clear): for dispatch, never for a screen."""

    public_id: str
    name: str | None
    store_id: str | None
    staff_id: str | None


@dataclass(frozen=True, slots=True)
class TraitView:
    """A person's present value of a trait; a personal one is masked. `identifier_id` is where it was said."""

    name: str
    label: Label
    value: str
    number: float | None
    at: datetime
    source: str
    personal: bool
    identifier_id: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a person bought: paid orders, and their amount less refunds, in minor units."""

    orders: int = 0
    amount: int = 0
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of a form: a value, its name, and how many people stand behind it."""

    value: str
    label: Label
    count: int | None = None


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """A page of people, newest first; `total` counts all (None after the first page)."""

    items: tuple[PersonCard, ...]
    next_cursor: str | None
    total: int | None
