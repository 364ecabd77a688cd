"""Writes the reference pages from the code, so that they cannot say anything else than the code does.

    python docs/generate.py           write docs/reference/*.md
    python docs/generate.py --check   write nothing; exit 1 when a page on disk is missing or differs

The pages are not in the repository: `make docs` writes them before it builds the site. What is declared in the
code without a word of explanation makes the generation fail, so a setting, a command or a column of the event
cannot be added undocumented.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
REFERENCE = DOCS / "reference"
MADE = "<!-- Made by docs/generate.py from the code. Edit the code. -->\n\n"
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


class Undocumented(Exception):
    """Something that the code declares has no explanation. Names it and where the words belong."""


def settings_page() -> str:
    """Every setting: variable, default, meaning in both languages."""
    from quanyu.kernel.settings import SETTINGS

    rows = []
    for setting in SETTINGS:
        if not (setting.help.zh and setting.help.en):
            raise Undocumented(f"{setting.name} has no help line in both languages: quanyu/kernel/settings.py")
        default = "（空 / empty）" if setting.default == "" else f"`{setting.default}`"
        secret = " 🔒" if setting.secret else ""
        rows.append([f"`{setting.variable}`{secret}", f"`{setting.name}`", default, setting.help.zh, setting.help.en])
    return (
        "# 配置项 · Settings\n\n"
        "值依次取自命令行选项、环境变量、数据目录或当前目录里的 `quanyu.toml`、默认值。带 🔒 的从不显示、不入日志。\n\n"
        "A value comes from the command line, else from the environment, else from `quanyu.toml` in the data folder "
        "or the working directory, else from the default. Those with 🔒 are never shown or logged.\n\n"
        + _table(["环境变量 · Variable", "quanyu.toml", "默认 · Default", "含义", "Meaning"], rows)
    )


def cli_page() -> str:
    """Every command of `quanyu` with its options, from the command line's own help."""
    import typer
    from typer.main import get_command

    import quanyu.cli

    application = next((v for v in vars(quanyu.cli).values() if isinstance(v, typer.Typer)), None)
    if application is None:
        found = [
            value
            for module in _modules(quanyu.cli)
            for value in vars(module).values()
            if isinstance(value, typer.Typer)
        ]
        application = max(found, key=lambda one: len(one.registered_commands) + len(one.registered_groups))
    parts = [
        "# 命令行 · Command line\n",
        "每条命令都有 `--help`。退出码：0 成功，1 失败，2 用法不对。\n",
        "Every command has `--help`. Exit codes: 0 success, 1 failure, 2 wrong usage.\n",
    ]
    parts += _commands(get_command(application), "quanyu")
    return "\n".join(parts)


def _commands(command: Any, path: str) -> Iterator[str]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children or command.params:
        about = (command.help or "").split("\f")[0].strip()
        if not about:
            raise Undocumented(f"`{path}` has no help text: give its function in quanyu/cli a docstring")
        if path != "quanyu":
            yield f"## `{path}`\n"
        yield about + "\n"
        rows = [_option(one, path) for one in command.params if not getattr(one, "hidden", False)]
        if rows:
            yield _table(["选项 · Option", "默认 · Default", "含义 · Meaning"], rows)
    for name, child in sorted(children.items()):
        if not child.hidden:
            yield from _commands(child, f"{path} {name}")


def _option(option: Any, path: str) -> list[str]:
    names = [*option.opts, *option.secondary_opts]
    if option.param_type_name == "argument":
        names = [option.name.upper()]
    words = getattr(option, "help", None)
    if not words and option.name not in {"help", "install_completion", "show_completion"}:
        raise Undocumented(f"option {names[0]} of `{path}` has no help text: quanyu/cli")
    default = "" if option.default is None or callable(option.default) else f"`{option.default}`"
    return [", ".join(f"`{name}`" for name in names), default, words or ""]


def events_page() -> str:
    """The columns of the event in history: type and meaning."""
    words = tomllib.loads((DOCS / "event-columns.toml").read_text(encoding="utf-8"))
    rows = []
    for field in event_schema():
        if field.name not in words:
            raise Undocumented(f"the event's column {field.name} has no words in docs/event-columns.toml")
        about = words[field.name]
        rows.append([f"`{field.name}`", f"`{field.type}`", about["zh"], about["en"]])
    return (
        "# 事件 · The event\n\n"
        "所有来源的事件是同一种记录。直接标识（手机号、证件号、邮箱等）在历史里只有带密钥的哈希。\n\n"
        "Events of all sources are one kind of record. Direct identifiers (phones, ids, mails) are in history as "
        "keyed hashes only.\n\n" + _table(["列 · Column", "类型 · Type", "含义", "Meaning"], rows)
    )


def event_schema() -> Any:
    """The Arrow schema of the event: the one schema in `quanyu.events` that has an `event_id` and a `name`."""
    import pyarrow as pa

    import quanyu.events

    schemas = {
        value
        for module in _modules(quanyu.events)
        for value in vars(module).values()
        if isinstance(value, pa.Schema) and {"event_id", "name", "occurred_at"} <= set(value.names)
    }
    if not schemas:
        raise Undocumented("no Arrow schema with event_id, name and occurred_at was found in quanyu.events")
    return max(schemas, key=len)


def api_page() -> str:
    """Every operation of the HTTP API, by area, from the OpenAPI document."""
    document = openapi()
    areas: dict[str, list[list[str]]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            words = operation.get("summary") or operation.get("description", "").split("\n")[0]
            if not words:
                raise Undocumented(f"{method.upper()} {path} has no summary: give its function a docstring")
            area = (operation.get("tags") or ["other"])[0]
            areas.setdefault(area, []).append([f"`{method.upper()}`", f"`{path}`", words])
    parts = [
        "# HTTP 接口 · HTTP API\n",
        f"OpenAPI {document['openapi']}，{document['info']['title']} {document['info']['version']}。\n",
        "完整的文档由运行中的产品在 `/openapi.json` 给出，或用 `quanyu openapi` 得到。\n",
        "The full document is served at `/openapi.json`, and printed by `quanyu openapi`.\n",
    ]
    for area in sorted(areas):
        parts += [f"## {area}\n", _table(["", "路径 · Path", "作用 · Purpose"], sorted(areas[area], key=_by_path))]
    return "\n".join(parts)


def openapi() -> dict[str, Any]:
    """The OpenAPI document as the command line prints it, in a process of its own."""
    command = [sys.executable, "-c", "import sys; from quanyu.cli import main; sys.exit(main())", "openapi"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise Undocumented(f"`quanyu openapi` failed (exit {done.returncode}): {done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _by_path(row: list[str]) -> tuple[str, str]:
    return row[1], row[0]


def _modules(package: Any) -> Iterator[Any]:
    """The package and all its modules, imported."""
    yield package
    for found in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
        yield importlib.import_module(found.name)


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "events.md": events_page,
    "api.md": api_page,
}


def main(arguments: list[str]) -> int:
    """Write or check every page; say which failed and why, and go on with the others."""
    REFERENCE.mkdir(exist_ok=True)
    status = 0
    for name, make in PAGES.items():
        path = REFERENCE / name
        try:
            page = MADE + make()
        except (ImportError, Undocumented) as failure:
            print(f"docs/reference/{name}: {failure}", file=sys.stderr)
            status = 1
            continue
        if "--check" in arguments:
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                print(f"docs/reference/{name} is not what the code says: run `make docs`", file=sys.stderr)
                status = 1
        else:
            path.write_text(page, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
