"""The HTTP client that channels get: it refuses private addresses, pins what it resolved, follows no redirect.

Why pin: a name that was checked can resolve to another address a moment later (DNS rebinding), so the address
that was checked is the address that is called; TLS still verifies the name.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence

import httpx

from quanyu.kernel.label import Label
from quanyu.sdk.errors import NotTaken, OutcomeUnknown, Problem

Resolve = Callable[[str, int], Sequence[str]]

MAX_ANSWER_BYTES = 16_000_000


class AddressRefused(NotTaken):
    """The address may not be called from here."""

    def __init__(self, host: str) -> None:
        super().__init__(
            Problem(
                "address_refused",
                Label(f"不允许访问 {host}", f"Calling {host} is not allowed"),
                Label(
                    "该地址在内网或无法解析。若确为自有的内网服务，请打开设置 allow_private_urls",
                    "The address is private. If it is a service of your own, turn on the setting allow_private_urls",
                ),
            )
        )


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, as the system resolves it. Raises OSError when there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet (an IPv4 address inside an IPv6 one is looked at too)."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
    return ip.is_global and not ip.is_multicast


class GuardedTransport(httpx.BaseTransport):
    """Resolves a host, refuses it when any of its addresses is private, and connects to the address it checked."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolver: Resolve = resolve,
        make: Callable[[], httpx.BaseTransport] | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolver
        self._make = make or (lambda: httpx.HTTPTransport(trust_env=False, retries=0))
        # One pool per name: connections are pooled by address, and two names may share one.
        self._pools: dict[str, httpx.BaseTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Check, pin and call. Raises AddressRefused before anything is sent."""
        url = request.url
        if url.scheme not in ("http", "https"):
            raise AddressRefused(f"{url.scheme}://{url.host}")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            addresses = list(self._resolve(url.host, port))
        except OSError as error:
            raise httpx.ConnectError(f"{url.host} does not resolve", request=request) from error
        if not addresses or (not self._allow_private and not all(map(is_public, addresses))):
            raise AddressRefused(url.host)
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=addresses[0]),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        with self._lock:
            pool = self._pools.get(url.host)
            if pool is None:
                pool = self._pools[url.host] = self._make()
        return pool.handle_request(pinned)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()


def client(
    *, allow_private: bool = False, timeout: float = 15.0, transport: httpx.BaseTransport | None = None
) -> httpx.Client:
    """The client that the host gives to channels; `timeout` seconds for each of connect, write and read."""
    return httpx.Client(
        transport=transport or GuardedTransport(allow_private=allow_private),
        timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "quanyu"},
    )


def call(http: httpx.Client, method: str, url: str, **options: object) -> httpx.Response:
    """One HTTP call whose failures are told apart: never reached the provider, or nobody knows.

    Raises NotTaken (transient) when no connection came about and OutcomeUnknown when it broke afterwards or the
    answer is larger than 16 MB. Any HTTP status is returned.
    """
    try:
        request = http.build_request(method, url, **options)  # type: ignore[arg-type]
        response = http.send(request, stream=True)
        try:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise OutcomeUnknown(_unanswered("answer_too_large"))
        finally:
            response.close()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        raise NotTaken(_unreachable(error), transient=True) from error
    except httpx.HTTPError as error:
        raise OutcomeUnknown(_unanswered(type(error).__name__)) from error
    return httpx.Response(response.status_code, headers=_plain(response.headers), content=bytes(body), request=request)


def _plain(headers: httpx.Headers) -> httpx.Headers:
    # The body is decoded already; keeping these would have it decoded twice.
    kept = headers.copy()
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        kept.pop(name, None)
    return kept


def _unreachable(error: httpx.HTTPError) -> Problem:
    # The name of the error only: an URL may carry a token.
    return Problem(
        "unreachable",
        Label(f"连不上对方服务（{type(error).__name__}）", f"The provider cannot be reached ({type(error).__name__})"),
        Label("请检查网络、地址与防火墙；系统会自动重试", "Check network, address and firewall; it is tried again"),
    )


def _unanswered(what: str) -> Problem:
    return Problem(
        "unanswered",
        Label(f"请求已发出，但没有得到可读的答复（{what}）", f"The call went out and no readable answer came ({what})"),
        Label(
            "结果未知：系统会向对方查询，查不到则等待人工处理", "Unknown: the provider is asked; else a person decides"
        ),
    )
