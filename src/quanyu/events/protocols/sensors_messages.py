"""What 神策's messages mean: each message of an opened payload becomes a draft of one event.

`track*` are events; `profile_*` change traits; `item_*` describe things. Who a message is about: `identities`,
`login_id`, `anonymous_id`, and `distinct_id`, which is a login or an anonymous id, or `<identity key>+<value>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from quanyu.events.checks import Refused
from quanyu.events.contracts import Frame
from quanyu.events.known import Known, fill
from quanyu.events.names import LIBRARY_CHANNELS, SENSORS_IDENTITIES, SENSORS_NAMES
from quanyu.events.protocols.sensors import open_payload
from quanyu.events.protocols.shared import object_of, splice, traits_and_identifiers, unforeseen, ungrammatical
from quanyu.events.rows import MAX_EVENT_BYTES, Draft, Identifier, Origin
from quanyu.events.values import instant, text

_NO_RAW = msgspec.Raw(b"")
_OPENID = re.compile(r"\$identity_(?:mp_|oa_|wechat_)?(wx[0-9a-zA-Z]{8,32})_openid")
_PREFIX = "$identity_"
_PROFILE = {
    "profile_set": "set",
    "profile_set_once": "set_once",
    "profile_increment": "increment",
    "profile_append": "append",
    "profile_unset": "unset",
    "profile_delete": "delete",
}
_IDENTIFYING = frozenset({"track_signup", "track_id_bind"})
_ITEMS = {"item_set": "item_updated", "item_delete": "item_removed"}
# Presets that describe the transport, not the person.
_NOT_TRAITS = frozenset({"$is_login_id", "$lib", "$lib_version", "$lib_method", "$project", "$token", "$time"})
_SECONDS_FROM = 10**9


class _Message(msgspec.Struct, rename={"track_id": "_track_id", "flush_time": "_flush_time"}):
    type: Any = None
    event: Any = None
    time: Any = None
    distinct_id: Any = None
    original_id: Any = None
    login_id: Any = None
    anonymous_id: Any = None
    identities: Any = None
    item_type: Any = None
    item_id: Any = None
    time_free: Any = None
    track_id: Any = None
    flush_time: Any = None
    lib: Any = None
    properties: msgspec.Raw = _NO_RAW


_messages = msgspec.json.Decoder(list[_Message])
_message = msgspec.json.Decoder(_Message)


def drafts(frame: Frame, origin: Origin) -> Iterator[Draft | Refused]:
    """One draft, or the reason why there is none, for each message of the frame, in order."""
    try:
        messages = _messages.decode(frame.payload)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        for raw in open_payload(frame.payload).messages:
            yield _decode(bytes(raw), origin)
    else:
        for message in messages:
            yield _read(message, origin)


def _decode(raw: bytes, origin: Origin) -> Draft | Refused:
    try:
        message = _message.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return ungrammatical(raw, error)
    return _read(message, origin)


def _read(message: _Message, origin: Origin) -> Draft | Refused:
    try:
        return _draft(message, origin)
    except Refused as reason:
        return reason
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return ungrammatical(bytes(message.properties), error)
    except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not stop the others
        return unforeseen(error)


def _draft(message: _Message, origin: Origin) -> Draft:
    kind = message.type if isinstance(message.type, str) else ""
    properties = bytes(message.properties)
    if len(properties) > MAX_EVENT_BYTES:
        raise Refused("too_large", "properties", f"{len(properties)} bytes")
    if b"\\u0000" in properties:
        raise Refused("control_character", "properties")
    known = Known(properties)
    draft = Draft(_event_id(message, properties), "", _time(message, origin.received_at))
    library = known.get("library") or (message.lib.get("$lib") if isinstance(message.lib, dict) else None)
    draft.channel = LIBRARY_CHANNELS.get(str(library))
    if kind in _ITEMS:
        draft.name = _ITEMS[kind]
        item = {"item_type": text(message.item_type, "item_type"), "item_id": text(message.item_id, "item_id")}
        if item["item_id"] is None:
            raise Refused("bad_field", "item_id", "missing")
        draft.properties = splice(properties, item)
        return draft
    identifiers = _identifiers(message, known)
    if kind in _PROFILE:
        draft.name = "profile_updated"
        draft.properties, draft.traits = _profile(kind, properties, identifiers)
    elif kind == "track_id_unbind":
        draft.name = "identifier_unbound"
        draft.properties = splice(properties, {})
        identifiers, draft.traits = _unbinding(message, known)
    elif kind in _IDENTIFYING:
        draft.name = "identified"
        draft.properties = splice(properties, {"call": kind})
    elif kind == "track":
        name = text(message.event, "event") or ""
        draft.name = SENSORS_NAMES.get(name.lower(), name)
        draft.properties = splice(properties, {})
        fill(draft, known, origin.currency)
    else:
        raise Refused("unknown_type", "type", str(kind)[:64])
    if not identifiers:
        raise Refused("no_identifier", "distinct_id", "no distinct_id and no identities")
    draft.identifiers = list(identifiers)
    return draft


def _event_id(message: _Message, properties: bytes) -> str:
    """A hash of what makes the message itself: the SDK's `_track_id` if it sends one, else all that it says.

    The Python SDK sends no id at all; two equal messages of one millisecond are then one.
    """
    digest = blake2b(digest_size=16)
    parts = (message.type, message.distinct_id, message.event, message.time, message.item_type, message.item_id)
    digest.update(msgspec.json.encode(parts))
    if message.track_id is not None:
        digest.update(msgspec.json.encode(message.track_id))
    else:
        digest.update(msgspec.json.encode((message.identities, message.original_id)))
        digest.update(properties)
    return f"sa-{digest.hexdigest()}"


def _time(message: _Message, received: int) -> int:
    """Corrected by how far the device's clock is off, unless the message says that it is old on purpose."""
    at = _instant(message.time, "time") if message.time is not None else received
    if message.time_free is True or message.flush_time is None:
        return at
    try:
        return at + received - _instant(message.flush_time, "_flush_time")
    except Refused:  # it only helps
        return at


def _instant(value: Any, where: str) -> int:
    """Times count milliseconds, but those of ten digits count seconds.

    A device whose clock begins at 1970 sends few digits, and they are milliseconds too.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _SECONDS_FROM:
        return value * 1000
    return instant(value, where)


def _identifiers(message: _Message, known: Known) -> dict[Identifier, None]:
    """In order and without repetition: who the message says it is about."""
    found: dict[Identifier, None] = {}
    identities = message.identities
    if identities is not None and not isinstance(identities, dict):
        raise Refused("bad_identifier", "identities", "an object is wanted")
    for key, given in (identities or {}).items():
        value = text(given, f"identities.{key[:64]}")
        if value:
            found[_identity(key, value, known)] = None
    login = text(message.login_id, "login_id")
    if login:
        found[_split(login, known) or ("user_id", login)] = None
    strong = {value.rpartition(":")[2] for namespace, value in found if namespace != "anonymous_id"}
    anonymous = text(message.anonymous_id, "anonymous_id")
    distinct = text(message.distinct_id, "distinct_id")
    if distinct:
        split = _split(distinct, known)
        if split is not None:
            found[split] = None
        elif distinct not in strong and distinct not in {value for _, value in found}:
            known_login = known.get("login") is True or message.type == "track_signup"
            found["user_id" if known_login else "anonymous_id", distinct] = None
    original = text(message.original_id, "original_id") if message.type == "track_signup" else None
    for value in (anonymous, original):
        if value:
            found["anonymous_id", value] = None
    if original and distinct and identities is None and ("user_id", distinct) in found:
        # An SDK without `identities` never says again that this id is a login: what it sends under the bare id
        # from now on, and sent before, is this person's.
        found["anonymous_id", distinct] = None
        return found
    # A mini program that set an openid repeats it as the anonymous id: one identifier, not two.
    return {pair: None for pair in found if pair[0] != "anonymous_id" or pair[1] not in strong}


def _identity(key: str, value: str, known: Known) -> Identifier:
    namespace = SENSORS_IDENTITIES.get(key)
    if namespace is not None:
        return namespace, value
    match = _OPENID.fullmatch(key)
    if match:
        return "openid", f"{match.group(1)}:{value}"
    app = known.get("app_id")
    if key in ("$identity_mp_openid", "$identity_openid") and isinstance(app, str) and app:
        return "openid", f"{app}:{value}"
    raise Refused("unknown_namespace", f"identities.{key[:64]}", key[:64])


def _split(value: str, known: Known) -> Identifier | None:
    """`$identity_mobile+13800138000` as (phone, 13800138000); None for an ordinary id."""
    if not value.startswith(_PREFIX):
        return None
    key, plus, rest = value.partition("+")
    return _identity(key, rest, known) if plus and rest else None


def _profile(kind: str, raw: bytes, identifiers: dict[Identifier, None]) -> tuple[str, str | None]:
    """Properties for history (names only) and trait operations of a `profile_*` message."""
    given = {name.lstrip("$"): value for name, value in object_of(raw, "traits").items() if name not in _NOT_TRAITS}
    operation = _PROFILE[kind]
    values: Any = given
    if operation == "delete":
        values = True
    elif operation == "unset":
        values = sorted(given)
    traits, found = traits_and_identifiers({operation: values})
    identifiers.update(dict.fromkeys(found))
    return msgspec.json.encode({"operation": kind, "traits": sorted(given)}).decode(), traits


def _unbinding(message: _Message, known: Known) -> tuple[dict[Identifier, None], str]:
    """The first identifier that is taken away, and all of them as a trait operation.

    Only `identities` are unbound. The event carries one identifier and nothing beside it: two on one event are
    evidence that they belong together, which is what an unbinding denies.
    """
    gone = list(_identifiers(_Message(identities=message.identities), known))
    unbind = [{"namespace": namespace, "value": value} for namespace, value in gone]
    return dict.fromkeys(gone[:1]), msgspec.json.encode({"unbind": unbind}).decode()
