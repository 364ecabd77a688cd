"""Calls to WeCom: the token kept and renewed once, errors told apart as taken, not taken or unknown."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from quanyu.plugins.channels.wecom.config import WeComConfig
from quanyu.plugins.channels.wecom.remedies import STALE_TOKEN, TRANSIENT, problem
from quanyu.sdk import Host, Label, NotTaken, OutcomeUnknown, Problem
from quanyu.sdk.outbound import call

_EARLY = timedelta(minutes=5)


class WeComClient:
    """One connection's calls. Thread-safe."""

    def __init__(self, config: WeComConfig, host: Host) -> None:
        self._config = config
        self._host = host
        self._lock = threading.Lock()
        self._token: tuple[str, datetime] | None = None

    def token(self, *, fresh: bool = False) -> str:
        """The access token (W:91039), fetched when there is none or it is about to end. Raises NotTaken."""
        with self._lock:
            now = self._host.clock.now()
            if self._token and not fresh and self._token[1] - _EARLY > now:
                return self._token[0]
            try:
                answer = self._raw(
                    "GET",
                    "gettoken",
                    params={
                        "corpid": self._config.corp_id,
                        "corpsecret": self._config.corp_secret.get_secret_value(),
                    },
                )
            except OutcomeUnknown as error:  # asking for a token changes nothing: it may simply be asked again
                raise NotTaken(error.problem, transient=True) from error
            if answer.get("errcode", 0):
                code = int(answer["errcode"])
                raise NotTaken(problem(code), transient=code in TRANSIENT)
            self._token = (str(answer["access_token"]), now + timedelta(seconds=int(answer["expires_in"])))
            return self._token[0]

    def ask(self, method: str, path: str, *, query: dict[str, str] | None = None, body: Any = None) -> dict[str, Any]:
        """One call with a token; a stale token is renewed once, which is safe because it was refused unread.

        Raises NotTaken for every `errcode`, OutcomeUnknown when no readable answer came.
        """
        answer: dict[str, Any] = {}
        for attempt in range(2):
            params = {**(query or {}), "access_token": self.token(fresh=attempt == 1)}
            answer = self._raw(method, path, params=params, **({"json": body} if body is not None else {}))
            if int(answer.get("errcode", 0)) not in STALE_TOKEN:
                break
        code = int(answer.get("errcode", 0))
        if code:
            retry = 60.0 if code in (45009, 45033) else None
            raise NotTaken(problem(code), transient=code in TRANSIENT or code in STALE_TOKEN, retry_after=retry)
        return answer

    def upload(self, name: str, data: bytes, kind: str) -> str:
        """Upload a picture for three days (`media/upload`); its media id. Raises NotTaken: nothing was sent yet."""
        try:
            answer = self._raw(
                "POST",
                "media/upload",
                params={"access_token": self.token(), "type": "image"},
                files={"media": (name, data, kind)},
            )
        except OutcomeUnknown as error:
            raise NotTaken(error.problem, transient=True) from error
        code = int(answer.get("errcode", 0))
        if code:
            raise NotTaken(problem(code), transient=code in TRANSIENT or code in STALE_TOKEN)
        return str(answer["media_id"])

    def _raw(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = call(self._host.http, method, f"{self._config.base_url.rstrip('/')}/cgi-bin/{path}", **options)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.status_code != 200 or not isinstance(body, dict):
            raise OutcomeUnknown(
                Problem(
                    f"http_{answer.status_code}",
                    Label("企业微信的答复无法读取", "WeCom's answer cannot be read"),
                    Label("请检查接口地址；系统会查询结果", "Check the base address; the outcome is looked up"),
                )
            )
        return body
