"""What is in the repository says nothing of one machine, and what it depends on is pinned."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.tooling.project import ROOT, committed, text_of

# Written in pieces, so that this file does not name what it forbids.
FORBIDDEN = {
    "a package registry": [
        r"pypi\." + "org",
        r"python" + r"hosted\.org",
        r"registry\.npm" + "js",
        r"registry\.npm" + "mirror",
        r"registry\." + r"yarnpkg",
        r"deb\.debi" + r"an\.org",
        r"tuna\.tsing" + "hua",
        r"mirrors\.ali" + "yun",
    ],
    "a path of one machine": [
        r"(?<![\w.$}])/wo" + r"rk/(?:main|shared|plan)",
        r"(?<![\w.$}])/ro" + r"ot/",
        r"(?<![\w.$}])/ho" + r"me/[a-z]+/",
        r"(?<![\w.$}])/Us" + r"ers/[A-Za-z]+/",
    ],
}


def _offences(text: str) -> list[str]:
    return [
        f"{number}: {what}: {found.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, patterns in FORBIDDEN.items()
        for pattern in patterns
        if (found := re.search(pattern, line))
    ]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    files = committed()
    assert ROOT / "pyproject.toml" in files
    found = [
        f"{path.relative_to(ROOT)}:{offence}"
        for path in files
        if (text := text_of(path)) is not None
        for offence in _offences(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://pypi." + "org/simple",
        "see /wo" + "rk/main/src",
        '"resolved": "https://registry.npm' + 'js.x"',
    ],
)
def test_the_check_sees_an_offence(line: str) -> None:
    assert _offences(line)


def test_the_check_lets_ordinary_text_pass() -> None:
    assert _offences("a PyPI package; $HOME/wo" + "rk/main; https://example.com/framework/main") == []


def test_npm_lock_files_name_no_address() -> None:
    for path in committed():
        if path.name == "package-lock.json":
            packages: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["packages"]
            assert [name for name, entry in packages.items() if "resolved" in entry and not entry.get("link")] == []


def test_every_dependency_of_every_extra_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert version, f"constraints.txt: {line!r} is not NAME==VERSION"
            pins[canonicalize_name(name)] = version
    wanted = [
        Requirement(text)
        for group in [project["dependencies"], *project["optional-dependencies"].values()]
        for text in group
    ]
    assert len(wanted) > 30
    for requirement in wanted:
        if requirement.name != "quanyu":
            pin = pins.get(canonicalize_name(requirement.name))
            assert pin, f"{requirement} is not in constraints.txt"
            assert requirement.specifier.contains(pin), f"constraints.txt pins {requirement.name}=={pin}"


def test_pre_commit_fetches_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert {hook["language"] for repo in config["repos"] for hook in repo["hooks"]} == {"system"}


def test_links_between_the_projects_pages_lead_somewhere() -> None:
    pages = [path for path in committed() if path.suffix == ".md"]
    assert len(pages) > 15
    broken = [f"{page.relative_to(ROOT)}: {target}" for page in pages for target in _dead_links(page)]
    assert not broken, "\n".join(broken)


def _dead_links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    return [one for one in targets if not re.match(r"\w+:", one) and not (page.parent / one).exists()]


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](page.md) [b](gone.md) [c](https://example.com) `[d](code.md)`")
    assert _dead_links(page) == ["gone.md"]


def test_the_licence_is_whole() -> None:
    licence = Path(ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
