"""The collector: what the SDKs call. Raw ASGI, because every event of every shop passes here.

A handler reads the body, finds the source of its write key, counts the events, and answers only after the log has
them on disk. It does not understand events: decoding is the worker's. A body that cannot even be cut into events
is kept too, in a frame that goes to quarantine. Which addresses there are is in `_table`; what they mean for a
reader of the API is in `openapi.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote

from prometheus_client import Counter
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from quanyu.events import answers, bodies, bulk, errors, sdk_settings
from quanyu.events.bodies import BadEncoding, ClientGone
from quanyu.events.checks import REASONS
from quanyu.events.contracts import FrameHeader, Source
from quanyu.events.protocols import segment, sensors
from quanyu.events.quick import QuickCalls
from quanyu.events.sources import WriteKeys, basic_user
from quanyu.events.writers import EventLog
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.errors import QuanyuError

log = logging.getLogger(__name__)

ACCEPTED = Counter(
    "quanyu_events_accepted_total", "Events acknowledged, by source and protocol", ["source", "protocol"]
)
REFUSED = Counter("quanyu_collector_refused_total", "Requests refused, by protocol and code", ["protocol", "code"])

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
# Judges a 神策 payload at once and says what is wrong with it: for /debug.
Judge = Callable[[Source, bytes, int], list[tuple[str, str, str]]]

_SALVAGE_INLINE_BYTES = 256 << 10
_SENSORS_PATIENCE = (0.2, 0.5, 1.0, 2.0)
_MAX_DETAIL = 200
_MAX_SENT_AT = 64


class Collector:
    """Accepts events over HTTP. `log` gives this process's writer, opened by the server's start."""

    def __init__(
        self,
        log: Callable[[], EventLog],
        keys: WriteKeys,
        clock: Clock,
        judge: Judge,
        *,
        max_body_bytes: int = 10_000_000,
        patience: tuple[float, ...] = _SENSORS_PATIENCE,
    ) -> None:
        self._log = log
        self._keys = keys
        self._clock = clock
        self._judge = judge
        self._limit = max_body_bytes
        self._patience = patience
        self._counters: dict[tuple[str, str], Counter] = {}
        self.quick = QuickCalls(
            log,
            keys,
            clock,
            max_body_bytes=max_body_bytes,
            count=self._count,
            refuse=lambda protocol, code: REFUSED.labels(protocol, code).inc(),
        )

    def routes(self) -> list[BaseRoute]:
        """One route that knows all addresses, found without a regular expression."""
        return [_Table(self._table())]

    def _table(self) -> dict[str, Handler]:
        table: dict[str, Handler] = {}
        for letter, call in segment.CALLS.items():
            handler = self._segment_handler(call)
            table[f"/v1/{call}"] = table[f"/v1/{letter}"] = handler
        table["/v1/import"] = table["/v1/batch"]
        table["/v1/events"] = _guarded("native", self._bulk, ("POST",))
        for path in ("/sa", "/sa.gif"):
            table[path] = _guarded("sensors", self._sensors, ("GET", "POST"))
        table["/debug"] = _guarded("sensors", self._debug, ("GET", "POST"))
        table["/sourceConfig"] = table["/sourceConfig/"] = _guarded("segment", self._rudder_settings, ("GET",))
        table["/v1/projects/*/settings"] = _guarded("segment", self._settings, ("GET",))
        return table

    # ------------------------------------------------------------------------------------------- Segment, Rudder
    def _segment_handler(self, call: str) -> Handler:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            await self._segment(call, scope, receive, send)

        return _guarded("segment", handle, ("POST",))

    async def _segment(self, call: str, scope: Scope, receive: Receive, send: Send) -> None:
        authorization, length = _headers(scope["headers"])
        given = basic_user(authorization)
        source = await self._keys.find(given)
        if source is None and given is not None and length is not None and length > self._limit:
            raise errors.write_key_unknown()  # not worth reading
        received = micros(self._clock.now())
        body = await bodies.read_body(receive, length, self._limit)
        opened: segment.Opened | None = None
        problem: BadEncoding | None = None
        try:
            body = bodies.inflate(body, self._limit)
            if len(body) > _SALVAGE_INLINE_BYTES:
                opened = await asyncio.to_thread(segment.open_body, call, body)
            else:
                opened = segment.open_body(call, body)
        except BadEncoding as error:
            problem = error
        if source is None and opened is not None:
            source = await self._keys.find(opened.write_key)
        if source is None:
            raise errors.write_key_unknown()
        if opened is None:
            assert problem is not None
            await self._keep_unreadable(source, received, segment.PROTOCOL, call, body, problem)
            await answers.send_error(send, errors.body_unreadable(REASONS[problem.reason], problem.detail))
            return
        if opened.calls:
            header = FrameHeader(received, segment.PROTOCOL, source.source, len(opened.calls), call)
            await self._log().append(header, body)
            self._count(source, segment.PROTOCOL, header.events)
        await answers.send_success(send)

    async def _settings(self, scope: Scope, _receive: Receive, send: Send) -> None:
        key = unquote(scope["path"].split("/")[3])
        if await self._keys.find(key) is None:
            raise errors.write_key_unknown()
        await answers.send_json(send, sdk_settings.segment(key))

    async def _rudder_settings(self, scope: Scope, _receive: Receive, send: Send) -> None:
        authorization, _ = _headers(scope["headers"])
        key = bodies.form(scope["query_string"]).get("writeKey") or basic_user(authorization)
        source = await self._keys.find(key)
        if source is None or key is None:
            raise errors.write_key_unknown()
        await answers.send_json(send, sdk_settings.rudder(source, key))

    # --------------------------------------------------------------------------------------------- in our own shape
    async def _bulk(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization, _ = _headers(scope["headers"])
        source = await self._keys.find(_bearer(authorization) or basic_user(authorization))
        if source is None:
            raise errors.write_key_unknown()

        async def append(header: FrameHeader, payload: bytes) -> None:
            await self._log().append(header, payload)
            self._count(source, header.protocol, header.events)

        try:
            accepted = await bulk.take(receive, source, self._limit, lambda: micros(self._clock.now()), append)
        except bulk.Halted as halted:
            REFUSED.labels("native", halted.cause.code).inc()
            await answers.send_error(send, halted.cause, accepted=halted.accepted, row=halted.row)
            return
        await answers.send_json(send, {"success": True, "accepted": accepted})

    # ------------------------------------------------------------------------------------------------------ 神策
    async def _sensors(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = micros(self._clock.now())
        source, fields, raw = await self._sensors_fields(scope, receive)
        frames = await self._sensors_frames(received, source, fields, raw)
        await self._append_patiently(frames)
        if scope["path"].endswith(".gif"):
            await answers.send_pixel(send)
        else:
            await answers.send_success(send)

    async def _debug(self, scope: Scope, receive: Receive, send: Send) -> None:
        """神策's debug mode: judge now, and with `Dry-Run: true` keep nothing."""
        received = micros(self._clock.now())
        source, fields, raw = await self._sensors_fields(scope, receive)
        dry = any(name == b"dry-run" and value.lower() == b"true" for name, value in scope["headers"])
        try:
            payload = raw if fields is None else sensors.payload_of(fields, self._limit)
            sensors.open_payload(payload)
        except BadEncoding as error:
            found = [(error.reason, "", error.detail)]
        else:
            if source is None:
                raise errors.write_key_unknown()
            found = await asyncio.to_thread(self._judge, source, payload, received)
        if not dry:
            await self._append_patiently(await self._sensors_frames(received, source, fields, raw))
        elif source is None:
            raise errors.write_key_unknown()
        if found:
            problems = [
                {"reason": reason, "where": where, "detail": detail, **REASONS[reason].as_dict()}
                for reason, where, detail in found[:20]
            ]
            first = REASONS[found[0][0]]
            message = f"{first.zh} / {first.en}: {found[0][1]} {found[0][2]}"
            await answers.send_problem(send, 400, found[0][0], message, problems=problems)
            return
        await answers.send_success(send)

    async def _sensors_fields(
        self, scope: Scope, receive: Receive
    ) -> tuple[Source | None, dict[str, str] | None, bytes]:
        """The source of the query's token, the form's fields (None for a bare JSON body), and the raw body."""
        query = bodies.form(scope["query_string"])
        source = await self._keys.find(query.get("token"))
        if scope["method"] == "GET":
            return source, query, scope["query_string"]
        _, length = _headers(scope["headers"])
        body = await bodies.read_body(receive, length, self._limit)
        try:
            text = bodies.inflate(body, self._limit)
        except BadEncoding:
            return source, {}, body
        if bodies.looks_like_json(text):
            return source, None, text
        try:
            return source, {**query, **bodies.form(text)}, text
        except BadEncoding:
            return source, {}, body

    async def _sensors_frames(
        self, received: int, source: Source | None, fields: dict[str, str] | None, raw: bytes
    ) -> list[tuple[FrameHeader, bytes, Source]]:
        """What to write: one frame per source that the messages belong to. Raises 401 when there is none."""
        try:
            payload = raw if fields is None else sensors.payload_of(fields, self._limit)
            opened = (
                await asyncio.to_thread(sensors.open_payload, payload)
                if len(payload) > _SALVAGE_INLINE_BYTES
                else sensors.open_payload(payload)
            )
        except BadEncoding as error:
            if source is None:
                raise errors.write_key_unknown() from error
            return [(_unreadable(source, received, sensors.PROTOCOL, "", error), raw, source)]
        named = sensors.tokens(payload, opened)
        if not any(named):
            if source is None:
                raise errors.write_key_unknown()
            if not opened.messages:
                return []
            header = FrameHeader(received, sensors.PROTOCOL, source.source, len(opened.messages))
            return [(header, payload, source)]
        return await self._by_token(received, source, opened, named)

    async def _by_token(
        self, received: int, source: Source | None, opened: sensors.Opened, named: list[str | None]
    ) -> list[tuple[FrameHeader, bytes, Source]]:
        """Messages may name a token of their own, which then counts; one that nobody has goes to quarantine."""
        owners = {token: await self._keys.find(token) for token in {token for token in named if token}}
        if source is None:
            source = next((owner for owner in owners.values() if owner is not None), None)
        if source is None:
            raise errors.write_key_unknown()
        parts: dict[tuple[Source, str], list[bytes]] = {}
        for message, token in zip(opened.messages, named, strict=True):
            owner = owners[token] if token else source
            place = (owner, "") if owner is not None else (source, "unknown_key")
            parts.setdefault(place, []).append(bytes(message))
        return [
            (
                FrameHeader(received, sensors.PROTOCOL, owner.source, len(messages), reason=reason),
                b"[" + b",".join(messages) + b"]",
                owner,
            )
            for (owner, reason), messages in parts.items()
        ]

    # ------------------------------------------------------------------------------------------------------ both
    async def _append_patiently(self, frames: list[tuple[FrameHeader, bytes, Source]]) -> None:
        """Write frames; wait out a short trouble, since a 神策 SDK that once hears an error may be dead for good."""
        for header, payload, source in frames:
            for pause in (*self._patience, None):
                try:
                    await self._log().append(header, payload)
                    break
                except errors.LogUnavailable:
                    if pause is None:
                        raise
                    await asyncio.sleep(pause)
            self._count(source, header.protocol, header.events)

    async def _keep_unreadable(
        self, source: Source, received: int, protocol: str, call: str, body: bytes, problem: BadEncoding
    ) -> None:
        header = _unreadable(source, received, protocol, call, problem)
        await self._log().append(header, body)
        self._count(source, protocol, header.events)

    def _count(self, source: Source, protocol: str, events: int) -> None:
        counter = self._counters.get((source.source, protocol))
        if counter is None:
            counter = self._counters[(source.source, protocol)] = ACCEPTED.labels(source.source, protocol)
        counter.inc(events)


class _Table(BaseRoute):
    """All addresses of the collector in a dictionary."""

    def __init__(self, table: dict[str, Handler]) -> None:
        self._table = table
        self.path = "collector"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and self._find(scope["path"]) is not None:
            return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._find(scope["path"])
        assert handler is not None
        await handler(scope, receive, send)

    def _find(self, path: str) -> Handler | None:
        found = self._table.get(path)
        if found is None and path.startswith("/v1/projects/") and path.endswith("/settings") and path.count("/") == 4:
            found = self._table["/v1/projects/*/settings"]
        return found


def _guarded(protocol: str, handler: Handler, methods: tuple[str, ...]) -> Handler:
    """Preflights, wrong methods and expected failures, answered alike everywhere."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            asked = next((v for n, v in scope["headers"] if n == b"access-control-request-headers"), b"")
            await answers.send_preflight(send, asked)
            return
        if method not in methods:
            message = f"只接受 {'、'.join(methods)} / Use {' or '.join(methods)}"
            await answers.send_problem(send, 405, "method_not_allowed", message)
            return
        try:
            await handler(scope, receive, send)
        except QuanyuError as error:
            REFUSED.labels(protocol, error.code).inc()
            await answers.send_error(send, error)
        except BadEncoding as error:
            REFUSED.labels(protocol, error.reason).inc()
            reason = REASONS[error.reason]
            await answers.send_problem(send, 400, error.reason, f"{reason.zh} / {reason.en}: {error.detail}")
        except TimeoutError:
            REFUSED.labels(protocol, "timeout").inc()
            await answers.send_problem(send, 408, "timeout", "请求体接收超时 / The body took too long")
        except ClientGone:
            REFUSED.labels(protocol, "client_gone").inc()
        except Exception:  # the last one who could say it in a way that SDKs understand
            log.exception("collector_failed")
            REFUSED.labels(protocol, "internal_error").inc()
            await answers.send_problem(
                send, 500, "internal_error", "服务器内部错误，请重试 / Internal error, try again"
            )

    return guarded


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, int | None]:
    """The Authorization header and the announced length."""
    authorization: bytes | None = None
    length: int | None = None
    for name, value in headers:
        if name == b"authorization":
            authorization = value
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    return authorization, length


def _bearer(authorization: bytes | None) -> str | None:
    if authorization is None or authorization[:7].lower() != b"bearer ":
        return None
    return authorization[7:].strip().decode("latin-1") or None


def _unreadable(source: Source, received: int, protocol: str, call: str, problem: BadEncoding) -> FrameHeader:
    return FrameHeader(
        received, protocol, source.source, 1, call, reason=problem.reason, detail=problem.detail[:_MAX_DETAIL]
    )
