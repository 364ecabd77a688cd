"""Who gets in, for how long, and what the ledger keeps."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from quanyu.access.api import Access
from quanyu.access.audit import Verification
from quanyu.access.contracts import Caller, Scope, system_caller
from quanyu.access.tables import audit_entry, user_account, user_session
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import Conflict, Invalid, NotSignedIn, TooMany
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.storage.state import State

GOOD = "correct horse battery"


@pytest.fixture
def access(state: State, clock: ManualClock, ids: SeededIds) -> Access:
    made = Access(state, clock, ids)
    made.brands.create(key="a", name=Label("甲", "A"), currency="CNY", time_zone="Asia/Shanghai")
    made.users.create(username="Wang", name="王", role="owner", brands=["a"], password=GOOD)
    return made


def test_a_password_opens_a_session_that_ends(access: Access, clock: ManualClock):
    opened = access.users.sign_in("wang", GOOD)
    assert access.users.session(opened.token).username == "wang"
    clock.advance(timedelta(hours=12, seconds=1))
    with pytest.raises(NotSignedIn):
        access.users.session(opened.token)


def test_neither_passwords_nor_tokens_nor_keys_are_stored(access: Access, state: State):
    opened = access.users.sign_in("wang", GOOD)
    with state.write() as tx:
        _, key = access.clients.create(tx, name="till", permissions=["coupons.redeem"], brands=["a"])
    assert access.clients.by_key(key).name == "till"
    with state.read() as tx:
        stored = repr(tx.execute(sa.select(user_account)).all()) + repr(tx.execute(sa.select(user_session)).all())
        stored += repr(tx.execute(sa.text("select * from api_client")).all())
    for secret in (GOOD, opened.token, key):
        assert secret not in stored
    assert "$argon2id$" in stored


def test_a_disabled_user_is_out_on_the_next_request(access: Access, state: State):
    opened = access.users.sign_in("wang", GOOD)
    with state.write() as tx:
        access.users.update(tx, opened.user.user_id, {"active": False})
    with pytest.raises(NotSignedIn):
        access.users.session(opened.token)
    with pytest.raises(NotSignedIn):
        access.users.sign_in("wang", GOOD)


def test_a_narrowed_scope_ends_the_session(access: Access, state: State):
    opened = access.users.sign_in("wang", GOOD)
    with state.write() as tx:
        access.users.update(tx, opened.user.user_id, {"stores": ["s1"]})
    with pytest.raises(NotSignedIn):
        access.users.session(opened.token)


def test_guessing_locks_the_account_for_a_while(access: Access, clock: ManualClock):
    for _ in range(8):
        with pytest.raises(NotSignedIn):
            access.users.sign_in("wang", "wrong password")
    with pytest.raises(TooMany) as refused:
        access.users.sign_in("wang", GOOD)
    assert refused.value.retry_after == 600
    clock.advance(timedelta(minutes=10, seconds=1))
    assert access.users.sign_in("wang", GOOD).user.name == "王"


def test_bad_users_are_refused_in_words(access: Access):
    with pytest.raises(Conflict):
        access.users.create(username="wang", name="x", role="owner", brands=["a"], password=GOOD)
    with pytest.raises(Invalid):
        access.users.create(username="li", name="x", role="owner", brands=["a"], password="short")
    with pytest.raises(Invalid):
        access.users.create(username="li", name="x", role="guide", brands=["a"], password=GOOD)


def test_a_revoked_key_is_out(access: Access, state: State):
    with state.write() as tx:
        client, key = access.clients.create(tx, name="till", permissions=["coupons.redeem"], brands=["a"])
    with state.write() as tx:
        access.clients.revoke(tx, client.client_id, client.brands)
    with pytest.raises(NotSignedIn):
        access.clients.by_key(key)


def somebody() -> Caller:
    return system_caller(Scope(1, "a"))


def test_the_ledger_keeps_order_and_scope(access: Access):
    for number in range(3):
        access.audit.record(somebody(), "person_seen", f"p_{number}", {"fields": ["phone"]})
    access.audit.record(system_caller(Scope(2, "b")), "person_seen", "p_9")
    assert [entry.subject for entry in access.audit.entries(Scope(1, "a"))] == ["p_2", "p_1", "p_0"]
    assert [entry.number for entry in access.audit.entries(Scope(1, "a"))] == [3, 2, 1]
    assert [entry.number for entry in access.audit.entries(Scope(1, "a"), before=3)] == [2, 1]
    assert access.audit.verify(Scope(1, "a")) == Verification(True, 3, None)
    assert access.audit.verify(Scope(2, "b")) == Verification(True, 1, None)


def test_the_database_refuses_to_change_the_ledger(access: Access, state: State):
    access.audit.record(somebody(), "person_seen", "p_1")
    for statement in (sa.update(audit_entry).values(subject="x"), sa.delete(audit_entry)):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), state.write() as tx:
            tx.execute(statement)


def test_a_changed_row_breaks_the_chain(access: Access, state: State):
    access.audit.record(system_caller(Scope(2, "b")), "person_seen", "p_9")
    for number in range(5):
        access.audit.record(somebody(), "person_seen", f"p_{number}")
    change = sa.update(audit_entry)
    third = (audit_entry.c.brand_id == 1) & (audit_entry.c.number == 3)
    by_hand(state, change.where(third).values(subject="p_x"))
    assert access.audit.verify(Scope(1, "a")) == Verification(False, 3, 3)
    # To the other brand it says that the chain broke, and nothing of where.
    assert access.audit.verify(Scope(2, "b")) == Verification(False, 1, None)


@pytest.mark.parametrize("values", [{"number": 9}, {"brand_id": 2}], ids=["renumbered", "given to another brand"])
def test_a_moved_row_breaks_the_chain(access: Access, state: State, values: dict[str, int]):
    for number in range(3):
        access.audit.record(somebody(), "person_seen", f"p_{number}")
    by_hand(state, sa.update(audit_entry).where(audit_entry.c.number == 2).values(**values))
    assert not access.audit.verify(Scope(1, "a")).intact


def by_hand(state: State, change: sa.Update) -> None:
    """Change the ledger as an intruder with the database in hand would."""
    with state.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
        else:
            tx.execute(sa.text("DROP TRIGGER audit_entry_no_update"))
        tx.execute(change)
