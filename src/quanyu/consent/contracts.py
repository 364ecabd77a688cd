"""The words of consent and the frozen values that cross its door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quanyu.kernel.label import Label

CONSENT_CHANGED = "consent_changed"

Status = Literal["granted", "denied"]
Standing = Literal["granted", "denied", "unknown"]

PURPOSES: Mapping[str, Label] = {
    "marketing": Label("营销", "Marketing"),
    "service": Label("服务通知", "Service messages"),
    "profiling": Label("个性化分析", "Profiling"),
    "sharing": Label("对外提供", "Sharing with others"),
}
ANY = "any"
CHANNELS: Mapping[str, Label] = {
    "wecom": Label("企业微信", "WeCom"),
    "sms": Label("短信", "SMS"),
    "official_account": Label("公众号", "Official account"),
    "mini_program": Label("小程序", "Mini program"),
    "email": Label("邮件", "Email"),
    "ads": Label("广告", "Ads"),
    "webhook": Label("Webhook", "Webhook"),
    ANY: Label("所有渠道", "Any channel"),
}
STATUS_LABELS: Mapping[str, Label] = {
    "granted": Label("同意", "Granted"),
    "denied": Label("撤回", "Denied"),
    "unknown": Label("未表示", "Unknown"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """One statement of consent about one identifier, as it goes into the ledger.

    `at` is when the person said it, `actor` who wrote it down when no event did, `evidence` what proves it.
    """

    identifier_id: int
    purpose: str
    channel: str
    status: Status
    at: datetime
    notice_version: str | None = None
    source: str | None = None
    event_id: str | None = None
    actor: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger. `seq` counts within the brand; `hash` covers the line and the hash before it."""

    seq: int
    identifier_id: int
    purpose: str
    channel: str
    status: Status
    notice_version: str | None
    at: datetime
    recorded_at: datetime
    source: str | None
    event_id: str | None
    actor: str | None
    evidence: str | None
    hash: str

    @property
    def consent_id(self) -> str:
        """The name of the line outside."""
        return f"c_{self.seq}"


@dataclass(frozen=True, slots=True)
class Noted:
    """What was taken down and, for a withdrawal, the sends it came too late for: `(effect_id, submitted_at)`.

    They were with a provider, unanswered, when the withdrawal was committed; whatever is submitted later stops.
    """

    entry: Entry
    too_late: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class PersonConsent:
    """Where a person stands for one purpose and channel, and the statement that decides it (None: none)."""

    purpose: str
    channel: str
    status: Standing
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many visible people stand where, for one purpose and channel."""

    purpose: str
    channel: str
    granted: int
    denied: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch said: ledger lines written, and statements that could not be placed (nobody, or no such purpose)."""

    entries: int
    unplaced: int


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a brand's ledger is whole; `broken_at` is the first line that does not fit."""

    intact: bool
    entries: int
    broken_at: int | None
