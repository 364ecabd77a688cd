"""The play-world keeps to WeCom's documents, repeats with its seed, and survives being killed."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from quanyu_sandbox.app import create_app
from quanyu_sandbox.crypto import decrypt, encrypt, signature
from quanyu_sandbox.settings import SandboxSettings

KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


class Clock:
    def __init__(self) -> None:
        self.at = 1_772_413_200.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Sandbox:
    """The application without its background loop, and the brand's side recorded."""

    def __init__(self, folder: Path, clock: Clock, **settings: Any) -> None:
        self.brand: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            self.brand.append(request)
            if request.url.path == "/api/v1/coupons":
                coupon = {"code": "C1", "status": "issued", "currency": "USD"}
                return httpx.Response(200, json={"items": [coupon]})
            return httpx.Response(200, json={"status": "redeemed"})

        made = SandboxSettings(
            data=folder, corp_id="ww1", corp_secret="s", token="QDG6eK", aes_key=KEY, callback_url="http://brand/cb",
            collector_url="http://brand", api_url="http://brand", write_key="k", api_key="a", **settings,
        )  # fmt: skip
        self.app = create_app(made, now=clock, client=httpx.Client(transport=httpx.MockTransport(answer)))
        self.http = TestClient(self.app)
        self.world = self.app.state.world

    def token(self) -> str:
        return str(self.get("gettoken", corpid="ww1", corpsecret="s")["access_token"])

    def get(self, path: str, **query: str) -> Any:
        return self.http.get(f"/cgi-bin/{path}", params=query).json()

    def post(self, path: str, body: Any) -> Any:
        return self.http.post(f"/cgi-bin/externalcontact/{path}?access_token={self.token()}", json=body).json()

    def move_in(self, count: int = 3, **more: Any) -> list[str]:
        rows = [
            {
                "external_userid": f"wm{i}",
                "name": f"顾客{i}",
                "unionid": f"u{i}",
                "openid": f"o{i}",
                "staff": "g1",
                **more,
            }
            for i in range(count)
        ]
        assert self.http.post("/sandbox/customers", json=rows).json()["added"] >= count
        return [row["external_userid"] for row in rows]


CARD = {"msgtype": "miniprogram", "miniprogram": {"title": "券", "appid": "wx1", "page": "pages/coupon?send=T1"}}


@pytest.fixture
def sandbox(tmp_path: Path, clock: Clock) -> Sandbox:
    return Sandbox(tmp_path, clock, auto=True)


def test_the_official_vector_opens_and_seals_alike():
    sealed = (
        "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUU"
        "kSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUN"
        "XZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k"
        "22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
    )
    assert signature("QDG6eK", "1409659813", "1372623149", sealed) == "477715d11cdb4164915debcba66cb864d751f3e6"
    message, receiver = decrypt(KEY, sealed)
    assert receiver == "wx5823bf96d3bd56c7"
    assert encrypt(KEY, message, receiver, b"0960688932c47ef1") == sealed
    other = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    assert (
        encrypt(other, "我是中文abcd123", "wxb11529c136998cb6", b"aaaabbbbccccdddd")
        == "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    )


def test_tokens_repeat_while_valid_and_are_refused_by_the_book(sandbox: Sandbox, clock: Clock):
    first = sandbox.token()
    assert sandbox.token() == first
    assert sandbox.get("gettoken", corpid="x", corpsecret="s")["errcode"] == 40013
    assert sandbox.get("gettoken", corpid="ww1", corpsecret="x")["errcode"] == 40001
    assert sandbox.get("gettoken", corpsecret="s")["errcode"] == 41002
    assert sandbox.get("gettoken", corpid="ww1")["errcode"] == 41004
    assert sandbox.get("externalcontact/get_follow_user_list")["errcode"] == 41001
    assert sandbox.get("externalcontact/get_follow_user_list", access_token="x")["errcode"] == 40014
    clock.at += 7201
    assert sandbox.get("externalcontact/get_follow_user_list", access_token=first)["errcode"] == 42001
    assert sandbox.token() != first


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40063),
        ({"text": {"content": "x"}}, 40058),
        ({"text": {"content": "x"}, "external_userid": ["wm-nobody"]}, 41048),
        ({"text": {"content": "长" * 2000}, "external_userid": ["wm0"]}, 45002),
        ({"attachments": [{"msgtype": "miniprogram"}], "external_userid": ["wm0"]}, 40008),
        (
            {"attachments": [{"msgtype": "miniprogram", "miniprogram": {"title": "x"}}], "external_userid": ["wm0"]},
            41088,
        ),
        ({"attachments": [CARD] * 10, "external_userid": ["wm0"]}, 41064),
        ({"text": {"content": "x"}, "external_userid": ["wm0"] * 10_001}, 40058),
    ],
)
def test_bad_mass_messages_are_refused_by_the_book(sandbox: Sandbox, body: Any, errcode: int):
    sandbox.move_in()
    assert sandbox.post("add_msg_template", body)["errcode"] == errcode


def test_malformed_json_is_47001(sandbox: Sandbox):
    url = f"/cgi-bin/externalcontact/add_msg_template?access_token={sandbox.token()}"
    assert sandbox.http.post(url, content=b"{").json()["errcode"] == 47001


def test_a_task_is_sent_after_the_member_confirms(sandbox: Sandbox, clock: Clock):
    customers = sandbox.move_in()
    made = sandbox.post("add_msg_template", {"text": {"content": "你好"}, "external_userid": [*customers, "wm-x"]})
    assert made["fail_list"] == ["wm-x"]
    query = {"msgid": made["msgid"], "userid": "g1"}
    assert sandbox.post("get_groupmsg_send_result", query)["errcode"] == 41063
    clock.at += 1
    assert sandbox.post("get_groupmsg_task", query)["task_list"] == [{"userid": "g1", "status": 0}]
    assert {row["status"] for row in sandbox.post("get_groupmsg_send_result", query)["send_list"]} == {0}
    clock.at += 60
    sandbox.world.tick()
    assert [row["status"] for row in sandbox.post("get_groupmsg_send_result", query)["send_list"]] == [1, 1, 1]
    assert sandbox.http.get("/sandbox/stats").json()["messages"] == 3


def test_a_customer_who_left_is_2_and_one_over_the_cap_is_3(sandbox: Sandbox, clock: Clock):
    sandbox.move_in(2, read_rate=0, block_rate=0)
    sandbox.world.block("wm1")
    for _ in range(33):
        sandbox.post("add_msg_template", {"text": {"content": "x"}, "external_userid": ["wm0"]})
        clock.at += 60
        sandbox.world.tick()
    statuses = [row["status"] for row in sandbox.world.store.all("SELECT status FROM target ORDER BY rowid")]
    assert statuses == [1] * 31 + [3] * 2  # March has 31 days
    made = sandbox.post("add_msg_template", {"text": {"content": "x"}, "external_userid": ["wm1"]})
    assert made["errcode"] == 41048


def run(folder: Path, steps: list[float]) -> list[tuple[Any, ...]]:
    clock = Clock()
    sandbox = Sandbox(folder, clock, auto=True)
    customers = sandbox.move_in(40, read_rate=0.6, redeem_rate=0.5, block_rate=0.2)
    sandbox.post("add_msg_template", {"text": {"content": "x"}, "attachments": [CARD], "external_userid": customers})
    start = clock.at
    for step in steps:
        clock.at = start + step
        sandbox.world.tick()
    rows = sandbox.world.store.all("SELECT external_userid, read_at, tapped_at, redeemed_at FROM message ORDER BY id")
    return [tuple(row) for row in rows]


def test_the_seed_decides_whatever_the_ticks(tmp_path: Path):
    coarse = run(tmp_path / "a", [5000.0])
    assert coarse == run(tmp_path / "b", [float(second) for second in range(0, 5001, 25)])
    assert 0 < sum(row[3] is not None for row in coarse) < 40


def test_the_world_survives_a_restart(tmp_path: Path, clock: Clock):
    first = Sandbox(tmp_path, clock, auto=True)
    made = first.post("add_msg_template", {"text": {"content": "x"}, "external_userid": first.move_in()})
    second = Sandbox(tmp_path, clock, auto=True)
    clock.at += 60
    second.world.tick()
    query = {"msgid": made["msgid"], "userid": "g1"}
    assert [row["status"] for row in second.post("get_groupmsg_send_result", query)["send_list"]] == [1, 1, 1]


def test_welcome_codes_work_once_and_for_twenty_seconds(sandbox: Sandbox, clock: Clock):
    sandbox.move_in()
    code = sandbox.world.add_staff("wm0", "channel-1")
    assert sandbox.post("send_welcome_msg", {"welcome_code": code, "text": {"content": "欢迎"}})["errcode"] == 0
    assert sandbox.post("send_welcome_msg", {"welcome_code": code, "text": {"content": "欢迎"}})["errcode"] == 41051
    late = sandbox.world.add_staff("wm1")
    clock.at += 21
    assert sandbox.post("send_welcome_msg", {"welcome_code": late, "text": {"content": "欢迎"}})["errcode"] == 41050


def test_callbacks_arrive_sealed_and_signed(sandbox: Sandbox):
    sandbox.move_in()
    sandbox.world.add_staff("wm0", "channel-1")
    assert sandbox.app.state.outgoing.flush() == 1
    request = sandbox.brand[-1]
    query = request.url.params
    sealed = request.content.decode().split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    assert query["msg_signature"] == signature("QDG6eK", query["timestamp"], query["nonce"], sealed)
    message, receiver = decrypt(KEY, sealed)
    assert receiver == "ww1"
    assert "<ChangeType><![CDATA[add_external_contact]]></ChangeType>" in message
    assert "<State><![CDATA[channel-1]]></State>" in message


def test_a_tap_and_a_redemption_go_through_the_brands_interfaces(sandbox: Sandbox, clock: Clock):
    customers = sandbox.move_in(1, read_rate=0)
    sandbox.post("add_msg_template", {"text": {"content": "x"}, "attachments": [CARD], "external_userid": customers})
    clock.at += 60
    sandbox.world.tick()
    assert sandbox.http.post("/sandbox/act", json={"action": "tap", "subject": "1"}).json() == {"ok": True}
    assert (
        sandbox.http.post("/sandbox/act", json={"action": "redeem", "subject": "1"}).json()["coupon"]["status"]
        == "redeemed"
    )
    batches = [json.loads(request.content) for request in sandbox.brand if request.url.path == "/v1/batch"]
    names = [event["event"] for batch in batches for event in batch["batch"]]
    assert names == ["message_read", "mini_program_opened", "coupon_viewed", "Order Completed"]
    order = batches[-1]["batch"][0]
    assert order["properties"]["send_token"] == "T1"
    assert {item["type"] for item in order["context"]["externalIds"]} == {"external_userid", "unionid", "openid"}
    basic = sandbox.brand[-1].headers["authorization"].split()[1]
    assert base64.b64decode(basic) == b"k:"


def test_a_dropped_answer_is_a_task_all_the_same(sandbox: Sandbox):
    customers = sandbox.move_in()
    sandbox.http.post("/sandbox/faults", json={"path": "externalcontact/add_msg_template", "kind": "drop"})
    with pytest.raises(ConnectionResetError):
        sandbox.post("add_msg_template", {"text": {"content": "x"}, "external_userid": customers})
    assert sandbox.http.get("/sandbox/stats").json()["tasks"] == 1
    assert sandbox.http.get("/sandbox/faults").json()["items"][0]["happened"] == 1


def test_the_phone_and_its_parts_are_served(sandbox: Sandbox):
    for path, text in (("/phone", "phone.js"), ("/phone.js", "redeem"), ("/phone.css", ".bubble"), ("/", "sandbox")):
        answer = sandbox.http.get(path)
        assert (answer.status_code, text in answer.text) == (200, True)
