"""The files that are made for the demonstration come in once, from a source that is marked as made."""

from __future__ import annotations

from quanyu.app.connectors import Customer
from quanyu.cli.demo_files import MadeFile, import_made
from quanyu.cli.demo_members import SOURCE, import_members
from quanyu.kernel.label import Label
from tests.unit.imports.conftest import World


def test_a_made_file_comes_in_once_and_is_not_even_made_again(world: World) -> None:
    made = MadeFile("made_file", Label("成员（演示）", "Members (demo)"), Label("成员.csv", "members.csv"), "members")
    asked = []

    def content() -> bytes:
        asked.append(1)
        return "会员卡号,手机号,姓名\nC1,13800000001,王\nC2,13800000002,李\n".encode()

    for _ in range(2):
        import_made(world.product, world.caller, made, content)
    (job,) = world.product.imports.list_jobs(world.scope, None, 10)
    assert (job.title, job.source, job.status, job.fresh) == ("成员.csv", "acme.made_file", "done", 2)
    assert asked == [1]
    (view,) = [one for one in world.product.events.list_sources(world.scope) if one.source.source == "acme.made_file"]
    assert (view.source.made, view.source.name.en) == (True, "Members (demo)")


def test_the_members_come_in_with_five_rows_refused(world: World) -> None:
    people = [Customer(n, f"客户{n}", f"138{n:08d}", None, None, None, "s1", "D1") for n in range(120)]
    import_members(world.product, world.caller, people)
    (job,) = world.product.imports.list_jobs(world.scope, None, 10)
    assert (job.source, job.status, job.rows, job.bad) == (f"acme.{SOURCE}", "done", 120, 5)
