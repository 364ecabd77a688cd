"""The import rules of doors.py hold in the whole product, and the rules themselves tell right from wrong."""

from pathlib import Path

import grimp
import pytest

from tests.conformance.doors import broken_rule, outside_standard_library

ROOT = Path(__file__).resolve().parents[2]


def test_contexts_and_plugins_are_entered_through_their_doors() -> None:
    graph = grimp.build_graph("quanyu", cache_dir=None)
    assert "quanyu" in graph.modules
    broken = []
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            why = broken_rule(importer, imported)
            if why:
                lines = graph.get_import_details(importer=importer, imported=imported)
                where = ", ".join(str(detail["line_number"]) for detail in lines)
                broken.append(f"{importer}:{where} imports {imported}: {why}")
    assert not broken, "\n".join(broken)


def test_kernel_needs_only_the_standard_library() -> None:
    sources = sorted((ROOT / "src/quanyu/kernel").rglob("*.py"))
    assert sources
    assert outside_standard_library(sources, "quanyu.kernel") == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("quanyu.audiences.counting", "quanyu.identity.api"),
        ("quanyu.audiences.counting", "quanyu.identity.contracts"),
        ("quanyu.audiences.counting", "quanyu.identity.errors"),
        ("quanyu.audiences.counting", "quanyu.audiences.tables"),
        ("quanyu.audiences.counting", "quanyu.storage.state"),
        ("quanyu.audiences.counting", "quanyu.kernel.clock"),
        ("quanyu.http.application", "quanyu.audiences.routes"),
        ("quanyu.app", "quanyu.audiences.tables"),
        ("quanyu.plugins.channels.wecom.channel", "quanyu.sdk.channel"),
        ("quanyu.plugins.channels.wecom.channel", "quanyu.plugins.channels.wecom.config"),
    ],
)
def test_permitted(importer: str, imported: str) -> None:
    assert broken_rule(importer, imported) is None


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("quanyu.audiences.counting", "quanyu.identity.tables"),
        ("quanyu.audiences.counting", "quanyu.identity"),
        ("quanyu.audiences.counting", "quanyu.identity.routes"),
        ("quanyu.worker.loop", "quanyu.journeys.engine"),
        ("quanyu.worker.loop", "quanyu.journeys.routes"),
        ("quanyu.plugins.channels.wecom.channel", "quanyu.kernel.clock"),
        ("quanyu.plugins.channels.wecom.channel", "quanyu.plugins.channels.webhook.channel"),
        ("quanyu.plugins.channels.wecom.channel", "quanyu.messaging.api"),
    ],
)
def test_refused(importer: str, imported: str) -> None:
    assert broken_rule(importer, imported)


def test_a_third_party_import_in_the_kernel_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "clock.py"
    source.write_text("import datetime\nfrom quanyu.kernel import ids\nimport numpy.random\nfrom httpx import get\n")
    assert outside_standard_library([source], "quanyu.kernel") == [
        "clock.py:3 numpy.random",
        "clock.py:4 httpx",
    ]
