"""The caller and the scope that every door takes, and the permissions there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from quanyu.kernel.errors import Denied
from quanyu.kernel.label import Label

Role = Literal["owner", "operator", "analyst", "guide", "compliance"]
CallerKind = Literal["user", "client", "system"]

PERMISSIONS: tuple[str, ...] = (
    "people.read",
    "people.reveal",
    "people.write",
    "people.export",
    "audiences.read",
    "audiences.write",
    "journeys.read",
    "journeys.write",
    "journeys.publish",
    "sends.read",
    "sends.write",
    "sources.read",
    "sources.write",
    "analytics.read",
    "consent.read",
    "consent.write",
    "audit.read",
    "users.write",
    "settings.read",
    "settings.write",
    "catalog.read",
    "coupons.redeem",
)

ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    "owner": frozenset(PERMISSIONS),
    "operator": frozenset(PERMISSIONS) - {"audit.read", "users.write", "people.reveal", "settings.write"},
    "analyst": frozenset(
        {
            "analytics.read",
            "audiences.read",
            "audiences.write",
            "people.read",
            "journeys.read",
            "sends.read",
            "sources.read",
            "catalog.read",
            "consent.read",
        }
    ),
    "guide": frozenset(
        {"people.read", "people.write", "consent.read", "consent.write", "catalog.read", "coupons.redeem"}
    ),
    "compliance": frozenset(
        {
            "people.read",
            "people.reveal",
            "people.export",
            "consent.read",
            "consent.write",
            "audit.read",
            "sends.read",
            "sources.read",
            "journeys.read",
            "audiences.read",
            "catalog.read",
        }
    ),
}

# What concerns a brand as a whole. Whoever sees only some stores, or only their own customers, holds none of these
# whatever the role: neither the brand's books and ledgers, nor what changes something for customers of others.
WHOLE_BRAND: frozenset[str] = frozenset(
    {
        "audit.read",
        "users.write",
        "settings.read",
        "settings.write",
        "sources.read",
        "sources.write",
        "journeys.write",
        "journeys.publish",
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the data that a caller sees: one brand, all or some of its stores, or one guide's customers.

    `store_ids` None means every store; `staff_id` set means only customers whom that guide owns.
    """

    brand_id: int
    brand: str
    currency: str = "CNY"
    time_zone: str = "Asia/Shanghai"
    store_ids: frozenset[str] | None = None
    staff_id: str | None = None

    @property
    def whole_brand(self) -> bool:
        """Whether everything of the brand is visible."""
        return self.store_ids is None and self.staff_id is None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a user, an API client, or the product itself; with what permissions and scope."""

    kind: CallerKind
    id: str
    name: str
    scope: Scope
    permissions: frozenset[str] = field(default_factory=frozenset)
    role: str | None = None
    language: str = "zh"
    request_id: str | None = None
    brands: frozenset[str] = frozenset()  # keys of every brand that the caller may choose

    def may(self, permission: str) -> bool:
        """Whether the caller holds `permission`."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise Denied unless the caller holds `permission`."""
        if permission in self.permissions:
            return
        title = Label("没有权限", "You do not have permission")
        if permission in WHOLE_BRAND and not self.scope.whole_brand:
            zh = f"权限 {permission} 涉及整个品牌，限定门店或导购范围的账号不能使用；请联系品牌管理员"
            en = f"{permission} concerns the whole brand, this account only a part of it; ask the brand's administrator"
            raise Denied(title=title, detail=Label(zh, en))
        zh, en = f"需要权限 {permission}，请联系管理员", f"This needs {permission}; ask an administrator"
        raise Denied(title=title, detail=Label(zh, en))


def permissions_of(role: str, *, whole_brand: bool) -> frozenset[str]:
    """What a role may do with a whole brand in view, or with a part of it."""
    held = ROLE_PERMISSIONS[role]
    return held if whole_brand else held - WHOLE_BRAND


def system_caller(scope: Scope, name: str = "system") -> Caller:
    """The product acting by itself within a whole brand."""
    return Caller("system", name, name, scope, frozenset(PERMISSIONS), role="owner")
