"""A sandbox on stage: the application with a clock of the test's, and a brand that records what is said to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from starlette.testclient import TestClient

from quanyu_sandbox.app import create_app
from quanyu_sandbox.crypto import decrypt, encrypt, signature
from quanyu_sandbox.settings import SandboxSettings

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
TOKEN = "QDG6eK"
CORP = "ww0123456789abcdef"
SECRET = "a-secret"
START = 1_772_413_200.0  # 2026-03-02 09:00 in Shanghai: a Monday, in a month of 31 days
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


class Brand:
    """The brand's collector, coupon API and callback address; `down` counts how often each still fails."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.event_posts = 0
        self.redeemed: dict[str, dict[str, Any]] = {}
        self.redeem_posts: list[dict[str, Any]] = []
        self.callbacks: list[str] = []
        self.callback_posts = 0
        self.down: dict[str, int] = {}
        self.threshold = 0
        self.refuse: tuple[int, dict[str, Any]] | None = None
        self.authorization: set[str] = set()
        self.echo = "{word}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        for part, left in self.down.items():
            if part in path and left:
                self.down[part] -= 1
                if part == "/callbacks":
                    self.callback_posts += 1
                    raise httpx.ConnectTimeout("too slow", request=request)
                return httpx.Response(503)
        if path == "/v1/batch":
            return self._collect(request)
        if path == "/api/v1/coupons":
            return self._coupons(request)
        if path.startswith("/api/v1/coupons/"):
            return self._redeem(request, path.split("/")[4])
        return self._callback(request)

    def _collect(self, request: httpx.Request) -> httpx.Response:
        self.event_posts += 1
        self.authorization.add(request.headers["authorization"])
        self.events += json.loads(request.content)["batch"]
        return httpx.Response(200, json={"success": True})

    def _coupons(self, request: httpx.Request) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        assert query["namespace"] == ["external_userid"]
        code = f"{query['send'][0]}-{query['value'][0].split(':')[1]}"
        done = self.redeemed.get(code)
        coupon = {
            "code": code, "status": "redeemed" if done else "issued", "threshold": self.threshold, "currency": "CNY",
            "effect_id": f"effect-{code}", "kind": "amount_off", "value": 1000,
            "name": {"zh": "满减券", "en": "Money off"}, "expires_at": "2027-01-01T00:00:00Z",
            "order_id": done["order_id"] if done else None,
        }  # fmt: skip
        return httpx.Response(200, json={"items": [coupon]})

    def _redeem(self, request: httpx.Request, code: str) -> httpx.Response:
        body = json.loads(request.content) | {"key": request.headers["idempotency-key"]}
        self.authorization.add(request.headers["authorization"])
        self.redeem_posts.append(body)
        if self.refuse is not None:
            return httpx.Response(self.refuse[0], json=self.refuse[1])
        self.redeemed.setdefault(code, body)
        return httpx.Response(200, json={"code": code, "status": "redeemed", "discount": 1000})

    def _callback(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        if request.method == "GET":
            sealed = query["echostr"]
            self._check(query, sealed)
            return httpx.Response(200, text=self.echo.format(word=decrypt(AES_KEY, sealed)[0]))
        self.callback_posts += 1
        sealed = request.content.decode().split("<Encrypt><![CDATA[")[1].split("]]>")[0]
        self._check(query, sealed)
        message, receiver = decrypt(AES_KEY, sealed)
        assert receiver == CORP
        self.callbacks.append(message)
        return httpx.Response(200, text="success")

    @staticmethod
    def _check(query: httpx.QueryParams, sealed: str) -> None:
        assert query["msg_signature"] == signature(TOKEN, query["timestamp"], query["nonce"], sealed)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


class Stage:
    """The sandbox from outside: its API, its controls, its brand."""

    def __init__(self, folder: Path, http: TestClient, brand: Brand) -> None:
        self.folder = folder
        self.http = http
        self.brand = brand

    # ------------------------------------------------------------------ WeCom's API
    def token(self) -> str:
        return str(
            self.http.get("/cgi-bin/gettoken", params={"corpid": CORP, "corpsecret": SECRET}).json()["access_token"]
        )

    def api(self, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        params = {"access_token": self.token(), **query}
        url = f"/cgi-bin/{path}"
        answer = self.http.get(url, params=params) if body is None else self.http.post(url, params=params, json=body)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def code(self, path: str, body: Any = None, **query: str) -> int:
        return int(self.api(path, body, **query)["errcode"])

    def card(self, send: str = "T1") -> dict[str, Any]:
        answer = self.http.post(
            "/cgi-bin/media/upload",
            params={"access_token": self.token(), "type": "image"},
            files={"media": ("card.png", PNG, "image/png")},
        ).json()
        body = {
            "title": "会员专享券",
            "appid": "wx1",
            "page": f"pages/coupon?send={send}",
            "pic_media_id": answer["media_id"],
        }
        return {"msgtype": "miniprogram", "miniprogram": body}

    def send(self, customers: list[str], *, text: str = "你好", send: str | None = None, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"chat_type": "single", "text": {"content": text}, "external_userid": customers, **more}
        if send:
            body["attachments"] = [self.card(send)]
        return self.api("externalcontact/add_msg_template", body)

    def results(self, msgid: str, userid: str = "guide1") -> dict[str, int]:
        answer = self.api("externalcontact/get_groupmsg_send_result", {"msgid": msgid, "userid": userid})
        return {row["external_userid"]: row["status"] for row in answer["send_list"]}

    # ------------------------------------------------------------------ controls
    def look(self, what: str, **query: Any) -> Any:
        answer = self.http.get(f"/sandbox/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def do(self, path: str, body: Any = None, status: int = 200, **query: Any) -> Any:
        answer = self.http.post(f"/sandbox/{path}", json=body, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    def move_in(self, count: int = 3, staff: str = "guide1", **more: Any) -> list[str]:
        rows = [
            {
                "external_userid": f"wm{i:03}", "name": f"顾客{i}", "unionid": f"union{i}", "openid": f"open{i}",
                "phone": f"1380000{i:04}", "staff": staff, "store_id": "S1", **more,
            }
            for i in range(count)
        ]  # fmt: skip
        self.do("customers", rows)
        return [row["external_userid"] for row in rows]

    def tick(self, seconds: float) -> Any:
        return self.do("tick", seconds=seconds)

    def stat(self, name: str) -> Any:
        return self.look("stats")[name]


@contextmanager
def on_stage(folder: Path, brand: Brand | None = None, **more: Any) -> Iterator[Stage]:
    """A sandbox with a virtual clock that starts at START; `more` overrides its settings."""
    played = brand or Brand()
    given: dict[str, Any] = {
        "corp_id": CORP, "corp_secret": SECRET, "token": TOKEN, "aes_key": AES_KEY, "virtual": True, "start_at": START,
        "callback_url": "http://brand/callbacks/wecom", "collector_url": "http://brand", "api_url": "http://brand",
        "write_key": "wk", "api_key": "qk", "app_id": "wx1", "callback_pause": 0.0, **more,
    }  # fmt: skip
    app = create_app(SandboxSettings(data=folder, **given), transport=httpx.MockTransport(played.answer))
    with TestClient(app) as http:
        yield Stage(folder, http, played)


__all__ = ["AES_KEY", "CORP", "PNG", "SECRET", "START", "TOKEN", "Brand", "Stage", "encrypt", "on_stage"]
