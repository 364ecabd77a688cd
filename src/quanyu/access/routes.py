"""Routes of access: session, users, API clients, the audit ledger.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name the local guard.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import COOKIE, Access, csrf_of
from quanyu.access.clients import ApiClient
from quanyu.access.contracts import Caller, permissions_of
from quanyu.access.errors import brand_not_found, session_missing, user_not_found
from quanyu.access.users import User
from quanyu.kernel.errors import Denied
from quanyu.kernel.label import Label


class Strict(BaseModel):
    """A body that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class LabelOut(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class Credentials(Strict):
    """A username and its password."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=500)


class SessionUser(BaseModel):
    """The signed-in user."""

    user_id: str
    username: str
    name: str
    role: str
    language: str


class SessionBrand(BaseModel):
    """A brand that the user may choose."""

    brand: str
    name: LabelOut
    currency: str
    time_zone: str


class Product(BaseModel):
    """Facts about the installation."""

    version: str
    demo: bool
    sandbox_url: str | None = None


class SessionOut(BaseModel):
    """Who is signed in, with what permissions, in which brands."""

    user: SessionUser
    brands: list[SessionBrand]
    stores: list[str] | None
    permissions: list[str]
    csrf: str
    product: Product


class UserOut(BaseModel):
    """A user as an administrator sees one."""

    user_id: str
    username: str
    name: str
    role: str
    brands: list[str]
    stores: list[str] | None
    staff_id: str | None
    active: bool
    last_seen_at: datetime | None


RoleName = Literal["owner", "operator", "analyst", "guide", "compliance"]


class UserIn(Strict):
    """A new user."""

    username: str = Field(min_length=2, max_length=100)
    name: str = Field(min_length=1, max_length=100)
    role: RoleName
    brands: list[str] = Field(min_length=1)
    stores: list[str] | None = None
    staff_id: str | None = None
    password: str = Field(max_length=500)


class UserChange(Strict):
    """What changes about a user; fields left out stay."""

    name: str | None = None
    role: RoleName | None = None
    brands: list[str] | None = None
    stores: list[str] | None = None
    staff_id: str | None = None
    active: bool | None = None
    password: str | None = None


class UserPage(BaseModel):
    """All users."""

    items: list[UserOut]
    next_cursor: str | None = None
    total: int | None = None


class ClientOut(BaseModel):
    """An API client."""

    client_id: str
    name: str
    permissions: list[str]
    brands: list[str]
    key_hint: str
    active: bool
    made_at: datetime


class ClientMade(ClientOut):
    """A new API client with its key, shown this once."""

    key: str


class ClientIn(Strict):
    """A new API client."""

    name: str = Field(min_length=1, max_length=100)
    permissions: list[str]
    brands: list[str] = Field(min_length=1)


class ClientPage(BaseModel):
    """All API clients."""

    items: list[ClientOut]
    next_cursor: str | None = None
    total: int | None = None


class Actor(BaseModel):
    """Who did it."""

    kind: str
    id: str
    name: str


class AuditOut(BaseModel):
    """One line of the ledger; `audit_id` counts the brand's lines from 1."""

    audit_id: int
    at: datetime
    actor: Actor
    action: str
    subject: str
    detail: dict[str, Any]
    count: int
    request_id: str | None


class AuditPage(BaseModel):
    """A page of the ledger, newest first."""

    items: list[AuditOut]
    next_cursor: str | None = None
    total: int | None = None


class VerificationOut(BaseModel):
    """Whether the ledger's chain is whole: `entries` of the brand were read, `broken_at` is the first that is wrong.

    The chain runs through the entries of every brand: one that is not intact without `broken_at` broke elsewhere.
    """

    intact: bool
    entries: int
    broken_at: int | None


def router(access: Access, *, version: str, demo: bool, sandbox_url: str | None, secure_cookies: bool) -> APIRouter:
    """The routes of access."""
    routes = APIRouter(tags=["access"])
    guard = access.guard

    def session_out(user: User, token: str) -> SessionOut:
        brands = [access.brands.get(key) for key in user.brands]
        return SessionOut(
            user=SessionUser(
                user_id=user.user_id, username=user.username, name=user.name, role=user.role, language=user.language
            ),
            brands=[
                SessionBrand(
                    brand=item.key,
                    name=LabelOut(zh=item.name.zh, en=item.name.en),
                    currency=item.currency,
                    time_zone=item.time_zone,
                )
                for item in brands
            ],
            stores=list(user.stores) if user.stores is not None else None,
            permissions=sorted(permissions_of(user.role, whole_brand=user.whole_brand)),
            csrf=csrf_of(token),
            product=Product(version=version, demo=demo, sandbox_url=sandbox_url),
        )

    @routes.post("/session", summary="Sign in")
    def sign_in(body: Credentials, response: Response) -> SessionOut:
        opened = access.users.sign_in(body.username, body.password)
        response.set_cookie(
            COOKIE,
            opened.token,
            httponly=True,
            samesite="lax",
            secure=secure_cookies,
            expires=opened.expires_at,
            path="/",
        )
        return session_out(opened.user, opened.token)

    @routes.get("/session", summary="Who is signed in")
    def read_session(request: Request) -> SessionOut:
        token = request.cookies.get(COOKIE)
        if not token:
            raise session_missing()
        return session_out(access.users.session(token), token)

    @routes.delete("/session", status_code=204, summary="Sign out")
    def sign_out(request: Request, response: Response) -> None:
        guard.caller(request, None)  # refuses a forged request
        access.users.sign_out(request.cookies.get(COOKIE, ""))
        response.delete_cookie(COOKIE, path="/")

    @routes.get("/users", summary="All users")
    def list_users(caller: Annotated[Caller, Depends(guard.permit("users.write"))]) -> UserPage:
        visible = [user for user in access.users.list() if caller.scope.brand in user.brands]
        return UserPage(items=[_user_out(user) for user in visible], total=len(visible))

    @routes.post("/users", status_code=201, summary="Make a user")
    def create_user(body: UserIn, caller: Annotated[Caller, Depends(guard.permit("users.write"))]) -> UserOut:
        _within(caller, body.brands)
        with access.state.write() as tx:
            user = access.users.create(**body.model_dump(), tx=tx)
            access.audit.record(caller, "user_made", user.user_id, {"role": user.role}, tx=tx)
        return _user_out(user)

    @routes.patch("/users/{user_id}", summary="Change or disable a user")
    def update_user(
        user_id: str, body: UserChange, caller: Annotated[Caller, Depends(guard.permit("users.write"))]
    ) -> UserOut:
        changes = body.model_dump(exclude_unset=True)
        _within(caller, changes.get("brands") or [])
        _reachable_user(access, caller, user_id)
        if user_id == caller.id and (changes.get("active") is False or changes.get("role", "owner") != "owner"):
            raise Denied(
                "own_account", Label("不能停用或降级自己的账号", "You cannot disable or demote your own account")
            )
        with access.state.write() as tx:
            user = access.users.update(tx, user_id, changes)
            fields = sorted(changes)
            access.audit.record(caller, "user_changed", user_id, {"fields": fields}, tx=tx)
        return _user_out(user)

    @routes.get("/api-clients", summary="All API clients")
    def list_api_clients(caller: Annotated[Caller, Depends(guard.permit("users.write"))]) -> ClientPage:
        found = [item for item in access.clients.list() if caller.scope.brand in item.brands]
        return ClientPage(items=[ClientOut(**_client_fields(item)) for item in found], total=len(found))

    @routes.post("/api-clients", status_code=201, summary="Make an API client; its key is shown once")
    def create_api_client(
        body: ClientIn, caller: Annotated[Caller, Depends(guard.permit("users.write"))]
    ) -> ClientMade:
        _within(caller, body.brands)
        with access.state.write() as tx:
            client, key = access.clients.create(tx, name=body.name, permissions=body.permissions, brands=body.brands)
            access.audit.record(caller, "api_client_made", client.client_id, {"permissions": body.permissions}, tx=tx)
        return ClientMade(key=key, **_client_fields(client))

    @routes.delete("/api-clients/{client_id}", status_code=204, summary="Revoke an API client")
    def revoke_api_client(client_id: str, caller: Annotated[Caller, Depends(guard.permit("users.write"))]) -> None:
        with access.state.write() as tx:
            access.clients.revoke(tx, client_id, caller.brands)
            access.audit.record(caller, "api_client_revoked", client_id, tx=tx)

    @routes.get("/audit", summary="The audit ledger, newest first")
    def list_audit(
        caller: Annotated[Caller, Depends(guard.permit("audit.read"))],
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        cursor: Annotated[int | None, Query(description="Entries before this one")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> AuditPage:
        found = access.audit.entries(
            caller.scope, actor=actor, action=action, subject=subject, before=cursor, limit=limit
        )
        items = [
            AuditOut(
                audit_id=entry.number,
                at=entry.at,
                actor=Actor(kind=entry.actor_kind, id=entry.actor_id, name=entry.actor_name),
                action=entry.action,
                subject=entry.subject,
                detail=entry.detail,
                count=entry.count,
                request_id=entry.request_id,
            )
            for entry in found
        ]
        return AuditPage(items=items, next_cursor=str(items[-1].audit_id) if len(items) == limit else None)

    @routes.get("/audit/verification", summary="Check the ledger's chain")
    def verify_audit(caller: Annotated[Caller, Depends(guard.permit("audit.read"))]) -> VerificationOut:
        result = access.audit.verify(caller.scope)
        access.audit.record(caller, "audit_verified", "audit", {"intact": result.intact})
        return VerificationOut(intact=result.intact, entries=result.entries, broken_at=result.broken_at)

    return routes


def _reachable_user(access: Access, caller: Caller, user_id: str) -> None:
    """A user of other brands reads as one that does not exist."""
    for user in access.users.list():
        if user.user_id == user_id and set(user.brands) <= caller.brands:
            return
    raise user_not_found(user_id)


def _within(caller: Caller, brands: list[str]) -> None:
    """Nobody hands out a brand that is not their own; an unknown one reads the same."""
    for key in brands:
        if key not in caller.brands:
            raise brand_not_found(key)


def _user_out(user: User) -> UserOut:
    return UserOut(
        user_id=user.user_id,
        username=user.username,
        name=user.name,
        role=user.role,
        brands=list(user.brands),
        stores=list(user.stores) if user.stores is not None else None,
        staff_id=user.staff_id,
        active=user.active,
        last_seen_at=user.seen_at,
    )


def _client_fields(client: ApiClient) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "permissions": list(client.permissions),
        "brands": list(client.brands),
        "key_hint": client.key_hint,
        "active": client.active,
        "made_at": client.made_at,
    }
