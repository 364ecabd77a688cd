"""The caller and the scope that every door takes, and the permissions there are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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

    def may(self, permission: str) -> bool:
        """Whether the caller holds `permission`."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise Denied unless the caller holds `permission`."""
        if permission not in self.permissions:
            raise Denied(
                title=Label("没有权限", "You do not have permission"),
                detail=Label(f"需要权限 {permission}，请联系管理员", f"This needs {permission}; ask an administrator"),
            )

    def with_scope(self, scope: Scope) -> Caller:
        """The same caller within another scope."""
        return replace(self, scope=scope)


def system_caller(scope: Scope, name: str = "system") -> Caller:
    """The product acting by itself within a whole brand."""
    return Caller("system", name, name, scope, frozenset(PERMISSIONS), role="owner")
