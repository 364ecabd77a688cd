"""The door of access: brands, users, API clients, the guard and the audit ledger, put together."""

from __future__ import annotations

from quanyu.access.audit import Audit, AuditEntry, Verification
from quanyu.access.brands import Brand, Brands
from quanyu.access.clients import ApiClient, ApiClients
from quanyu.access.guard import COOKIE, Guard
from quanyu.access.users import SignedIn, User, Users, csrf_of
from quanyu.kernel.clock import Clock
from quanyu.kernel.ids import Ids
from quanyu.storage.state import State

__all__ = [
    "COOKIE",
    "Access",
    "ApiClient",
    "ApiClients",
    "Audit",
    "AuditEntry",
    "Brand",
    "Brands",
    "Guard",
    "SignedIn",
    "User",
    "Users",
    "Verification",
    "csrf_of",
]


class Access:
    """Everything about who may do what, over one state store."""

    def __init__(self, state: State, clock: Clock, ids: Ids, *, session_hours: int = 12) -> None:
        self.state = state
        self.brands = Brands(state, clock)
        self.users = Users(state, clock, ids, session_hours=session_hours)
        self.clients = ApiClients(state, clock, ids)
        self.audit = Audit(state, clock)
        self.guard = Guard(self.users, self.clients, self.brands)
