"""Faults strike as told and are counted; nothing is lost when the sandbox is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.sandbox.stage import CORP, SECRET, Brand, Stage, on_stage

ADD = "externalcontact/add_msg_template"


def test_a_dropped_answer_is_a_task_all_the_same(stage: Stage):
    customers = stage.move_in(1)
    stage.do("faults", {"path": ADD, "kind": "drop"})
    with pytest.raises(ConnectionResetError):
        stage.send(customers)
    assert stage.stat("mass") == 1
    (call,) = stage.look("calls", path=ADD)["items"]
    assert (call["fault"], call["executed"], call["errcode"]) == ("drop", True, 0)


@pytest.mark.parametrize("kind", ["drop_before", "http_500", "busy", "errcode"])
def test_a_fault_before_the_work_leaves_nothing_behind(stage: Stage, kind: str):
    customers = stage.move_in(1)
    stage.do("faults", {"path": ADD, "kind": kind, "times": 1, "errcode": 45033})
    params = {"access_token": stage.token()}
    body = {"text": {"content": "x"}, "external_userid": customers}
    if kind == "drop_before":
        with pytest.raises(ConnectionResetError):
            stage.http.post(f"/cgi-bin/{ADD}", params=params, json=body)
    else:
        answer = stage.http.post(f"/cgi-bin/{ADD}", params=params, json=body)
        if kind == "http_500":
            assert answer.status_code == 500
        else:
            assert answer.json()["errcode"] == {"busy": -1, "errcode": 45033}[kind]
    assert stage.stat("mass") == 0
    assert [call["executed"] for call in stage.look("calls", path=ADD)["items"]] == [False]
    assert stage.code(ADD, body) == 0
    assert [(row["happened"], row["remaining"]) for row in stage.look("faults")["items"]] == [(1, 0)]


def test_a_500_after_the_work_and_a_skipped_call(stage: Stage):
    customers = stage.move_in(1)
    stage.do("faults", {"path": ADD, "kind": "http_500_after", "skip": 1})
    assert stage.send(customers)["errcode"] == 0
    body = {"text": {"content": "y"}, "external_userid": customers}
    answer = stage.http.post(f"/cgi-bin/{ADD}", params={"access_token": stage.token()}, json=body)
    assert answer.status_code == 500
    assert stage.stat("mass") == 2


def test_tokens_expire_and_are_revoked_at_once(stage: Stage):
    token = stage.token()
    path, query = "/cgi-bin/externalcontact/get_follow_user_list", {"access_token": token}
    stage.do("faults", {"kind": "expire_tokens"})
    assert stage.http.get(path, params=query).json()["errcode"] == 42001
    fresh = stage.token()
    assert fresh != token
    stage.do("faults", {"kind": "revoke_tokens"})
    assert stage.http.get(path, params={"access_token": fresh}).json()["errcode"] == 40014
    assert stage.token() not in (token, fresh)


def test_faults_can_be_cleared_and_nonsense_is_refused(stage: Stage):
    stage.do("faults", {"kind": "busy", "times": 99})
    assert stage.http.delete("/sandbox/faults").json()["items"][0]["remaining"] == 0
    assert stage.code("externalcontact/get_follow_user_list") == 0
    assert "one of" in stage.do("faults", {"kind": "earthquake"}, status=422)["error"]
    stage.do("faults", {"kind": "busy", "times": "many"}, status=422)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("customers", [{"name": "无 ID"}]),
        ("customers", [{"external_userid": "wm1", "name": "x", "colour": "red"}]),
        ("customers", "nobody"),
        ("catalogue", {"products": [{"sku": "A", "unit_price": 0}]}),
        ("staff", [{}]),
    ],
)
def test_nonsense_moves_nobody_in(stage: Stage, path: str, body: Any):
    assert stage.do(path, body, status=422)["error"]
    assert stage.stat("customers") == 0


def test_a_page_of_another_site_steers_nothing(stage: Stage):
    answer = stage.http.post("/sandbox/faults", json={"kind": "busy"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert stage.look("faults")["items"] == []
    same = stage.http.post("/sandbox/faults", json={"kind": "busy"}, headers={"Origin": "http://testserver"})
    assert same.status_code == 200


def test_time_does_not_run_backwards(stage: Stage):
    assert "backwards" in stage.do("tick", to="2020-01-01T00:00:00Z", status=409)["error"]
    stage.do("tick", to="yesterday", status=400)


def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path):
    brand = Brand()
    with on_stage(tmp_path / "one", brand=brand) as stage:
        stage.send(stage.move_in(20, read_rate=1, open_rate=1, redeem_rate=0.5), send="T")
        stage.tick(7200)
        whole = sorted((event["messageId"], event["timestamp"]) for event in brand.events)
    broken = Brand()
    with on_stage(tmp_path / "two", brand=broken) as stage:
        stage.send(stage.move_in(20, read_rate=1, open_rate=1, redeem_rate=0.5), send="T")
        stage.tick(100)
    for _ in range(3):
        with on_stage(tmp_path / "two", brand=broken) as stage:
            stage.tick(500)
    with on_stage(tmp_path / "two", brand=broken) as stage:
        stage.tick(7200)
    assert sorted((event["messageId"], event["timestamp"]) for event in broken.events) == whole


def test_the_webhook_receiver_keeps_headers_and_body(stage: Stage):
    headers = {"webhook-id": "msg_1", "webhook-signature": "v1,abc", "webhook-timestamp": "1"}
    stage.http.post("/sandbox/webhook/orders", content=b'{"a": 1}', headers=headers)
    stage.do("faults", {"path": "webhook", "kind": "http_500"})
    assert stage.http.post("/sandbox/webhook", content=b"x").status_code == 500
    first, second = stage.look("webhook")["items"]
    assert (first["path"], first["body"], first["headers"]["webhook-signature"]) == (
        "/sandbox/webhook/orders", '{"a": 1}', "v1,abc",
    )  # fmt: skip
    assert second["body"] == "x"
    assert stage.look("webhook", after=first["id"])["items"] == [second]


# ---------------------------------------------------------------------- a real process
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(folder: Path, port: int, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    secrets = {"QUANYU_SANDBOX_CORP_ID": CORP, "QUANYU_SANDBOX_CORP_SECRET": SECRET}
    command = [sys.executable, "-m", "quanyu_sandbox", "--port", str(port), "--data", str(folder), *more]
    with subprocess.Popen(command, env={**os.environ, **secrets}, stdout=subprocess.DEVNULL) as running:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
                for _ in range(200):
                    try:
                        http.get("/sandbox/stats")
                        break
                    except httpx.ConnectError:
                        time.sleep(0.05)
                yield running, http
        finally:
            running.kill()


def token(http: httpx.Client) -> dict[str, str]:
    answer = http.get("/cgi-bin/gettoken", params={"corpid": CORP, "corpsecret": SECRET}).json()
    return {"access_token": answer["access_token"]}


def test_kill_9_keeps_the_world_and_a_drop_cuts_the_wire(tmp_path: Path):
    port = free_port()
    with process(tmp_path, port, "--no-confirm") as (running, http):
        http.post("/sandbox/customers", json=[{"external_userid": "wm1", "name": "甲", "staff": "g"}])
        http.post("/sandbox/faults", json={"path": ADD, "kind": "drop", "skip": 1})
        body = {"text": {"content": "x"}, "external_userid": ["wm1"]}
        made = http.post(f"/cgi-bin/{ADD}", params=token(http), json=body).json()
        with pytest.raises(httpx.RemoteProtocolError):
            http.post(f"/cgi-bin/{ADD}", params=token(http), json=body)
        kept = token(http)
        running.send_signal(signal.SIGKILL)
        running.wait()
    with process(tmp_path, port) as (_, http):
        stats = http.get("/sandbox/stats").json()
        assert (stats["customers"], stats["mass"], stats["tasks_open"]) == (1, 2, 2)
        assert token(http) == kept
        http.post("/sandbox/act", json={"action": "confirm", "msgid": made["msgid"]})
        query = {"msgid": made["msgid"], "userid": "g"}
        path = "/cgi-bin/externalcontact/get_groupmsg_send_result"
        answer = http.post(path, params=kept, json=query).json()
        for _ in range(100):
            if answer["errcode"] != 41063:  # still being dispatched
                break
            time.sleep(0.05)
            answer = http.post(path, params=kept, json=query).json()
        assert [row["status"] for row in answer["send_list"]] == [1]


def test_in_real_time_staff_confirm_and_customers_act_by_themselves(tmp_path: Path):
    with process(tmp_path, free_port(), "--auto", "--speed", "1000") as (_, http):
        row = {
            "external_userid": "wm1", "name": "甲", "staff": "g", "read_rate": 1, "open_rate": 1, "block_rate": 0,
            "redeem_rate": 1,
        }  # fmt: skip
        http.post("/sandbox/customers", json=[row])
        link = {"msgtype": "link", "link": {"title": "看看", "url": "http://brand/x?send=T"}}
        body = {"attachments": [link], "external_userid": ["wm1"]}
        assert http.post(f"/cgi-bin/{ADD}", params=token(http), json=body).json()["errcode"] == 0
        limit = time.monotonic() + 15
        stats: dict[str, Any] = {}
        while time.monotonic() < limit:
            stats = http.get("/sandbox/stats").json()
            if stats["opened"] == 1:
                break
            time.sleep(0.05)
        assert (stats["deliveries"], stats["read"], stats["opened"]) == (1, 1, 1)
