"""Writes the reference pages from the code, so that they cannot say anything else than the code does.

    python docs/generate.py           write docs/reference/*.md
    python docs/generate.py --check   write nothing; exit 1 when a page on disk is missing or differs

The pages are not in the repository: `make docs` writes them before it builds the site. What is declared in the
code without a word of explanation makes the generation fail, so a setting, a command or a column of the event
cannot be added undocumented.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
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
    from typer.main import get_command

    from quanyu.cli.main import app

    parts = [
        "# 命令行 · Command line\n",
        "退出码：0 完成，1 失败（信息里写着怎么办），2 用法不对，3 检查发现了要处理的问题。\n",
        "Exit codes: 0 done, 1 failed (the message says what to do), 2 wrong usage, 3 checks found what to mend.\n",
        *_commands(get_command(app), "quanyu"),
    ]
    return "\n".join(parts)


def _commands(command: Any, path: str) -> Iterator[str]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        about = (command.help or "").split("\f")[0].strip()
        if not about:
            raise Undocumented(f"`{path}` has no help text: give its function in quanyu/cli a docstring")
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
    """The columns of the event in history, the names that events have, the channels and identifier kinds."""
    from quanyu.events.contracts import CHANNELS, EVENT_LABELS, EVENT_SCHEMA, NAMESPACES

    words = tomllib.loads((DOCS / "event-columns.toml").read_text(encoding="utf-8"))
    columns = []
    for field in EVENT_SCHEMA:
        if field.name not in words:
            raise Undocumented(f"the event's column {field.name} has no words in docs/event-columns.toml")
        about = words[field.name]
        columns.append([f"`{field.name}`", f"`{field.type}`", about["zh"], about["en"]])
    gone = sorted(set(words) - set(EVENT_SCHEMA.names))
    if gone:
        raise Undocumented(f"docs/event-columns.toml explains columns that do not exist: {', '.join(gone)}")
    parts = [
        "# 事件 · The event\n",
        "所有来源的事件是同一种记录。直接标识（手机号、证件号、邮箱等）在历史里只有带密钥的哈希。\n",
        "Events of all sources are one kind of record. Direct identifiers are in history as keyed hashes only.\n",
        "## 列 · Columns\n",
        _table(["列 · Column", "类型 · Type", "含义", "Meaning"], columns),
        "## 名称 · Names\n",
        "有中英文名的事件；其他名称照样接收、照样分析。\n",
        "Events with a name on the screen; any other name is taken and analysed just the same.\n",
        _labels("事件 · Event", EVENT_LABELS),
        "## 渠道 · Channels\n",
        _labels("渠道 · Channel", CHANNELS),
        "## 标识的种类 · Kinds of identifier\n",
        ", ".join(f"`{name}`" for name in sorted(NAMESPACES)) + "\n",
    ]
    return "\n".join(parts)


def _labels(head: str, labels: Mapping[str, Any]) -> str:
    return _table([head, "中文", "English"], [[f"`{key}`", one.zh, one.en] for key, one in labels.items()])


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
