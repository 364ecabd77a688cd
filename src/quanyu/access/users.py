"""Users, their passwords and sessions.

Passwords are argon2id hashes; session tokens are stored as SHA-256 only. A session is looked up together with
its user on every request, so it dies with the user: disabling one takes effect on the next request.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from quanyu.access.errors import session_missing, sign_in_refused, too_many_attempts, user_not_found, username_taken
from quanyu.access.tables import user_account, user_session
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import FieldError, Invalid
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.storage.state import State

_MIN_PASSWORD = 10
_FAILURES = 8
_LOCK_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class User:
    """A person who works with the console. `stores` None means every store of the brands."""

    user_id: str
    username: str
    name: str
    role: str
    brands: tuple[str, ...]
    stores: tuple[str, ...] | None
    staff_id: str | None
    language: str
    active: bool
    seen_at: datetime | None

    @property
    def store_ids(self) -> frozenset[str] | None:
        """The stores as a scope has them."""
        return frozenset(self.stores) if self.stores is not None else None

    @property
    def whole_brand(self) -> bool:
        """Whether nothing of the user's brands is out of view."""
        return self.stores is None and self.staff_id is None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session: the secret token for the cookie, and what guards against forged requests."""

    user: User
    token: str
    csrf: str
    expires_at: datetime


def csrf_of(token: str) -> str:
    """The value that unsafe requests of this session must carry in `X-CSRF-Token`."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


class Users:
    """Makes, changes and signs in users."""

    def __init__(self, state: State, clock: Clock, ids: Ids, *, session_hours: int = 12) -> None:
        self._state = state
        self._clock = clock
        self._ids = ids
        self._session = timedelta(hours=session_hours)
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")

    def create(
        self,
        *,
        username: str,
        name: str,
        role: str,
        brands: list[str],
        password: str,
        stores: list[str] | None = None,
        staff_id: str | None = None,
        language: str = "zh",
        tx: sa.Connection | None = None,
    ) -> User:
        """Make a user.

        Raises Conflict for a taken username, Invalid for a weak password or a guide without a staff id.
        """
        _check_password(password)
        if role == "guide" and not staff_id:
            raise Invalid(
                "staff_id_missing",
                Label("导购账号需要填写员工编号", "A guide needs a staff id"),
                fields=(FieldError("staff_id", Label("必填", "Required")),),
            )
        row = {
            "user_id": self._ids.new("u"),
            "username": username.strip().lower(),
            "name": name,
            "role": role,
            "brands": brands,
            "stores": stores,
            "staff_id": staff_id if role == "guide" else None,
            "language": language,
            "password_hash": self._hasher.hash(password),
            "active": True,
            "made_at": self._clock.now(),
        }
        if tx is None:
            with self._state.write() as own:
                return self._insert(own, row)
        return self._insert(tx, row)

    def _insert(self, tx: sa.Connection, row: dict[str, Any]) -> User:
        taken = tx.execute(sa.select(user_account.c.user_id).where(user_account.c.username == row["username"])).first()
        if taken:
            raise username_taken(row["username"])
        tx.execute(sa.insert(user_account).values(row))
        return self._one(tx, row["user_id"])

    def update(self, tx: sa.Connection, user_id: str, changes: dict[str, Any]) -> User:
        """Change a user. A new password, role or scope, or disabling, ends the user's sessions at once."""
        values = dict(changes)
        password = values.pop("password", None)
        if password is not None:
            _check_password(password)
            values["password_hash"] = self._hasher.hash(password)
        before = self._one(tx, user_id)
        if values:
            tx.execute(sa.update(user_account).where(user_account.c.user_id == user_id).values(**values))
        if set(changes) & {"password", "role", "brands", "stores", "staff_id"} or changes.get("active") is False:
            tx.execute(sa.delete(user_session).where(user_session.c.user_id == before.user_id))
        return self._one(tx, user_id)

    def list(self) -> list[User]:
        """All users by name."""
        with self._state.read() as tx:
            return [_user(row) for row in tx.execute(sa.select(user_account).order_by(user_account.c.username))]

    def sign_in(self, username: str, password: str) -> SignedIn:
        """Check a password and open a session.

        Raises NotSignedIn (one answer for every cause) or TooMany after repeated failures.
        """
        now = self._clock.now()
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(user_account).where(user_account.c.username == username.strip().lower())
            ).one_or_none()
        if row is not None and row.locked_until and row.locked_until > now:
            raise too_many_attempts((row.locked_until - now).total_seconds())
        # An unknown name costs the same time as a wrong password.
        good = self._verify(row.password_hash if row else self._nobody, password)
        if row is None or not good or not row.active:
            if row is not None:
                self._note_failure(row, now)
            raise sign_in_refused()
        token = self._ids.token()
        expires_at = now + self._session
        with self._state.write() as tx:
            tx.execute(
                sa.update(user_account)
                .where(user_account.c.user_id == row.user_id)
                .values(failures=0, locked_until=None, seen_at=now)
            )
            tx.execute(sa.delete(user_session).where(user_session.c.expires_at < now))
            tx.execute(
                sa.insert(user_session).values(
                    token_hash=_hash(token), user_id=row.user_id, made_at=now, expires_at=expires_at
                )
            )
        return SignedIn(_user(row), token, csrf_of(token), expires_at)

    def session(self, token: str) -> User:
        """The user of a session token. Raises NotSignedIn when it is unknown, expired or its user is disabled."""
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(user_account)
                .join(user_session, user_session.c.user_id == user_account.c.user_id)
                .where(
                    user_session.c.token_hash == _hash(token),
                    user_session.c.expires_at > self._clock.now(),
                    user_account.c.active,
                )
            ).one_or_none()
        if row is None:
            raise session_missing()
        return _user(row)

    def sign_out(self, token: str) -> None:
        """End a session; an unknown token is no error."""
        with self._state.write() as tx:
            tx.execute(sa.delete(user_session).where(user_session.c.token_hash == _hash(token)))

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    def _note_failure(self, row: Any, now: datetime) -> None:
        failures = row.failures + 1
        locked = now + _LOCK_FOR if failures >= _FAILURES else None
        with self._state.write() as tx:
            tx.execute(
                sa.update(user_account)
                .where(user_account.c.user_id == row.user_id)
                .values(failures=0 if locked else failures, locked_until=locked)
            )

    def _one(self, tx: sa.Connection, user_id: str) -> User:
        row = tx.execute(sa.select(user_account).where(user_account.c.user_id == user_id)).one_or_none()
        if row is None:
            raise user_not_found(user_id)
        return _user(row)


def _check_password(password: str) -> None:
    if len(password) < _MIN_PASSWORD:
        raise Invalid(
            "password_weak",
            Label("密码太短", "The password is too short"),
            fields=(
                FieldError(
                    "password",
                    Label(f"至少 {_MIN_PASSWORD} 个字符", f"At least {_MIN_PASSWORD} characters"),
                ),
            ),
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _user(row: Any) -> User:
    return User(
        row.user_id,
        row.username,
        row.name,
        row.role,
        tuple(row.brands),
        tuple(row.stores) if row.stores is not None else None,
        row.staff_id,
        row.language,
        bool(row.active),
        row.seen_at,
    )
