"""Routes of consent: taking statements down, the ledger, and where everybody stands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.consent.api import Consent
from quanyu.consent.contracts import CHANNELS, PURPOSES, STATUS_LABELS, Entry, Noted, PersonConsent
from quanyu.kernel.label import Label

Word = Literal["granted", "withdrawn", "denied"]


class ConsentLabel(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentIdentifier(_Strict):
    """An identifier in clear; it is hashed at once and never written into a log."""

    namespace: str = Field(max_length=40)
    value: str = Field(max_length=256)


class PersonConsentIn(_Strict):
    """What a person said."""

    purpose: str = Field(max_length=40)
    channel: str = Field(max_length=40)
    status: Word
    notice_version: str | None = Field(None, max_length=100)
    evidence: str | None = Field(None, max_length=2000)


class ConsentIn(PersonConsentIn):
    """What the owner of an identifier said."""

    identifier: ConsentIdentifier


class SendInFlight(BaseModel):
    """A send that had been handed to its provider, who has not answered yet."""

    effect_id: str
    submitted_at: datetime


class ConsentRecorded(BaseModel):
    """The line that was written, and the sends that a withdrawal came too late for."""

    consent_id: str
    at: datetime
    too_late: list[SendInFlight]


class ConsentEntryOut(BaseModel):
    """A line of the ledger."""

    consent_id: str
    identifier_id: int
    purpose: str
    purpose_label: ConsentLabel
    channel: str
    channel_label: ConsentLabel
    status: str
    status_label: ConsentLabel
    notice_version: str | None
    at: datetime
    recorded_at: datetime
    source: str | None
    event_id: str | None
    actor: str | None
    evidence: str | None
    hash: str


class ConsentLedger(BaseModel):
    """A page of the ledger, newest first."""

    items: list[ConsentEntryOut]
    next_cursor: str | None = None
    total: int | None = None


class ConsentTally(BaseModel):
    """How many people stand where."""

    purpose: str
    purpose_label: ConsentLabel
    channel: str
    channel_label: ConsentLabel
    granted: int
    denied: int
    unknown: int


class ConsentSummary(BaseModel):
    """All tallies; always one page."""

    items: list[ConsentTally]
    next_cursor: str | None = None
    total: int | None = None


class ConsentVerification(BaseModel):
    """Whether the ledger's chain is whole."""

    intact: bool
    entries: int
    broken_at: int | None


class PersonConsentOut(BaseModel):
    """Where a person stands for one purpose and channel."""

    purpose: str
    purpose_label: ConsentLabel
    channel: str
    channel_label: ConsentLabel
    status: str
    notice_version: str | None
    at: datetime | None
    source: str | None
    evidence: str | None


def _label(labels: Mapping[str, Label], word: str) -> ConsentLabel:
    found = labels.get(word, Label(word, word))
    return ConsentLabel(zh=found.zh, en=found.en)


def person_consent_out(one: PersonConsent) -> PersonConsentOut:
    """A person's standing as the API shows it."""
    entry = one.entry
    return PersonConsentOut(
        purpose=one.purpose,
        purpose_label=_label(PURPOSES, one.purpose),
        channel=one.channel,
        channel_label=_label(CHANNELS, one.channel),
        status=one.status,
        notice_version=entry.notice_version if entry else None,
        at=entry.at if entry else None,
        source=(entry.source or entry.actor) if entry else None,
        evidence=entry.evidence if entry else None,
    )


def _entry_out(entry: Entry) -> ConsentEntryOut:
    return ConsentEntryOut(
        consent_id=entry.consent_id,
        identifier_id=entry.identifier_id,
        purpose=entry.purpose,
        purpose_label=_label(PURPOSES, entry.purpose),
        channel=entry.channel,
        channel_label=_label(CHANNELS, entry.channel),
        status=entry.status,
        status_label=_label(STATUS_LABELS, entry.status),
        notice_version=entry.notice_version,
        at=entry.at,
        recorded_at=entry.recorded_at,
        source=entry.source,
        event_id=entry.event_id,
        actor=entry.actor,
        evidence=entry.evidence,
        hash=entry.hash,
    )


def _recorded(noted: Noted) -> ConsentRecorded:
    late = [SendInFlight(effect_id=effect_id, submitted_at=at) for effect_id, at in noted.too_late]
    return ConsentRecorded(consent_id=noted.entry.consent_id, at=noted.entry.at, too_late=late)


def router(consent: Consent, guard: Guard) -> APIRouter:
    """The routes of consent."""
    routes = APIRouter(tags=["consent"])
    reader = Annotated[Caller, Depends(guard.permit("consent.read"))]
    writer = Annotated[Caller, Depends(guard.permit("consent.write"))]

    @routes.post("/consent", status_code=201, summary="Record what the owner of an identifier said")
    def record_consent(body: ConsentIn, caller: writer) -> ConsentRecorded:
        words = body.model_dump(exclude={"identifier"})
        return _recorded(consent.note_value(caller, body.identifier.namespace, body.identifier.value, **words))

    @routes.post("/people/{person_id}/consent", status_code=201, summary="Record what a person said")
    def record_person_consent(person_id: str, body: PersonConsentIn, caller: writer) -> ConsentRecorded:
        return _recorded(consent.note_person(caller, person_id, **body.model_dump()))

    @routes.get("/consent/ledger", summary="The consent ledger, newest first")
    def list_consent_ledger(
        caller: reader,
        person_id: str | None = None,
        cursor: Annotated[int | None, Query(description="Lines before this one")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ConsentLedger:
        found = consent.entries(caller.scope, person_id, before=cursor, limit=limit)
        more = str(found[-1].seq) if len(found) == limit else None
        return ConsentLedger(items=[_entry_out(entry) for entry in found], next_cursor=more)

    @routes.get("/consent/ledger/verification", summary="Check the consent ledger's chain")
    def verify_consent_ledger(
        caller: Annotated[Caller, Depends(guard.permit("audit.read"))],
    ) -> ConsentVerification:
        found = consent.verify(caller.scope)
        return ConsentVerification(intact=found.intact, entries=found.entries, broken_at=found.broken_at)

    @routes.get("/consent/summary", summary="How many people stand where, by purpose and channel")
    def read_consent_summary(caller: reader) -> ConsentSummary:
        items = [
            ConsentTally(
                purpose=one.purpose,
                purpose_label=_label(PURPOSES, one.purpose),
                channel=one.channel,
                channel_label=_label(CHANNELS, one.channel),
                granted=one.granted,
                denied=one.denied,
                unknown=one.unknown,
            )
            for one in consent.summary(caller.scope)
        ]
        return ConsentSummary(items=items, total=len(items))

    return routes
