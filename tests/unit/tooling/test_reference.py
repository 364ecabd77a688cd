"""The reference pages say everything that the code declares, and refuse what has no words."""

import importlib.util
from types import ModuleType

import pytest

from quanyu.kernel.label import Label
from quanyu.kernel.settings import SETTINGS, Setting
from tests.unit.tooling.project import ROOT


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_is_documented(generate: ModuleType) -> None:
    page = generate.settings_page()
    for setting in SETTINGS:
        line = next((line for line in page.splitlines() if f"`{setting.variable}`" in line), "")
        assert setting.help.zh in line
        assert setting.help.en in line


def test_a_setting_without_words_is_refused(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quanyu.kernel.settings.SETTINGS", (Setting("mute", str, "", Label("静音", "")),))
    with pytest.raises(generate.Undocumented, match="mute"):
        generate.settings_page()


def test_every_command_and_option_is_documented(generate: ModuleType) -> None:
    page = generate.cli_page()
    for command in ["demo", "serve", "worker", "init", "load", "doctor", "migrate", "openapi"]:
        assert f"## `quanyu {command}`" in page
    assert "`--data-dir`" in page


def test_every_column_and_name_of_the_event_is_documented(generate: ModuleType) -> None:
    from quanyu.events.contracts import EVENT_LABELS, EVENT_SCHEMA

    page = generate.events_page()
    for name in EVENT_SCHEMA.names:
        assert f"| `{name}` |" in page
    for name, label in EVENT_LABELS.items():
        assert f"| `{name}` | {label.zh} | {label.en} |" in page


def test_every_operation_of_the_api_is_documented(generate: ModuleType) -> None:
    document = generate.openapi()
    page = generate.api_page()
    operations = [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method in generate.METHODS
    ]
    assert len(operations) > 20
    for method, path in operations:
        assert f"| `{method}` | `{path}` |" in page


def test_the_navigation_names_every_generated_page(generate: ModuleType) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for name in generate.PAGES:
        assert f": reference/{name}\n" in navigation
