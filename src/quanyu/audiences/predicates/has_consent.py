"""已授权: people who may be contacted for a purpose through a channel."""

from __future__ import annotations

from datetime import datetime

from quanyu.audiences.predicate import FormField, Names, Predicate, predicate
from quanyu.audiences.predicates.event_fields import Key
from quanyu.audiences.primitives import Condition, SetMember
from quanyu.kernel.label import Label


@predicate("has_consent")
class HasConsent(Predicate):
    """People who have consented to `purpose` through `channel`; unknown counts as no."""

    label = Label("已授权", "Has consent")
    group = Label("授权", "Consent")
    form = (
        FormField("purpose", "purpose", Label("用途", "Purpose"), required=False, default="marketing"),
        FormField("channel", "channel", Label("渠道", "Channel"), options_source="consent_channels"),
    )

    purpose: Key = "marketing"
    channel: Key

    def lower(self, at: datetime) -> Condition:  # noqa: ARG002 - consent is as it is now
        return SetMember("consent", (self.purpose, self.channel))

    def sentence(self, names: Names) -> Label:
        purpose, channel = names.of("purposes", self.purpose), names.of("consent_channels", self.channel)
        return Label(f"同意通过{channel.zh}用于{purpose.zh}", f"consents to {purpose.en} through {channel.en}")
