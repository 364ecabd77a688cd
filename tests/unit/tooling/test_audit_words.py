"""Whatever the audit ledger records has words in both languages, so that the console never shows a bare code."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def texts(node: ast.AST) -> Iterator[str]:
    return (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def recorded(tree: ast.Module) -> tuple[set[str], set[str]]:
    """The actions that a module records, and the names in what it says of them."""
    actions, fields = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "action" for to in node.targets):
            actions.update(texts(node.value))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or len(node.args) < 3:
            continue
        holder = node.func.value.attr if isinstance(node.func.value, ast.Attribute) else ast.unparse(node.func.value)
        if node.func.attr in ("note", "_note") or (node.func.attr == "record" and holder in ("audit", "_audit")):
            if isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
                actions.add(node.args[1].value)
            if len(node.args) > 3 and isinstance(node.args[3], ast.Dict):
                fields.update(text for key in node.args[3].keys if key is not None for text in texts(key))
            if node.func.attr == "_note":
                fields.update(keyword.arg for keyword in node.keywords if keyword.arg)
    return actions, fields


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_action_and_detail_of_the_ledger_has_words(language: str) -> None:
    path = ROOT / "console" / "src" / "locales" / language / "settings.json"
    words = json.loads(path.read_text(encoding="utf-8"))["audit"]
    actions: set[str] = set()
    fields: set[str] = set()
    for module in sorted((ROOT / "src" / "quanyu").rglob("*.py")):
        found = recorded(ast.parse(module.read_text(encoding="utf-8")))
        actions |= found[0]
        fields |= found[1]
    assert {"plan_published", "link_denied", "journey_paused", "identifier_unblocked"} <= actions
    assert {"note", "mode", "namespace"} <= fields
    assert actions - set(words["actions"]) == set()
    assert fields - set(words["fields"]) == set()
