"""Glossary, changelog fragments and decision records are complete and well-formed, in both languages."""

import re
import tomllib

import pytest

from tests.unit.tooling.project import ROOT, has_chinese

GLOSSARY = ROOT / "docs/glossary.md"
# The field's own words that code, API and console agree on. A word that is added to the product is added here by
# adding it to the glossary; these are the ones that must never get lost.
WORDS = {
    "客户": "person",
    "标识": "identifier",
    "人群包": "audience",
    "标签": "tag",
    "旅程": "journey",
    "营销画布": "canvas",
    "触点": "touchpoint",
    "导购": "guide",
    "渠道活码": "contact code",
    "授权": "consent",
    "优惠券": "coupon",
    "核销": "redemption",
    "一物一码": "one item, one code",
    "人货场": "people, goods, places",
    "对照组": "holdout",
    "勿扰": "quiet hours",
    "频控": "frequency cap",
    "漏斗": "funnel",
    "留存": "retention",
    "话术": "script",
    "导购任务": "guide task",
    "数据看板": "dashboard",
    "侧边栏客户画像": "sidebar profile",
    "四力自检": "four-forces self-audit",
}


def _rows() -> list[list[str]]:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "中文"]


def test_every_term_of_the_glossary_is_complete_in_both_languages() -> None:
    rows = _rows()
    assert len(rows) > 80
    for row in rows:
        assert len(row) == 5, row
        chinese, english, code, zh, en = (cell.strip() for cell in row)
        assert has_chinese(chinese), row
        assert has_chinese(zh), row
        assert english, row
        assert en, row
        assert not has_chinese(english + en), row
        assert re.fullmatch(r"(`[A-Za-z_.]+`(, )?)+", code), row


def test_a_term_is_listed_once() -> None:
    terms = [row[0].strip() for row in _rows()]
    assert sorted(terms) == sorted(set(terms))
    english = [row[1].strip() for row in _rows()]
    assert sorted(english) == sorted(set(english))


@pytest.mark.parametrize(("chinese", "english"), WORDS.items())
def test_the_fields_own_words_are_in_the_glossary(chinese: str, english: str) -> None:
    assert english in {row[1].strip() for row in _rows() if row[0].strip() == chinese}


def test_changelog_fragments_are_well_formed() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    kinds = "|".join(kind["directory"] for kind in config["type"])
    for fragment in (ROOT / config["directory"]).iterdir():
        if fragment.name in {"README.md", ".gitkeep"}:
            continue
        assert re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({kinds})\.md", fragment.name), fragment.name
        english, separator, chinese = fragment.read_text(encoding="utf-8").strip().partition(" · ")
        assert separator, f"{fragment.name}: English, then ` · `, then Chinese"
        assert english, fragment.name
        assert not has_chinese(english), fragment.name
        assert has_chinese(chinese), fragment.name


def test_decisions_are_listed_and_have_their_four_parts() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(folder.glob("[0-9]*.md"))
    assert len(records) >= 2
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert f"({record.name})" in index, f"{record.name} is not in docs/decisions/README.md"
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {record.name[:4]} ")
        headings = re.findall(r"^## (\w+)", text, flags=re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Rejected"], record.name


def test_operators_pages_exist_in_both_languages() -> None:
    chinese, english = (
        {str(page.relative_to(ROOT / "docs" / language)) for page in (ROOT / "docs" / language).rglob("*.md")}
        for language in ("zh", "en")
    )
    assert chinese == english
    assert "tutorial.md" in chinese
    for page in chinese:
        assert has_chinese((ROOT / "docs/zh" / page).read_text(encoding="utf-8")), page
