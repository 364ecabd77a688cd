"""The rules of import that import-linter's contracts cannot say, as functions over import edges.

Contexts reach each other through doors only, plugins see only the SDK, the kernel is standard library only.
The order of the layers is not here: it is a contract in pyproject.toml.
"""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

CONTEXTS = frozenset(
    {
        "access",
        "analytics",
        "audiences",
        "codes",
        "commerce",
        "consent",
        "events",
        "identity",
        "journeys",
        "messaging",
        "partners",
        "profiles",
        "promotions",
        "staff",
    }
)
# `errors` is part of the door: whoever calls must be able to catch.
DOOR = frozenset({"api", "contracts", "errors"})
# An entry point also mounts what a context offers to it.
ENTRY_POINTS = {"http": DOOR | {"routes"}, "worker": DOOR, "cli": DOOR}
COMPOSITION_ROOT = "app"


def broken_rule(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported` (both dotted names below `quanyu`), or None if it may."""
    source, target = importer.split("."), imported.split(".")
    if len(source) < 2 or len(target) < 2 or source[1] == COMPOSITION_ROOT:
        return None
    if source[1] == "plugins":
        own = source[:4] if len(source) >= 4 else source
        if target[1] == "sdk" or target[: len(own)] == own:
            return None
        return "a plugin sees only quanyu.sdk and its own folder"
    if source[1] == target[1] or target[1] not in CONTEXTS:
        return None
    door = ENTRY_POINTS.get(source[1], DOOR)
    if len(target) >= 3 and target[2] in door:
        return None
    return f"quanyu.{target[1]} is entered through {', '.join(sorted(door))}"


def outside_standard_library(sources: Iterable[Path], own: str) -> list[str]:
    """Imports in `sources` of anything but the standard library and package `own`, as `file:line module`."""
    found = []
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            found += [
                f"{path.name}:{node.lineno} {name}"
                for name in names
                if name.split(".")[0] not in sys.stdlib_module_names and name != own and not name.startswith(own + ".")
            ]
    return found
