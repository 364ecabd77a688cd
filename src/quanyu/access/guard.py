"""The guard of every route: from a request to a `Caller`, or a refusal.

Console users come with a session cookie and, for anything that changes, the matching `X-CSRF-Token`; programs
come with `Authorization: Bearer qk_…`. `?brand=` chooses among the caller's brands; a brand outside them reads
as one that does not exist.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from fastapi import Query, Request

from quanyu.access.brands import Brands
from quanyu.access.clients import ApiClients
from quanyu.access.contracts import Caller, permissions_of
from quanyu.access.errors import brand_not_found, session_missing
from quanyu.access.users import Users, csrf_of
from quanyu.kernel.errors import Denied
from quanyu.kernel.label import Label

COOKIE = "quanyu_session"
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Guard:
    """Turns requests into callers."""

    def __init__(self, users: Users, clients: ApiClients, brands: Brands) -> None:
        self._users = users
        self._clients = clients
        self._brands = brands

    def permit(self, *permissions: str) -> Callable[..., Caller]:
        """A FastAPI dependency: the caller, who holds all of `permissions`."""

        def dependency(
            request: Request, brand: str | None = Query(None, description="Brand key; the caller's first if left out")
        ) -> Caller:
            caller = self.caller(request, brand)
            for permission in permissions:
                caller.require(permission)
            return caller

        # The matrix test reads them from the route to know who may pass.
        dependency.__dict__["permissions"] = permissions
        return dependency

    def caller(self, request: Request, brand: str | None) -> Caller:
        """Who asks. Raises NotSignedIn, Denied (forged request) or NotFound (brand)."""
        language = "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"
        request_id = getattr(request.state, "request_id", None)
        header = request.headers.get("authorization", "")
        if header.lower().startswith("bearer "):
            client = self._clients.by_key(header[7:].strip())
            key = self._choose(brand, client.brands)
            return Caller(
                "client",
                client.client_id,
                client.name,
                self._brands.get(key).scope(),
                frozenset(client.permissions),
                language=language,
                request_id=request_id,
                brands=frozenset(client.brands),
            )
        token = request.cookies.get(COOKIE)
        if not token:
            raise session_missing()
        user = self._users.session(token)
        if request.method not in _SAFE and not hmac.compare_digest(
            request.headers.get("x-csrf-token", ""), csrf_of(token)
        ):
            raise Denied(
                "csrf_token_wrong",
                Label("请求来源校验失败", "The request's origin could not be verified"),
                detail=Label("请刷新页面后重试", "Reload the page and try again"),
            )
        key = self._choose(brand, user.brands)
        scope = self._brands.get(key).scope(user.store_ids, user.staff_id)
        return Caller(
            "user",
            user.user_id,
            user.name,
            scope,
            permissions_of(user.role, whole_brand=scope.whole_brand),
            role=user.role,
            language=language,
            request_id=request_id,
            brands=frozenset(user.brands),
        )

    def sees_installation(self, caller: Caller) -> bool:
        """Whether the caller has every brand of the installation, whole: only then are its own numbers theirs."""
        return caller.scope.whole_brand and caller.brands >= {brand.key for brand in self._brands.list()}

    def _choose(self, wanted: str | None, allowed: tuple[str, ...]) -> str:
        if wanted is None:
            if not allowed:
                raise brand_not_found("-")
            return allowed[0]
        if wanted not in allowed:
            raise brand_not_found(wanted)
        return wanted
