# ruff: noqa: E501 - rows and bodies stand here as they are
"""Folders, object storage, databases and webhooks: read again and again, each thing once, how far is never lost."""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from quanyu.app import web
from quanyu.imports.connections import Connection, next_time
from quanyu.kernel.errors import Invalid, NotFound
from quanyu.sdk.config import MASK
from tests.unit.imports.conftest import World, bucket
from tests.unit.imports.test_importing import HEADER, ORDERS

LINE = "A{n},2026-02-01 10:00:00,M{n},,S1,1,{amount},D1\n"


def connect(world: World, kind: str, config: dict[str, Any], schedule: str = "every 1m") -> Connection:
    imports = world.product.imports
    mapping = imports.save_mapping(world.caller, "orders", ORDERS, source="orders").mapping_id
    made, _ = imports.connections.create(
        world.caller, kind=kind, name="here", mapping_id=mapping, config=config, schedule=schedule
    )
    return made


def turn(world: World) -> None:
    """A minute passes, the worker reads and stores."""
    world.clock.advance(timedelta(minutes=1))
    while world.product.imports.follow_places("worker"):
        pass
    world.settle()


def amounts(world: World) -> dict[str, int]:
    return {event["order_id"]: event["amount"] for event in world.events()}


def state_of(world: World, made: Connection) -> Connection:
    return world.product.imports.connections.get(world.scope, made.connection_id)


def drop(folder: Path, name: str, text: str, age: float = 60) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    then = (folder / name).stat().st_mtime - age
    os.utime(folder / name, (then, then))


def test_a_folder_brings_each_file_once_and_a_changed_one_again(world: World) -> None:
    inbox = world.product.settings.data_path / "inbox" / "acme"
    drop(inbox, "one.csv", HEADER + LINE.format(n=1, amount="10.00"))
    drop(inbox, "notes.txt", "nothing")
    drop(inbox, "half.csv", HEADER + LINE.format(n=9, amount="1.00"), age=-3600)  # still being written
    made = connect(world, "folder", {"path": str(inbox), "pattern": "*.csv"})
    turn(world)
    assert amounts(world) == {"A1": 1000}
    turn(world)
    drop(inbox, "two.csv", HEADER + LINE.format(n=2, amount="5.00"))
    drop(inbox, "one.csv", HEADER + LINE.format(n=1, amount="12.00"), age=30)
    turn(world)
    assert amounts(world) == {"A1": 1200, "A2": 500}
    jobs = world.product.imports.list_jobs(world.scope, None, 50, made.connection_id)
    told = [(job.title, job.fresh, job.corrected) for job in reversed(jobs)]
    assert told[0] == ("one.csv", 1, 0)
    assert sorted(told[1:]) == [("one.csv", 0, 1), ("two.csv", 1, 0)], "of one moment, in any order"
    assert state_of(world, made).problem is None


def test_a_file_that_is_too_large_is_refused_once_and_the_others_go_on(world: World) -> None:
    imports = world.product.imports
    inbox = world.product.settings.data_path / "inbox" / "acme"
    imports.files.most_bytes = 500
    drop(inbox, "a.csv", HEADER + "".join(LINE.format(n=n, amount="1.00") for n in range(50)))
    drop(inbox, "b.csv", HEADER + LINE.format(n=100, amount="5.00"))
    made = connect(world, "folder", {"path": str(inbox)})
    turn(world)
    turn(world)
    assert amounts(world) == {"A100": 500}
    jobs = {job.title: job for job in imports.list_jobs(world.scope, None, 50, made.connection_id)}
    assert {title: job.status for title, job in jobs.items()} == {"a.csv": "failed", "b.csv": "done"}
    assert len(imports.list_jobs(world.scope, None, 50)) == 2, "not tried again while it is the same"
    problem = jobs["a.csv"].problem
    assert problem is not None
    assert "max_import_bytes" in problem.zh
    assert (state_of(world, made).problem, state_of(world, made).failures) == (None, 0)
    drop(inbox, "a.csv", HEADER + LINE.format(n=7, amount="7.00"), age=30)
    turn(world)
    assert amounts(world) == {"A7": 700, "A100": 500}


def test_files_that_cannot_be_read_are_told_of_once_tried_again_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = world.product.imports
    inbox = world.product.settings.data_path / "inbox" / "acme"
    for name in ("b.csv", "c.csv", "closed/d.csv", "z.csv"):
        folder = (inbox / name).parent
        drop(folder, Path(name).name, HEADER + LINE.format(n=ord(Path(name).name[0]), amount="5.00"))
    (inbox / "a.csv").symlink_to("nowhere.csv")
    (inbox / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(inbox / "pipe.csv")
    drop(inbox, os.fsdecode("订单.csv".encode("gbk")), HEADER)
    listed, opened = os.scandir, Path.read_bytes

    def scandir(path: Any) -> Any:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listed(path)

    def read_bytes(self: Path) -> bytes:
        if self.name == "b.csv":
            raise PermissionError(13, "Permission denied")
        if self.name == "c.csv":
            self.unlink()  # moved away between being listed and being read
        return opened(self)

    made = connect(world, "folder", {"path": str(inbox), "pattern": "*.csv"})
    with monkeypatch.context() as refusing:
        refusing.setattr(os, "scandir", scandir)
        refusing.setattr(Path, "read_bytes", read_bytes)
        turn(world)
        turn(world)
    assert amounts(world) == {"A122": 500}
    jobs = imports.list_jobs(world.scope, None, 50, made.connection_id)
    odd = "\\udcb6\\udca9\\udcb5\\udca5.csv"
    assert sorted(job.title for job in jobs) == sorted(["a.csv", "b.csv", "c.csv", "closed", "loop.csv", "z.csv", odd])
    told = {job.title: job.problem.zh for job in jobs if job.status == "failed" and job.problem}
    assert told["a.csv"].startswith("读不到 a.csv（FileNotFoundError）。文件已移走，或链接指向的地方不存在")
    assert told["b.csv"] == "读不到 b.csv（PermissionError）。确认运行账号有读权限，下次执行会再试"
    assert told["closed"].startswith("子文件夹 closed 无法列出。")
    assert told[odd].endswith("文件名不是 UTF-8，请改名")
    assert set(told) == {"a.csv", "b.csv", "c.csv", "closed", "loop.csv", odd}
    assert (state_of(world, made).problem, state_of(world, made).failures) == (None, 0)
    drop(inbox, "nowhere.csv", HEADER + LINE.format(n=1, amount="1.00"))
    turn(world)
    assert amounts(world) == {"A1": 100, "A98": 500, "A100": 500, "A122": 500}
    again = imports.list_jobs(world.scope, None, 50, made.connection_id)
    assert sorted(job.title for job in again[: -len(jobs)]) == ["a.csv", "b.csv", "closed/d.csv", "nowhere.csv"]


def test_a_folder_that_is_gone_while_it_is_read_is_the_folders_problem(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = world.product.settings.data_path / "inbox" / "acme"
    drop(inbox, "a.csv", HEADER + LINE.format(n=1, amount="1.00"))
    opened = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        inbox.rename(inbox.with_name("away"))
        return opened(self)

    made = connect(world, "folder", {"path": str(inbox)})
    with monkeypatch.context() as moving:
        moving.setattr(Path, "read_bytes", read_bytes)
        turn(world)
    problem = state_of(world, made).problem
    assert problem is not None
    assert problem.zh.startswith(f"读不到 {inbox}（FileNotFoundError）")
    assert world.product.imports.list_jobs(world.scope, None, 50) == []


def test_a_folder_outside_of_the_allowed_ones_is_refused_in_words(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    drop(outside, "secret.csv", HEADER + LINE.format(n=1, amount="1.00"))
    inbox = world.product.settings.data_path / "inbox" / "acme"
    inbox.mkdir(parents=True)
    (inbox / "link.csv").symlink_to(outside / "secret.csv")
    made = connect(world, "folder", {"path": str(outside)})
    turn(world)
    problem = state_of(world, made).problem
    assert problem is not None
    assert "import_folders" in problem.zh
    linked = connect(world, "folder", {"path": str(inbox)})
    turn(world)
    assert state_of(world, linked).problem is None
    assert world.events() == []


def test_a_bucket_brings_each_object_once(world: World, storage_server: str, request: pytest.FixtureRequest) -> None:
    name = "orders-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    storage = bucket(storage_server, name)
    with storage.open_output_stream(f"{name}/daily/1.csv") as out:
        out.write((HEADER + LINE.format(n=1, amount="10.00")).encode())
    config = {
        "endpoint": storage_server,
        "bucket": name,
        "prefix": "daily",
        "pattern": "*.csv",
        "access_key": "key",
        "secret_key": "secret",
    }
    made = connect(world, "s3", config)
    assert made.config["secret_key"] == MASK
    turn(world)
    turn(world)
    with storage.open_output_stream(f"{name}/daily/2.csv") as out:
        out.write((HEADER + LINE.format(n=2, amount="7.00")).encode())
    turn(world)
    assert amounts(world) == {"A1": 1000, "A2": 700}
    assert len(world.product.imports.list_jobs(world.scope, None, 50)) == 2
    changed = world.product.imports.connections.change(
        world.caller, made.connection_id, name="here", mapping_id=made.mapping_id, config={**made.config, "bucket": "no-such"},
        schedule="every 1m", active=True,
    )  # fmt: skip
    turn(world)
    failed = state_of(world, changed)
    assert failed.problem is not None
    assert "no-such" in failed.problem.zh
    assert failed.failures == 1


def test_private_storage_is_refused_unless_a_setting_allows_it(world: World, storage_server: str) -> None:
    world.product.settings.values["allow_private_urls"] = False  # type: ignore[index]
    made = connect(world, "s3", {"endpoint": storage_server, "bucket": "b", "secret_key": "x"})
    turn(world)
    problem = state_of(world, made).problem
    assert problem is not None
    assert "127.0.0.1" in problem.zh


def test_a_database_is_read_by_its_increasing_key_and_corrections_follow(world: World, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as tx:
        tx.exec_driver_sql(
            "CREATE TABLE shop_orders (订单编号 text, 付款时间 timestamptz, 会员号 text, 手机 text, 商品编码 text, 数量 int,"
            " 实付金额 numeric(12,2), 门店 text, updated_at timestamptz)"
        )

        def put(order: str, amount: str, at: str) -> None:
            tx.execute(
                sa.text(
                    "INSERT INTO shop_orders VALUES (:o, '2026-02-01 10:00+08', 'M1', NULL, 'S1', 1, :a, 'D1', :u)"
                ),
                {"o": order, "a": amount, "u": at},
            )

        for number in range(5):
            put(f"A{number}", "10.00", f"2026-02-01 1{number}:00+00")
    query = "SELECT * FROM shop_orders WHERE 门店 <> 'test::x'"
    made = connect(world, "database", {"url": postgres_url, "query": query, "key": "updated_at"})
    assert made.config["url"] == MASK
    turn(world)
    assert amounts(world) == {f"A{number}": 1000 for number in range(5)}
    assert [event["occurred_at"] for event in world.events()] == [1769911200000000] * 5
    mark = state_of(world, made).watermark
    assert mark is not None
    assert "2026-02-01T14:00:00" in mark
    with engine.begin() as tx:
        tx.exec_driver_sql(
            "UPDATE shop_orders SET 实付金额 = 12.5, updated_at = '2026-02-02 00:00+00' WHERE 订单编号 = 'A1'"
        )
    turn(world)
    assert amounts(world)["A1"] == 1250
    counts = [
        (job.rows, job.fresh, job.corrected, job.unchanged)
        for job in world.product.imports.list_jobs(world.scope, None, 9)
    ]
    assert counts == [(2, 0, 1, 1), (5, 5, 0, 0)]
    engine.dispose()


def test_a_killed_reading_of_a_database_repeats_nothing(
    world: World, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quanyu.imports.places._ROWS_AT_ONCE", 4)
    engine = sa.create_engine(postgres_url)
    with engine.begin() as tx:
        tx.exec_driver_sql(
            "CREATE TABLE o AS SELECT i AS id, 'A' || i / 2 AS 订单编号, '2026-02-01'::timestamp AS 付款时间, 'S' || i AS 商品编码,"
            " 1 AS 实付金额, i / 2 AS batch FROM generate_series(0, 10) i"
        )
    document = {name: value for name, value in ORDERS.items() if name not in ("identifiers", "store_id")}
    document["items"] = {"sku": "商品编码"}
    imports = world.product.imports
    mapping = imports.save_mapping(world.caller, "orders", document).mapping_id
    config = {"url": postgres_url, "query": "select * from o", "key": "batch"}
    made, _ = imports.connections.create(
        world.caller, kind="database", name="o", mapping_id=mapping, config=config, schedule="every 1m"
    )
    imports.follow_places("worker")
    marks = [state_of(world, made).watermark]
    with monkeypatch.context() as dying:
        dying.setattr("quanyu.imports.saved.change_job", lambda *_, **__: 1 / 0)  # dies inside the transaction
        with pytest.raises(ZeroDivisionError):
            imports.follow_places("worker")
    assert state_of(world, made).watermark == marks[0]
    (job,) = imports.list_jobs(world.scope, None, 9)
    assert (job.status, job.rows) == ("running", 2)
    turn(world)
    assert {event["order_id"]: len(event["items"]) for event in world.events()} == {
        f"A{n}": 2 if n < 5 else 1 for n in range(6)
    }
    (job,) = imports.list_jobs(world.scope, None, 9)  # one reading is one job, however many pieces it took
    assert (job.status, job.rows, job.done, job.fresh, job.unchanged) == ("done", 11, 6, 6, 0)
    assert world.books(imports.get_mapping(world.scope, mapping).source)[1] == 6
    engine.dispose()


@pytest.mark.parametrize(
    "config",
    [
        {"url": "postgresql://db/x", "query": "DELETE FROM orders", "key": "id"},
        {"url": "postgresql://db/x", "query": "select 1; drop table x", "key": "id"},
        {"url": "postgresql://db/x", "query": "select * from orders", "key": 'id" or 1'},
        {"url": "postgresql://db/x", "query": "select * from orders", "key": "id", "more": "x"},
    ],
)
def test_a_query_that_is_no_reading_is_refused(world: World, config: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="import_connection_invalid") as caught:
        connect(world, "database", config)
    (fault,) = caught.value.fields
    assert fault.message.zh in (
        "只能是一条 SELECT（或 WITH … SELECT），不含分号",
        "写法不对，可能有不允许的字符",
        "没有这一项",
    )


def test_a_database_in_a_file_cannot_be_pointed_to(world: World, tmp_path: Path) -> None:
    made = connect(
        world, "database", {"url": f"sqlite:///{tmp_path}/x.db", "query": "select * from sqlite_master", "key": "name"}
    )
    turn(world)
    problem = state_of(world, made).problem
    assert problem is not None
    assert "没有主机" in problem.zh


def test_a_webhook_records_before_it_answers_and_only_what_is_signed(world: World) -> None:
    imports = world.product.imports
    document = {
        "target": "events",
        "key": ["id"],
        "name": "type",
        "occurred_at": "at",
        "identifiers": [{"namespace": "phone", "column": "buyer.phone"}],
        "amount": {"column": "total", "unit": "cents"},
    }
    mapping = imports.save_mapping(world.caller, "hook", document)
    made, secret = imports.connections.create(
        world.caller, kind="webhook", name="shop", mapping_id=mapping.mapping_id, config={"signing_secret": "s3cret"}, schedule=""
    )  # fmt: skip
    http = TestClient(web(world.product))
    body = b'[{"id":1,"type":"order_paid","at":"2026-02-01T10:00:00Z","total":995,"buyer":{"phone":"13800000001"}},{"id":2,"type":"x"}]'
    signed = {"X-Signature-256": "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()}
    assert http.post("/hooks/imports/nothing", content=body, headers=signed).status_code == 404
    assert http.post(f"/hooks/imports/{secret}", content=body).status_code == 403
    answer = http.post(f"/hooks/imports/{secret}", content=body, headers=signed)
    assert (answer.status_code, answer.json()) == (200, {"events": 1, "refused": 1})
    assert http.post(f"/hooks/imports/{secret}", content=body, headers=signed).status_code == 200
    world.settle()
    assert [(event["name"], event["amount"], len(event["identifiers"])) for event in world.events()] == [
        ("order_paid", 995, 1)
    ]
    assert world.books(mapping.source) == (4, 1, 1, 2)
    imports.connections.delete(world.caller, made.connection_id)
    assert http.post(f"/hooks/imports/{secret}", content=body, headers=signed).status_code == 404
    with pytest.raises(NotFound):
        imports.connections.get(world.scope, made.connection_id)


def test_schedules_are_intervals_or_cron_in_the_brands_time() -> None:
    at = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)  # 02:30 on the 2nd in Shanghai
    assert next_time("every 15m", at, "Asia/Shanghai") == at + timedelta(minutes=15)
    assert next_time("every 1s", at, "Asia/Shanghai") == at + timedelta(seconds=10)
    assert next_time("0 3 * * *", at, "Asia/Shanghai") == datetime(2026, 3, 1, 19, 0, tzinfo=UTC)
    for wrong in ("", "daily", "61 * * * *", "every 5x", "* * * * * *"):
        with pytest.raises(Invalid):
            next_time(wrong, at, "Asia/Shanghai")
