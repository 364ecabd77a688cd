"""A connection that is changed: its secret stays, it can be paused, and what was read can be read again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from quanyu.imports.connections import Connection
from quanyu.kernel.errors import NotFound
from quanyu.sdk.place import FilePlace, PlacedFile
from tests.unit.imports.conftest import World
from tests.unit.imports.test_importing import HEADER, ORDERS
from tests.unit.imports.test_places import LINE, amounts, connect, drop, state_of, turn


def change(world: World, made: Connection, **given: Any) -> Connection:
    shown = {
        "name": made.name,
        "mapping_id": made.mapping_id,
        "config": made.config,
        "schedule": made.schedule,
        "active": made.active,
    }
    return world.product.imports.connections.change(world.caller, made.connection_id, **{**shown, **given})


def test_a_secret_left_out_is_kept_and_an_emptied_one_is_removed(world: World) -> None:
    made = connect(world, "webhook", {"signing_secret": "s3cret"})
    assert change(world, made, config={}).config["signing_secret"] == made.config["signing_secret"] != ""
    assert change(world, made, config={"signing_secret": ""}).config["signing_secret"] == ""


def test_one_whose_mapping_was_archived_can_be_paused_but_not_resumed(world: World) -> None:
    made = connect(world, "webhook", {})
    world.product.imports.put_mapping_away(world.caller, made.mapping_id)
    paused = change(world, made, active=False)
    assert not paused.active
    with pytest.raises(NotFound, match="mapping_not_found"):
        change(world, paused, active=True)


def test_everything_is_read_again_by_another_mapping_and_corrects_what_was_there(world: World) -> None:
    inbox = world.product.settings.data_path / "inbox" / "acme"
    drop(inbox, "one.csv", HEADER + LINE.format(n=1, amount="10.00"))
    drop(inbox, "two.csv", HEADER + LINE.format(n=2, amount="7.00"))
    made = connect(world, "folder", {"path": str(inbox)})
    turn(world)
    assert amounts(world) == {"A1": 1000, "A2": 700}
    imports = world.product.imports
    cents = ORDERS | {"amount": {"column": "实付金额", "unit": "cents"}}
    drop(inbox, "one.csv", HEADER + LINE.format(n=1, amount="10"), age=30)
    drop(inbox, "two.csv", HEADER + LINE.format(n=2, amount="7"), age=60)
    turn(world)
    saved = imports.get_mapping(world.scope, made.mapping_id)
    imports.save_mapping(world.caller, "orders", cents, mapping_id=saved.mapping_id, version=saved.version)
    turn(world)
    assert amounts(world) == {"A1": 1000, "A2": 700}, "read before the mapping changed"
    change(world, made, from_start=True)
    turn(world)
    assert amounts(world) == {"A1": 10, "A2": 7}


def test_a_reading_under_former_settings_leaves_no_mark_on_the_changed_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = world.product.settings.data_path / "inbox" / "acme"
    drop(inbox, "one.csv", HEADER + LINE.format(n=1, amount="10.00"))
    made = connect(world, "folder", {"path": str(inbox)})
    kind = world.product.imports.connections.kinds["folder"]
    assert issubclass(kind.place, FilePlace)
    plain = kind.place.files

    def files(place: FilePlace) -> list[PlacedFile]:
        found = list(plain(place))
        change(world, made, config={"path": str(inbox), "pattern": "*.txt"})
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(kind.place, "files", files)
        world.product.imports.follow_places("worker")
    assert world.product.imports.list_jobs(world.scope, None, 9) == []
    assert state_of(world, made).ran_at is None


def reading(world: World, postgres_url: str) -> Connection:
    """A connection that reads the orders of the table `o` by their `id`, every minute."""
    document = {name: value for name, value in ORDERS.items() if name not in ("identifiers", "store_id")}
    document["items"] = {"sku": "商品编码"}
    imports = world.product.imports
    mapping = imports.save_mapping(world.caller, "orders", document).mapping_id
    config = {"url": postgres_url, "query": "select * from o", "key": "id"}
    made, _ = imports.connections.create(
        world.caller, kind="database", name="o", mapping_id=mapping, config=config, schedule="every 1m"
    )
    return made


def test_the_position_of_another_key_does_not_count(world: World, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as tx:
        tx.exec_driver_sql(
            "CREATE TABLE o AS SELECT 'A' || i AS 订单编号, 'S1' AS 商品编码, '2026-02-01'::timestamp AS 付款时间,"
            " 1 AS 实付金额, 1000 + i AS id, i AS version FROM generate_series(1, 3) i"
        )
    made = reading(world, postgres_url)
    turn(world)
    assert set(amounts(world)) == {"A1", "A2", "A3"}
    change(world, made, config={**made.config, "key": "version"})
    with engine.begin() as tx:
        tx.exec_driver_sql("INSERT INTO o VALUES ('A4', 'S1', '2026-02-01', 1, 0, 4)")
    turn(world)
    assert set(amounts(world)) == {"A1", "A2", "A3", "A4"}
    engine.dispose()


def test_a_long_reading_is_one_job_that_can_be_stopped_and_goes_on_when_it_is_due(
    world: World, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quanyu.imports.places._ROWS_AT_ONCE", 3)
    engine = sa.create_engine(postgres_url)
    with engine.begin() as tx:
        tx.exec_driver_sql(
            "CREATE TABLE o AS SELECT 'A' || i AS 订单编号, 'S1' AS 商品编码, '2026-02-01'::timestamp AS 付款时间,"
            " CASE i WHEN 5 THEN 'x' ELSE '1' END AS 实付金额, i AS id FROM generate_series(1, 9) i"
        )
    imports = world.product.imports
    made = reading(world, postgres_url)
    assert imports.follow_places("worker")
    (first,) = imports.list_jobs(world.scope, None, 9)
    assert (first.status, first.rows) == ("running", 2)
    imports.cancel(world.caller, first.job_id)
    assert not imports.follow_places("worker"), "stopped, until it is due again"
    turn(world)
    second, stopped = imports.list_jobs(world.scope, None, 9)
    assert (stopped.status, stopped.rows) == ("cancelled", 2)
    assert (second.status, second.rows, second.done, second.bad) == ("done", 7, 6, 1)
    assert [row.row for row in imports.bad_rows(world.scope, second.job_id)] == [3]  # the third of this reading
    assert set(amounts(world)) == {f"A{n}" for n in range(1, 10)} - {"A5"}
    with engine.begin() as tx:
        tx.exec_driver_sql("INSERT INTO o SELECT 'B' || i, 'S1', '2026-02-01', '1', i FROM generate_series(10, 15) i")
    world.clock.advance(timedelta(minutes=1))
    assert imports.follow_places("worker")
    imports.connections.delete(world.caller, made.connection_id)
    assert imports.list_jobs(world.scope, None, 1)[0].status == "cancelled"
    engine.dispose()
