"""Everything that the author of a plugin imports, and the only public Python interface of Quanyu.

A plugin says what it can do and speaks its provider's documented interface. The host owns the rest: when to
send and to whom, consent, caps, retries, rate, secrets and the network. `quanyu.sdk.testing` has the suite that
every channel must pass.
"""

from quanyu.kernel.clock import Clock
from quanyu.kernel.faults import WrongValue
from quanyu.kernel.label import Label
from quanyu.sdk.channel import (
    Answer,
    Batch,
    Card,
    Channel,
    Delivery,
    DeliveryStatus,
    Host,
    Message,
    PersonQuota,
    Step,
)
from quanyu.sdk.config import Config, Secret
from quanyu.sdk.errors import NotTaken, OutcomeUnknown, Problem
from quanyu.sdk.inbound import Contact, HttpAnswer, HttpRequest, Identifier, InboundEvent, Received

__all__ = [
    "Answer",
    "Batch",
    "Card",
    "Channel",
    "Clock",
    "Config",
    "Contact",
    "Delivery",
    "DeliveryStatus",
    "Host",
    "HttpAnswer",
    "HttpRequest",
    "Identifier",
    "InboundEvent",
    "Label",
    "Message",
    "NotTaken",
    "OutcomeUnknown",
    "PersonQuota",
    "Problem",
    "Received",
    "Secret",
    "Step",
    "WrongValue",
]
