"""The guard in front of everything that leaves: private addresses, rebinding, redirects, and failures told apart."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from quanyu.sdk.errors import NotTaken, OutcomeUnknown
from quanyu.sdk.outbound import AddressRefused, GuardedTransport, call, client, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "192.0.2.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(address)


class Inner(httpx.BaseTransport):
    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(302 if request.url.path == "/r" else 200, headers={"location": "http://10.0.0.1/"})


def guarded(answers: list[list[str]], **more) -> tuple[httpx.Client, Inner]:
    inner, left = Inner(), list(answers)
    transport = GuardedTransport(resolver=lambda host, port: left.pop(0), make=lambda: inner, **more)
    return client(transport=transport), inner


def test_the_checked_address_is_the_one_that_is_called() -> None:
    http, inner = guarded([["8.8.8.8", "1.1.1.1"]])
    http.get("https://hooks.example.com:8443/a?b=1")
    (request,) = inner.seen
    assert str(request.url) == "https://8.8.8.8:8443/a?b=1"
    assert request.headers["host"] == "hooks.example.com:8443"
    assert request.extensions["sni_hostname"] == "hooks.example.com"


def test_one_private_address_among_several_refuses_the_name() -> None:
    http, inner = guarded([["8.8.8.8", "10.0.0.1"]])
    with pytest.raises(AddressRefused):
        http.get("http://mixed.example.com/")
    assert inner.seen == []


def test_a_name_that_changes_its_address_is_checked_every_time() -> None:
    http, inner = guarded([["8.8.8.8"], ["127.0.0.1"]])
    http.get("http://rebind.example.com/")
    with pytest.raises(AddressRefused):
        http.get("http://rebind.example.com/")
    assert len(inner.seen) == 1


def test_redirects_are_not_followed() -> None:
    http, inner = guarded([["8.8.8.8"]])
    assert call(http, "POST", "http://example.com/r").status_code == 302
    assert len(inner.seen) == 1


def test_a_name_that_does_not_resolve_was_not_taken() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    http = client(transport=GuardedTransport(resolver=unknown))
    with pytest.raises(NotTaken) as caught:
        call(http, "GET", "http://nowhere.example/?access_token=SECRET")
    assert caught.value.transient
    assert "SECRET" not in str(caught.value)


def test_a_refused_address_is_terminal_and_names_the_setting() -> None:
    with pytest.raises(NotTaken) as caught:
        call(client(), "GET", "http://127.0.0.1:9/")
    assert not caught.value.transient
    assert "allow_private_urls" in caught.value.problem.remedy.zh


class Server:
    def __init__(self, work) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                work(self)

            def log_message(self, *_) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_an_allowed_private_address_is_really_called() -> None:
    def answer(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    with Server(answer) as url:
        assert call(client(allow_private=True), "GET", url).text == "ok"


def test_a_cut_answer_is_unknown() -> None:
    def cut(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    with Server(cut) as url, pytest.raises(OutcomeUnknown):
        call(client(allow_private=True), "GET", url)


def test_an_endless_answer_is_cut_off(monkeypatch) -> None:
    monkeypatch.setattr("quanyu.sdk.outbound.MAX_ANSWER_BYTES", 1000)

    def endless(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 500)
        except OSError:
            pass

    with Server(endless) as url, pytest.raises(OutcomeUnknown):
        call(client(allow_private=True, timeout=5), "GET", url)
