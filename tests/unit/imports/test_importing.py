"""A file becomes events once, a changed row replaces what it said before, and the books balance."""

from __future__ import annotations

import pytest

from quanyu.imports.running import Runner
from quanyu.kernel.errors import Conflict
from tests.unit.imports.conftest import World

ORDERS = {
    "target": "events",
    "grouped": True,
    "key": ["订单编号"],
    "name": {"const": "order_paid"},
    "occurred_at": "付款时间",
    "order_id": "订单编号",
    "identifiers": [{"namespace": "member_no", "column": "会员号"}, {"namespace": "phone", "column": "手机"}],
    "amount": {"column": "实付金额", "lines": "sum"},
    "items": {"sku": "商品编码", "quantity": "数量", "amount": "实付金额"},
    "store_id": "门店",
    "channel": {"const": "store"},
}
HEADER = "订单编号,付款时间,会员号,手机,商品编码,数量,实付金额,门店\n"
FILE = HEADER + (
    "A1,2026-02-01 10:00:00,M1,13800000001,S1,1,10.00,D1\n"
    "A1,2026-02-01 10:00:00,M1,13800000001,S2,2,20.50,D1\n"
    "A2,2026-02-02 10:00:00,M2,138****0002,S1,1,10.00,D1\n"
    "A3,2026-02-03 10:00:00,M1,13800000001,S3,x,5.00,D2\n"
    "A4,昨天,M2,,S3,1,5.00,D2\n"
)


def person_of(world: World, member: str) -> tuple[int, int, object, object]:
    """orders, amount, first and last order of whoever holds a member number, as the profile says."""
    profiles = world.product.profiles
    with world.product.state.read() as tx:
        (number,) = profiles.identity.find(tx, member, world.scope)
        (someone,) = profiles.identity.people_by_id(tx, [number], world.scope)
        totals = profiles.totals_of(tx, someone)
    return totals.orders, totals.amount, totals.first_order_at, totals.last_order_at


def test_a_file_becomes_events_and_the_books_balance(world: World) -> None:
    job = world.bring(FILE.encode("gbk"), ORDERS)
    assert (job.status, job.problem) == ("done", None)
    assert (job.rows, job.events, job.bad, job.skipped, job.repeated, job.masked) == (5, 2, 2, 0, 0, 1)
    assert (job.done, job.fresh, job.corrected, job.unchanged) == (2, 2, 0, 0)
    first, second = world.events()
    assert (first["event_id"], first["order_id"], first["amount"]) == ("order_paid:A1", "A1", 3050)
    assert first["items"] == [
        {"sku": "S1", "quantity": 1.0, "unit_price": None, "amount": 1000},
        {"sku": "S2", "quantity": 2.0, "unit_price": None, "amount": 2050},
    ]
    assert (first["store_id"], first["channel"], first["currency"], first["day"]) == (
        "D1",
        "store",
        "CNY",
        "2026-02-01",
    )
    assert len(first["identifiers"]) == 2
    assert len(second["identifiers"]) == 1  # the masked phone is no identifier
    assert world.books(job.source) == (4, 2, 0, 2)


def test_refused_rows_are_listed_and_downloaded_with_their_reason(world: World) -> None:
    job = world.bring(FILE, ORDERS)
    rows = world.product.imports.bad_rows(world.scope, job.job_id)
    assert [(row.row, row.column, row.reason, row.value) for row in rows] == [
        (5, "数量", "row_number_unreadable", "x"),
        (6, "付款时间", "row_time_unreadable", "昨天"),
    ]
    text = world.product.imports.bad_rows_csv(world.caller, job.job_id)
    assert text.startswith('\ufeff"行号","出错列","原因","订单编号"')
    assert '"5","数量","数字无法识别","A3","2026-02-03 10:00:00","M1","13800000001","S3","x","5.00","D2"' in text
    held, _ = world.product.events.quarantine.list(world.scope)
    assert sorted(item.reason for item in held) == ["row_number_unreadable", "row_time_unreadable"]
    assert all("13800000001" not in item.excerpt for item in held)


def test_the_same_file_again_changes_nothing(world: World) -> None:
    first = world.bring(FILE, ORDERS)
    before = world.events()
    again = world.bring(FILE, first.mapping_id)
    assert (again.fresh, again.corrected, again.unchanged) == (0, 0, 2)
    assert world.events() == before
    assert world.books(first.source) == (8, 2, 2, 4)


def test_a_mended_row_is_taken_and_the_rest_stays(world: World) -> None:
    first = world.bring(FILE, ORDERS)
    again = world.bring(FILE.replace(",x,", ",1,").replace("昨天", "2026-02-04"), first.mapping_id)
    assert (again.fresh, again.unchanged, again.bad) == (2, 2, 0)
    assert [event["order_id"] for event in world.events()] == ["A1", "A2", "A3", "A4"]


def test_a_changed_row_replaces_its_predecessor_and_every_number_follows(world: World) -> None:
    first = world.bring(FILE, ORDERS)
    assert person_of(world, "M1")[:2] == (1, 3050)
    earlier = person_of(world, "M1")[2]
    changed = FILE.replace("20.50", "25.50").replace("A1,2026-02-01", "A1,2026-02-05")
    second = world.bring(changed, first.mapping_id)
    assert (second.fresh, second.corrected, second.unchanged) == (0, 1, 1)
    orders = [event for event in world.events() if event["order_id"] == "A1"]
    assert [(event["event_id"], event["amount"], event["day"]) for event in orders] == [
        ("order_paid:A1~2", 3550, "2026-02-05")
    ]
    assert '"replaces": "order_paid:A1"' in orders[0]["properties"]
    count, amount, begin, end = person_of(world, "M1")
    assert (count, amount) == (1, 3550)
    assert begin == end != earlier
    # And back again: what it said at first is a correction as well.
    third = world.bring(FILE, first.mapping_id)
    assert (third.corrected, third.unchanged) == (1, 1)
    assert [event["event_id"] for event in world.events() if event["order_id"] == "A1"] == ["order_paid:A1~3"]
    assert person_of(world, "M1") == (1, 3050, earlier, earlier)


def test_an_order_moves_to_another_person_when_its_row_says_so(world: World) -> None:
    first = world.bring(FILE, ORDERS)
    world.bring(FILE.replace("A1,2026-02-01 10:00:00,M1,13800000001", "A1,2026-02-01 10:00:00,M2,"), first.mapping_id)
    assert person_of(world, "M1")[:2] == (0, 0)
    assert person_of(world, "M2")[:2] == (2, 4050)


def test_a_killed_import_goes_on_behind_its_last_piece(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    imports = world.product.imports
    lines = "".join(f"N{i},2026-02-01 10:00:00,M{i % 7},,S1,1,{i}.00,D1\n" for i in range(250))
    mapping = imports.save_mapping(world.caller, "orders", ORDERS)
    file = imports.keep_file(world.caller, "orders.csv", (HEADER + lines).encode())
    job = imports.start(world.caller, file.file_id, mapping.mapping_id)

    def new_runner() -> Runner:
        imports._runner = None
        runner = imports.runner("worker")
        runner._piece = 40
        return runner

    runner = new_runner()
    for _ in range(3):
        assert runner.step()
    world.batches.drain()
    begun = imports.get_job(world.scope, job.job_id)
    assert (begun.status, begun.done) == ("running", 80)
    died = new_runner()
    monkeypatch.setattr("quanyu.imports.saved.change_job", lambda *_, **__: 1 / 0)  # dies inside the transaction
    with pytest.raises(ZeroDivisionError):
        died.step()
    monkeypatch.undo()
    new_runner()
    world.settle()
    done = imports.get_job(world.scope, job.job_id)
    assert (done.status, done.done, done.fresh) == ("done", 250, 250)
    assert len(world.events()) == 250
    assert world.books(mapping.source) == (250, 250, 0, 0)


def test_too_many_bad_rows_import_nothing(world: World) -> None:
    job = world.bring(FILE, ORDERS, most_bad=1)
    assert job.status == "failed"
    assert job.problem is not None
    assert "5 行里有 2 行出错" in job.problem.zh
    assert world.events() == []
    assert world.books(job.source) == (0, 0, 0, 0)


def test_a_file_without_the_columns_fails_in_words(world: World) -> None:
    job = world.bring("a,b\n1,2\n", ORDERS)
    assert job.status == "failed"
    assert job.problem is not None
    assert "订单编号" in job.problem.zh
    with pytest.raises(Conflict):
        world.product.imports.cancel(world.caller, job.job_id)


def test_running_a_file_again_puts_its_old_mistakes_away(world: World) -> None:
    imports = world.product.imports
    mapping = imports.save_mapping(world.caller, "orders", ORDERS)
    file = imports.keep_file(world.caller, "orders.csv", FILE.encode())
    first = imports.start(world.caller, file.file_id, mapping.mapping_id)
    world.settle()
    easier = {**ORDERS, "items": {"sku": "商品编码"}}
    imports.save_mapping(world.caller, "orders", easier, mapping_id=mapping.mapping_id, version=1)
    second = imports.start(world.caller, file.file_id, mapping.mapping_id)
    world.settle()
    done = imports.get_job(world.scope, second.job_id)
    assert (done.mapping_version, done.fresh, done.corrected, done.bad) == (2, 1, 2, 1)
    held = [row.status for row in world.product.events.quarantine.list(world.scope)[0]]
    assert sorted(held) == ["discarded", "discarded", "held"]
    assert len(imports.bad_rows(world.scope, first.job_id)) == 2
