"""Uploaded files hold people in clear, sealed: they are gone as soon as nobody needs them, whatever was killed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quanyu.kernel.errors import NotFound
from tests.unit.imports.conftest import World
from tests.unit.imports.test_importing import HEADER, ORDERS
from tests.unit.imports.test_places import connect, drop, turn

PHONE = "13800130077"
LINE = f"A1,2026-02-01 10:00:00,M1,{PHONE},S1,1,{{amount}},D1\n"


def kept(world: World) -> list[Path]:
    folder = world.product.settings.data_path / "imports"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def opened(world: World) -> bytes:
    """All that the installation's own keys open of the uploaded files."""
    cipher = world.product.vault.cipher(world.scope.brand_id, "seal")
    return b"".join(world.product.imports.files.open(cipher, path.name) for path in kept(world))


def in_clear(world: World) -> list[str]:
    """The files of the data folder in which the phone stands."""
    files = [path for path in world.product.settings.data_path.rglob("*") if path.is_file()]
    return [path.name for path in files if PHONE.encode() in path.read_bytes()]


def upload(world: World, text: str, mapping: Any = ORDERS) -> tuple[str, str]:
    imports = world.product.imports
    saved = imports.save_mapping(world.caller, "orders", mapping)
    return imports.keep_file(world.caller, "orders.csv", text.encode()).file_id, saved.mapping_id


def test_a_file_is_gone_when_every_row_of_it_was_taken(world: World) -> None:
    imports = world.product.imports
    file_id, mapping_id = upload(world, HEADER + LINE.format(amount="10.00"))
    assert PHONE.encode() in opened(world)
    assert in_clear(world) == []
    job = imports.start(world.caller, file_id, mapping_id)
    world.settle()
    assert imports.get_job(world.scope, job.job_id).status == "done"
    assert kept(world) == []
    assert in_clear(world) == []
    with pytest.raises(NotFound, match="import_file_not_found"):
        imports.start(world.caller, file_id, mapping_id)


def test_a_file_goes_before_the_next_import_begins(world: World) -> None:
    imports, runner = world.product.imports, world.product.imports.runner("worker")
    first, mapping_id = upload(world, HEADER + LINE.format(amount="10.00"))
    second, _ = upload(world, HEADER + LINE.format(amount="11.00"))
    imports.start(world.caller, first, mapping_id)
    world.clock.advance(timedelta(seconds=1))
    last = imports.start(world.caller, second, mapping_id).job_id
    while imports.get_job(world.scope, last).status == "queued":
        assert runner.step()
    assert len(kept(world)) == 1
    world.settle()
    assert kept(world) == []


@pytest.mark.parametrize(("most_bad", "status"), [(0, "failed"), (1, "done")])
def test_a_file_with_refused_rows_can_be_imported_again_for_a_day(world: World, most_bad: int, status: str) -> None:
    imports = world.product.imports
    file_id, mapping_id = upload(world, HEADER + LINE.format(amount="nine"))
    job = imports.start(world.caller, file_id, mapping_id, most_bad=most_bad)
    world.settle()
    assert imports.get_job(world.scope, job.job_id).status == status
    assert len(kept(world)) == 1
    world.clock.advance(timedelta(hours=23))
    world.settle()
    assert len(kept(world)) == 1
    world.clock.advance(timedelta(hours=1))
    world.settle()
    assert kept(world) == []
    assert len(imports.bad_rows(world.scope, job.job_id)) == most_bad, "refused rows need no file"


def test_of_a_watched_folder_nothing_stays_even_when_it_failed(world: World) -> None:
    inbox = world.product.settings.data_path / "inbox" / "acme"
    drop(inbox, "one.csv", "no,such\n" + PHONE + ",columns\n")
    connect(world, "folder", {"path": str(inbox)})
    turn(world)
    assert [job.status for job in world.product.imports.list_jobs(world.scope, None, 9)] == ["failed"]
    assert kept(world) == []


def test_what_a_killed_upload_left_is_swept(world: World) -> None:
    file_id, _ = upload(world, HEADER + LINE.format(amount="10.00"))
    (known,) = kept(world)
    now = world.clock.now()
    for name, age in (("left", 25), ("left.draft", 25), ("fresh.draft", 1)):
        (known.parent / name).write_bytes(b"x")
        then = (now - timedelta(hours=age)).timestamp()
        os.utime(known.parent / name, (then, then))
    os.utime(known, (0, 0))
    world.settle()
    assert [path.name for path in kept(world)] == sorted([known.name, "fresh.draft"])
    world.product.imports.forget_file(world.caller, file_id)
