"""What Segment's calls mean: each call of an opened body becomes a draft of one event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from quanyu.events.checks import Refused
from quanyu.events.contracts import Frame
from quanyu.events.known import Known, fill
from quanyu.events.names import EXTERNAL_IDS, LIBRARY_CHANNELS, SEGMENT_NAMES, TRAIT_IDENTIFIERS
from quanyu.events.protocols.segment import BATCH, open_payload
from quanyu.events.protocols.shared import object_of, splice, traits_and_identifiers, unforeseen, ungrammatical
from quanyu.events.rows import MAX_EVENT_BYTES, Draft, Identifier, Origin
from quanyu.events.values import instant, instant_or_none, text

# Members of a context that are read into columns, identifiers and traits; the others are kept as `$context`.
_READ_ELSEWHERE = frozenset({"traits", "externalIds", "campaign", "sessionId"})
_TYPES = frozenset({"track", "identify", "page", "screen", "group", "alias"})
_NO_RAW = msgspec.Raw(b"")


class _Call(msgspec.Struct):
    type: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    messageId: Any = None  # noqa: N815 - the protocol's names
    userId: Any = None  # noqa: N815
    anonymousId: Any = None  # noqa: N815
    previousId: Any = None  # noqa: N815
    groupId: Any = None  # noqa: N815
    timestamp: Any = None
    originalTimestamp: Any = None  # noqa: N815
    sentAt: Any = None  # noqa: N815
    traits: msgspec.Raw = _NO_RAW
    properties: msgspec.Raw = _NO_RAW
    context: msgspec.Raw = _NO_RAW
    integrations: Any = None


class _Library(msgspec.Struct):
    name: Any = None


class _Context(msgspec.Struct):
    library: _Library | None = None
    traits: msgspec.Raw = _NO_RAW
    externalIds: Any = None  # noqa: N815
    campaign: Any = None
    sessionId: Any = None  # noqa: N815


@dataclass(slots=True)
class _Surroundings:
    """What a context says, read once for all calls that carry the same one."""

    channel: str | None = None
    traits: dict[str, Any] = field(default_factory=dict)
    identifiers: list[Identifier] = field(default_factory=list)
    campaign: Any = None
    session_id: str | None = None
    kept: str = ""  # JSON of a member of properties


class _Calls(msgspec.Struct):
    batch: list[_Call]
    sentAt: Any = None  # noqa: N815


_calls = msgspec.json.Decoder(_Calls)
_call = msgspec.json.Decoder(_Call)
_several = msgspec.json.Decoder(list[_Call])
_context = msgspec.json.Decoder(_Context)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def drafts(frame: Frame, origin: Origin) -> Iterator[Draft | Refused]:
    """One draft, or the reason why there is none, for each call of the frame, in order."""
    reader = _Reader(frame, origin)
    try:
        whole = _calls.decode(frame.payload) if frame.header.call == BATCH else _Calls(_several.decode(frame.payload))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        pass
    else:
        reader.sent_at = whole.sentAt
        for index, call in enumerate(whole.batch):
            yield reader.read(call, index)
        return
    opened = open_payload(frame.header.call, frame.payload)
    reader.sent_at = opened.sent_at
    for index, raw in enumerate(opened.calls):
        yield reader.decode(bytes(raw), index)


class _Reader:
    """Reads the calls of one frame."""

    def __init__(self, frame: Frame, origin: Origin) -> None:
        self._frame = frame
        self._origin = origin
        self._contexts: dict[bytes, _Surroundings] = {}
        self.sent_at: Any = None
        self._sent: tuple[Any, int | None] = (None, None)

    def decode(self, raw: bytes, index: int) -> Draft | Refused:
        try:
            call = _call.decode(raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            return ungrammatical(raw, error)
        return self.read(call, index)

    def read(self, call: _Call, index: int) -> Draft | Refused:
        try:
            return self._draft(call, index)
        except Refused as reason:
            return reason
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            return ungrammatical(bytes(call.properties) or bytes(call.traits), error)
        except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not stop the others
            return unforeseen(error)

    def _draft(self, call: _Call, index: int) -> Draft:
        kind = call.type
        if kind is None and self._frame.header.call in _TYPES:
            kind = self._frame.header.call
        if not isinstance(kind, str) or kind not in _TYPES:
            raise Refused("unknown_type", "type", str(kind)[:64])
        properties = bytes(call.properties)
        traits = bytes(call.traits)
        if len(properties) + len(traits) > MAX_EVENT_BYTES:
            raise Refused("too_large", "properties", f"{len(properties) + len(traits)} bytes")
        if b"\\u0000" in properties or b"\\u0000" in traits:
            raise Refused("control_character", "properties")
        around = self._around(bytes(call.context))
        draft = Draft(
            self._event_id(call, index),
            "",
            self._time(call),
            channel=around.channel,
            session_id=around.session_id,
        )
        identifiers = self._identifiers(call, around)
        extra: dict[str, Any] = {"$campaign": around.campaign} if around.campaign else {}
        if isinstance(call.integrations, dict) and not all(one is True for one in call.integrations.values()):
            extra["$integrations"] = call.integrations  # where all are on, nothing is said
        if kind == "track":
            name = text(call.event, "event") or ""
            draft.name = SEGMENT_NAMES.get(name.lower(), name)
        elif kind in ("page", "screen"):
            draft.name = "page_viewed"
            if kind == "screen":
                draft.channel = "app"
        elif kind == "group":
            draft.name = "group_joined"
            extra |= {"group_id": text(call.groupId, "groupId"), "traits": object_of(traits, "traits")}
        else:
            draft.name = "identified"
            extra["call"] = kind
        known = Known(properties)
        if kind in ("page", "screen"):
            extra |= _unless_known(known, page_name=("name", call.name), page_category=("category", call.category))
        if kind == "identify":
            given = {**around.traits, **object_of(traits, "traits")}
            draft.traits, found = traits_and_identifiers({"set": given})
            identifiers.update(dict.fromkeys(found))
            extra["traits"] = sorted(given)
        fill(draft, known, self._origin.currency)
        draft.properties = splice(properties, extra, around.kept)
        draft.identifiers = list(identifiers)
        if not identifiers:
            raise Refused("no_identifier", "userId", "neither userId nor anonymousId")
        return draft

    def _event_id(self, call: _Call, index: int) -> str:
        given = text(call.messageId, "messageId", 1 << 16)
        if given:
            return given
        # Without an id, a call with a time of its own is the same call when it says the same; one without cannot
        # be told from another that says the same, so each counts.
        digest = blake2b(digest_size=16)
        if call.timestamp or call.originalTimestamp:
            sent, call.sentAt = call.sentAt, None  # changes with every retry
            digest.update(msgspec.json.encode(call))
            call.sentAt = sent
        else:
            digest.update(f"{self._frame.writer}\0{self._frame.begin}\0{index}".encode())
        return f"auto-{digest.hexdigest()}"

    def _time(self, call: _Call) -> int:
        received = self._origin.received_at
        stamp = call.originalTimestamp or call.timestamp
        if stamp is None or stamp == "":
            return received
        at = instant(stamp, "timestamp")
        sent = self._sent_at(call.sentAt if call.sentAt is not None else self.sent_at)
        return at if sent is None else at + received - sent

    def _sent_at(self, value: Any) -> int | None:
        if value != self._sent[0]:
            self._sent = (value, instant_or_none(value))
        return self._sent[1]

    def _identifiers(self, call: _Call, around: _Surroundings) -> dict[Identifier, None]:
        """In order and without repetition: who the call says it is about."""
        found: dict[Identifier, None] = {}
        user = text(call.userId, "userId")
        if user:
            found["user_id", user] = None
        anonymous = text(call.anonymousId, "anonymousId")
        if anonymous:
            found["anonymous_id", anonymous] = None
        if call.type == "alias" or (call.type is None and self._frame.header.call == "alias"):
            previous = text(call.previousId, "previousId")
            if previous and user:
                # The browser's own cookie id rides along on an alias; the pair that is meant is the one named.
                found = {("user_id", user): None, ("anonymous_id", previous): None}
        found.update(dict.fromkeys(around.identifiers))
        return found

    def _around(self, raw: bytes) -> _Surroundings:
        found = self._contexts.get(raw)
        if found is None:
            found = _surroundings(raw)
            if len(self._contexts) < 1000:
                self._contexts[raw] = found
        return found


def _surroundings(raw: bytes) -> _Surroundings:
    if not raw or raw == b"null":
        return _Surroundings()
    if b"\\u0000" in raw:
        raise Refused("control_character", "context")
    try:
        context = _context.decode(raw)
    except msgspec.ValidationError as error:
        raise Refused("bad_field", "context", str(error)) from None
    traits = object_of(bytes(context.traits), "context.traits")
    found = _Surroundings(traits=traits)
    if context.library is not None and isinstance(context.library.name, str):
        found.channel = LIBRARY_CHANNELS.get(context.library.name)
    for name, value in traits.items():
        namespace = TRAIT_IDENTIFIERS.get(name)
        value_text = text(value, f"context.traits.{name}") if namespace else None
        if namespace and value_text:
            found.identifiers.append((namespace, value_text))
    found.identifiers.extend(_external_ids(context.externalIds))
    if isinstance(context.campaign, dict) and context.campaign:
        found.campaign = context.campaign
    found.session_id = text(context.sessionId, "context.sessionId")
    kept = {name: value for name, value in _members.decode(raw).items() if name not in _READ_ELSEWHERE}
    found.kept = f'"$context":{msgspec.json.encode(kept).decode()}' if kept else ""
    return found


def _external_ids(given: Any) -> Iterator[Identifier]:
    if not isinstance(given, list):
        return
    for index, one in enumerate(given):
        where = f"context.externalIds[{index}]"
        if not isinstance(one, dict):
            raise Refused("bad_identifier", where, "an object is wanted")
        kind = one.get("type")
        value = text(one.get("id"), f"{where}.id")
        if not value or one.get("collection") not in (None, "users"):
            continue
        namespace = EXTERNAL_IDS.get(str(kind)) or TRAIT_IDENTIFIERS.get(str(kind))
        yield namespace or str(kind), value  # what is no namespace of ours is refused by name


def _unless_known(known: Known, **given: tuple[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for ours, (name, value) in given.items()
        if isinstance(value, str) and value and known.get(ours) is None
    }
