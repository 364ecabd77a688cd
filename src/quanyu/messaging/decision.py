"""The last look: from what is known of an effect at this instant to send, defer or suppress. Pure.

The order of the checks is the order in which an operator would want to hear the reasons: what is final first,
then what passes, then what is used up. The holdout comes last, so that a ghost has passed everything that a real
message has passed, and the two arms can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quanyu.messaging.contracts import Stop

Action = Literal["send", "hold_out", "defer", "suppress"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one effect. `day` counts are looked up by (person, channel, category) in `Used`."""

    effect_id: str
    person_id: int | None
    ghost: bool
    expires_at: datetime
    consented: bool
    addressable: bool
    template_known: bool
    category: str
    daily_cap: int | None
    quota: int | None
    quiet_until: datetime | None
    stop: Stop | None
    replies: bool = False


@dataclass(slots=True)
class Used:
    """Units used up so far, and by this very claim: per (person, category) today, per person in the quota's period.

    Ghosts count for ghosts only: they see every unit, real messages see only real ones.
    """

    day: Counter[tuple[int, str]]
    day_ghosts: Counter[tuple[int, str]]
    period: Counter[int]
    period_ghosts: Counter[int]

    def of_day(self, facts: Facts, person: int) -> int:
        """Units of today that count for this effect."""
        key = (person, facts.category)
        return self.day[key] + (self.day_ghosts[key] if facts.ghost else 0)

    def of_period(self, facts: Facts, person: int) -> int:
        """Units of the quota's period that count for this effect."""
        return self.period[person] + (self.period_ghosts[person] if facts.ghost else 0)

    def take(self, facts: Facts, person: int) -> None:
        """Use one unit."""
        if facts.ghost:
            self.day_ghosts[(person, facts.category)] += 1
            self.period_ghosts[person] += 1
        else:
            self.day[(person, facts.category)] += 1
            self.period[person] += 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one effect, why, and (deferred) until when."""

    effect_id: str
    action: Action
    reason: str | None = None
    until: datetime | None = None


def decide(effects: Iterable[Facts], used: Used, now: datetime) -> list[Decision]:
    """Decide effects in the given order (priority, then age), using up caps as they are granted."""
    return [_decide(facts, used, now) for facts in effects]


def _decide(facts: Facts, used: Used, now: datetime) -> Decision:
    person = facts.person_id
    if person is None:
        return Decision(facts.effect_id, "suppress", "erased")
    if facts.stop is not None and facts.stop.until is None:
        return Decision(facts.effect_id, "suppress", facts.stop.reason)
    if facts.expires_at <= now:
        return Decision(facts.effect_id, "suppress", "expired")
    for holds, reason in (
        (facts.consented, "consent_missing"),
        (facts.template_known, "template_missing"),
        (facts.addressable, "no_address"),
    ):
        if not holds:
            return Decision(facts.effect_id, "suppress", reason)
    if facts.stop is not None and facts.stop.until is not None:
        return Decision(facts.effect_id, "defer", facts.stop.reason, facts.stop.until)
    # A reply to somebody who has just written is expected now.
    if facts.quiet_until is not None and not facts.replies:
        return Decision(facts.effect_id, "defer", "quiet_hours", facts.quiet_until)
    if facts.quota is not None and not facts.replies and used.of_period(facts, person) >= facts.quota:
        return Decision(facts.effect_id, "suppress", "provider_quota")
    if facts.daily_cap is not None and used.of_day(facts, person) >= facts.daily_cap:
        return Decision(facts.effect_id, "suppress", "daily_cap")
    used.take(facts, person)
    return Decision(facts.effect_id, "hold_out" if facts.ghost else "send")


def by_action(decisions: Sequence[Decision], action: Action) -> list[Decision]:
    """The decisions with one action."""
    return [decision for decision in decisions if decision.action == action]
