"""The rule of consent, as a function and as SQL: default deny, the most restrictive wins, undoing is exact."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.access.api import Access
from quanyu.consent.api import Consent
from quanyu.consent.contracts import CHANNELS, Said, Status
from quanyu.consent.standing import Lift, Stated, stands
from quanyu.consent.tables import consent_entry, consent_lift, consent_state
from quanyu.identity.api import Identity
from quanyu.identity.tables import identifier, link, person
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import Invalid, NotFound
from quanyu.kernel.ids import SeededIds
from quanyu.storage.outbox import take
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity.support import Event, batch, caller, door, load

BRANDS = itertools.count(500)
T = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def identity(state: State, vault: Vault, clock: ManualClock, ids: SeededIds) -> Identity:
    return door(state, vault, clock, ids)


@pytest.fixture
def consent(state: State, identity: Identity, clock: ManualClock, ids: SeededIds) -> Consent:
    return Consent(state, identity, clock, Access(state, clock, ids).audit)


def at(minute: int) -> datetime:
    return T + timedelta(minutes=minute)


def allowed(consent: Consent, channel: str = "sms", brand_id: int = 1) -> set[int]:
    with consent.state.read() as tx:
        return set(tx.execute(consent.allowed_people(caller(brand_id).scope, "marketing", channel)).scalars())


def say(consent: Consent, identifier_id: int, channel: str, status: Status, minute: int, brand_id: int = 1) -> None:
    with consent.state.write() as tx:
        consent.record(tx, brand_id, [Said(identifier_id, "marketing", channel, status, at(minute))])


def two_people(identity: Identity) -> tuple[str, str]:
    load(identity, [Event(1, (("phone", "13912340001"),)), Event(2, (("phone", "13912340002"),))])
    with identity.state.read() as tx:
        one, two = tx.execute(sa.select(person.c.public_id).order_by(person.c.person_id)).scalars()
    return one, two


def test_nobody_may_be_contacted_until_they_said_so(identity: Identity, consent: Consent) -> None:
    two_people(identity)
    assert allowed(consent) == set()
    say(consent, 1, "sms", "granted", 1)
    assert allowed(consent) == {1}
    assert allowed(consent, "wecom") == set()
    with consent.state.read() as tx:
        assert consent.allowed(tx, [1, 2], "service", "sms") == set()


def test_a_withdrawal_for_any_channel_covers_every_channel_until_a_later_grant(
    identity: Identity, consent: Consent
) -> None:
    two_people(identity)
    say(consent, 1, "sms", "granted", 1)
    say(consent, 1, "wecom", "granted", 1)
    say(consent, 1, "any", "denied", 5)
    assert allowed(consent, "sms") == allowed(consent, "wecom") == set()
    say(consent, 1, "sms", "granted", 9)
    assert allowed(consent, "sms") == {1}
    assert allowed(consent, "wecom") == set()


def test_late_statements_do_not_undo_newer_ones_and_a_tie_denies(identity: Identity, consent: Consent) -> None:
    two_people(identity)
    say(consent, 1, "sms", "denied", 10)
    say(consent, 1, "sms", "granted", 5)
    assert allowed(consent) == set()
    say(consent, 2, "sms", "granted", 10)
    say(consent, 2, "sms", "denied", 10)
    say(consent, 2, "sms", "granted", 10)
    assert allowed(consent) == set()


def test_a_merge_takes_the_most_restrictive_and_undoing_it_gives_both_back(
    identity: Identity, consent: Consent
) -> None:
    one, two = two_people(identity)
    say(consent, 1, "sms", "granted", 9)
    say(consent, 2, "sms", "denied", 1)
    merged = identity.merge(caller(), [one, two], "same")
    assert allowed(consent) == set()
    say(consent, 1, "sms", "granted", 20)  # the person themselves, after the merge
    assert allowed(consent) == {1}
    identity.deny(caller(), merged.link_id, "no")
    assert allowed(consent) == {1}
    say(consent, 2, "sms", "granted", 30)
    assert allowed(consent) == {1, 2}


def test_a_grant_through_the_other_identifier_does_not_survive_the_split(identity: Identity, consent: Consent) -> None:
    one, two = two_people(identity)
    say(consent, 2, "sms", "denied", 1)
    merged = identity.merge(caller(), [one, two], "same")
    say(consent, 1, "sms", "granted", 20)
    say(consent, 2, "email", "granted", 20)
    assert allowed(consent) == {1}
    identity.deny(caller(), merged.link_id, "no")
    assert allowed(consent) == {1}
    assert allowed(consent, "email") == {2}


def test_events_are_taken_down_with_their_anchor(identity: Identity, consent: Consent) -> None:
    pair = (("phone", "13912340001"), ("anonymous_id", "c1"))
    grant = '[{"purpose":"marketing","channel":"sms","status":"granted","notice_version":"v3"}]'
    events = [
        Event(1, pair, "identified", more={"consent": grant}),
        Event(2, (("phone", "13912340002"),), "consent_granted", more={"properties": '{"purpose":"marketing"}'}),
        Event(3, (("phone", "13912340003"),), "consent_withdrawn"),
        Event(4, (), "consent_withdrawn"),
        Event(5, pair, "order_paid", more={"consent": "not json"}),
    ]
    with consent.state.write() as tx:
        table = batch(events)
        resolved = identity.resolve(tx, table)
        applied = consent.apply(tx, table, resolved)
        news = [one.payload for one in take(tx, "test", ("consent_changed",))]
        entry = tx.execute(sa.select(consent_entry).order_by(consent_entry.c.seq)).first()
    assert (applied.entries, applied.unplaced) == (2, 2)  # a grant without a channel and an event of nobody
    assert allowed(consent) == {1}
    assert entry is not None
    assert (entry.identifier_id, entry.notice_version, entry.source) == (1, "v3", "web")
    assert news == [{"brand_id": 1, "person_ids": [1, 3]}]


def test_the_ledger_is_chained_and_refuses_to_be_changed(identity: Identity, consent: Consent, state: State) -> None:
    two_people(identity)
    for minute in range(5):
        say(consent, 1 + minute % 2, "sms", "granted" if minute % 2 else "denied", minute)
    scope = caller().scope
    assert consent.verify(scope).intact
    assert consent.verify(scope).entries == 5
    with pytest.raises(sa.exc.DBAPIError), state.write() as tx:
        tx.execute(sa.update(consent_entry).values(status="granted"))
    with pytest.raises(sa.exc.DBAPIError), state.write() as tx:
        tx.execute(sa.delete(consent_entry))
    with state.write() as tx:  # a forger with the rights of the database's owner
        if state.dialect == "sqlite":
            tx.exec_driver_sql("DROP TRIGGER consent_entry_no_update")
        else:
            tx.exec_driver_sql("ALTER TABLE consent_entry DISABLE TRIGGER USER")
        tx.execute(sa.update(consent_entry).where(consent_entry.c.seq == 3).values(channel="wecom"))
    broken = consent.verify(scope)
    assert (broken.intact, broken.broken_at) == (False, 3)


def test_what_a_user_notes_is_audited_and_stays_within_the_scope(
    identity: Identity, consent: Consent, state: State
) -> None:
    one, _ = two_people(identity)
    owner, guide = caller(), caller(staff_id="s1")
    noted = consent.note_person(owner, one, purpose="marketing", channel="sms", status="granted", evidence="form 7")
    assert (noted.entry.consent_id, noted.too_late) == ("c_1", ())
    assert allowed(consent) == {1}
    with pytest.raises(NotFound):
        consent.note_person(guide, one, purpose="marketing", channel="sms", status="withdrawn")
    words = {"purpose": "marketing", "channel": "sms", "status": "withdrawn"}
    with pytest.raises(NotFound):
        consent.note_value(guide, "phone", "13912340001", **words)
    with pytest.raises(NotFound):
        consent.note_value(guide, "phone", "13912340099", **words)
    with pytest.raises(Invalid):
        consent.note_value(owner, "phone", "12", **words)
    with pytest.raises(Invalid):
        consent.note_person(owner, one, purpose="spam", channel="sms", status="granted")
    consent.note_value(owner, "phone", "+86 139 1234 0001", **words)
    assert allowed(consent) == set()
    assert [line.status for line in consent.entries(owner.scope, one)] == ["denied", "granted"]
    assert consent.entries(guide.scope) == []
    with state.read() as tx:
        actions = list(tx.execute(sa.text("SELECT action FROM audit_entry ORDER BY seq")).scalars())
    assert actions == ["consent_recorded", "consent_recorded"]


def test_a_person_s_page_and_the_summary_agree(identity: Identity, consent: Consent) -> None:
    one, two = two_people(identity)
    say(consent, 1, "sms", "granted", 1)
    say(consent, 2, "any", "denied", 1)
    scope = caller().scope
    with consent.state.read() as tx:
        standings = [
            {
                (found.purpose, found.channel): found.status
                for found in consent.of_person(tx, identity.person_of(who, scope, tx))
            }
            for who in (one, two)
        ]
    assert standings[0]["marketing", "sms"] == "granted"
    assert standings[0]["marketing", "wecom"] == "unknown"
    assert standings[1]["marketing", "sms"] == standings[1]["marketing", "any"] == "denied"
    tallies = {(tally.purpose, tally.channel): tally for tally in consent.summary(scope)}
    sms = tallies["marketing", "sms"]
    assert (sms.granted, sms.denied, sms.unknown) == (1, 1, 0)
    assert all(tally.unknown == 0 for tally in consent.summary(caller(staff_id="nobody").scope))


said_strategy = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["sms", "wecom", "any"]),
        st.sampled_from(["granted", "denied"]),
        st.integers(0, 6),
    ),
    max_size=12,
)


@given(said_strategy, st.lists(st.integers(1, 12), min_size=0, max_size=3), st.sampled_from([(1, 2), (1, 3), (2, 4)]))
@settings(max_examples=25)
def test_sql_and_function_agree_through_merges_and_splits(
    state: State,
    identity: Identity,
    clock: ManualClock,
    ids: SeededIds,
    vault: Vault,
    said: list[tuple[int, str, Status, int]],
    cuts: list[int],
    pair: tuple[int, int],
) -> None:
    brand_id = next(BRANDS)
    vault.prepare(brand_id, ("index", "seal"))
    consent = Consent(state, identity, clock, Access(state, clock, ids).audit)
    load(identity, [Event(i, (("phone", f"1391234100{i}"),)) for i in range(1, 5)], brand_id)
    with state.read() as tx:
        found = tx.execute(
            sa.select(identifier.c.identifier_id, person.c.public_id)
            .join(person, person.c.person_id == identifier.c.person_id)
            .where(identifier.c.brand_id == brand_id)
            .order_by(identifier.c.identifier_id)
        ).all()
    who = caller(brand_id)
    merged = None
    for position, (place, channel, status, minute) in enumerate(said):
        if position in cuts:
            if merged is None:
                merged = identity.merge(who, [found[pair[0] - 1][1], found[pair[1] - 1][1]], "m").link_id
            else:
                identity.deny(who, merged, "d") if position % 2 else identity.merge(
                    who, [found[pair[0] - 1][1], found[pair[1] - 1][1]], "again"
                ) if _apart(state, found, pair) else None
        say(consent, found[place - 1][0], channel, status, minute, brand_id)
    with state.read() as tx:
        states = [
            Stated(row.identifier_id, row.purpose, row.channel, row.status, row.at)
            for row in tx.execute(
                sa.select(
                    consent_state.c.identifier_id,
                    consent_state.c.purpose,
                    consent_state.c.channel,
                    consent_state.c.status,
                    sa.type_coerce(consent_state.c.at, sa.BigInteger).label("at"),
                ).where(consent_state.c.brand_id == brand_id)
            )
        ]
        lifts = [
            Lift(row[0], row[1], row[2], row[3], row[4], row[5])
            for row in tx.execute(
                sa.select(
                    consent_lift.c.identifier_id,
                    consent_lift.c.purpose,
                    consent_lift.c.channel,
                    consent_lift.c.by_identifier_id,
                    consent_lift.c.by_channel,
                    sa.type_coerce(consent_lift.c.at, sa.BigInteger),
                )
            )
        ]
        holders: dict[int, list[int]] = {}
        for number, owner in tx.execute(
            sa.select(identifier.c.identifier_id, identifier.c.person_id).where(identifier.c.brand_id == brand_id)
        ):
            holders.setdefault(owner, []).append(number)
        for channel in ("sms", "wecom", "any"):
            standing = {owner: stands(states, lifts, held, "marketing", channel)[0] for owner, held in holders.items()}
            granted = {owner for owner, status in standing.items() if status == "granted"}
            refused = {owner for owner, status in standing.items() if status == "denied"}
            scope = who.scope
            assert set(tx.execute(consent.allowed_people(scope, "marketing", channel)).scalars()) == granted
            assert set(tx.execute(consent.denied_people(scope, "marketing", channel)).scalars()) == refused
            assert consent.allowed(tx, holders, "marketing", channel) == granted
    assert set(CHANNELS) >= {"sms", "wecom", "any"}


def _apart(state: State, found: object, pair: tuple[int, int]) -> bool:
    numbers = [found[place - 1][0] for place in pair]  # type: ignore[index]
    with state.read() as tx:
        owners = set(
            tx.execute(sa.select(identifier.c.person_id).where(identifier.c.identifier_id.in_(numbers))).scalars()
        )
        assert tx.execute(sa.select(sa.func.count()).select_from(link)).scalar_one() >= 1
    return len(owners) == 2
