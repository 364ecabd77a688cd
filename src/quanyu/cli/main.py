"""The commands and their options. Each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from quanyu.cli.plan import app as plan_app
from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.settings import Settings

app = typer.Typer(
    name="quanyu",
    help="全域客户增长平台 · Quanyu, a self-hosted customer growth platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(plan_app)
out = Console()
err = Console(stderr=True)

DataDir = Annotated[
    str | None, typer.Option("--data-dir", help="数据目录 · Folder of all data (QUANYU_DATA_DIR)", show_default=False)
]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="端口 · Port (QUANYU_PORT)")]
Host = Annotated[str | None, typer.Option("--host", help="监听地址 · Address to listen on (QUANYU_HOST)")]


def _settings(data_dir: str | None = None, host: str | None = None, port: int | None = None) -> Settings:
    return Settings.load(overrides={"data_dir": data_dir, "host": host, "port": port})


@app.command()
def demo(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    sandbox_port: Annotated[int, typer.Option(help="微信沙箱端口 · Port of the WeChat sandbox")] = 8601,
    language: Annotated[
        Literal["zh", "en"],
        typer.Option(help="演示内容的语言 · Language of the demo's journeys, audiences and templates"),
    ] = "zh",
    reset: Annotated[bool, typer.Option("--reset", help="清空演示数据重来 · Start over with empty data")] = False,
) -> None:
    """一条命令跑起来：真实零售数据、微信沙箱、一个在跑的旅程 · Run the product with real data in it."""
    from quanyu.cli.demo import run

    chosen = data_dir or Settings.load().values["data_dir"]
    if data_dir is None and chosen == "quanyu-data":
        chosen = "quanyu-demo"
    run(Path(chosen), host=host, port=port, sandbox_port=sandbox_port, language=language, reset=reset, out=out)


@app.command()
def serve(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    with_worker: Annotated[
        bool, typer.Option("--with-worker/--no-worker", help="同时运行后台工作进程 · Run the worker as well")
    ] = False,
) -> None:
    """启动接口、采集与控制台 · Serve the API, the collector and the console."""
    from quanyu.cli.processes import serve as run

    run(_settings(data_dir, host, port), with_worker=with_worker)


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """启动后台工作进程 · Run the worker: micro-batches, journeys, sends."""
    from quanyu.cli.processes import work as run

    run(_settings(data_dir))


@app.command()
def init(
    data_dir: DataDir = None,
    brand: Annotated[str, typer.Option(help="品牌标识 · Brand key")] = "main",
    name: Annotated[str, typer.Option(help="品牌名称 · Brand name")] = "我的品牌",
    currency: Annotated[str, typer.Option(help="币种 · Currency")] = "CNY",
    time_zone: Annotated[str, typer.Option(help="时区 · Time zone")] = "Asia/Shanghai",
    username: Annotated[str, typer.Option(help="管理员用户名 · Owner's username")] = "owner",
    password: Annotated[
        str | None, typer.Option(help="管理员密码；留空则生成 · Owner's password; made if left out", show_default=False)
    ] = None,
) -> None:
    """初始化：建库、品牌和管理员 · Set up the stores, a brand and its owner."""
    from quanyu.cli.setup import initialise

    initialise(
        _settings(data_dir),
        brand=brand,
        name=name,
        currency=currency,
        time_zone=time_zone,
        username=username,
        password=password,
        out=out,
    )


@app.command()
def load(
    connector: Annotated[str, typer.Argument(help="连接器 · Connector: complete-journey")],
    data_dir: DataDir = None,
    brand: Annotated[str | None, typer.Option(help="品牌标识 · Brand key; the first if left out")] = None,
    folder: Annotated[Path | None, typer.Option(help="数据文件目录 · Folder of the files")] = None,
    shift_weeks: Annotated[int, typer.Option(help="日期整体后移的周数 · Move all dates by whole weeks")] = 0,
) -> None:
    """通过连接器导入数据；重复导入不会改变任何东西 · Load data; loading twice changes nothing."""
    from quanyu.cli.load import load_connector

    load_connector(_settings(data_dir), connector, brand=brand, folder=folder, shift_weeks=shift_weeks, out=out)


@app.command()
def doctor(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON · Print JSON")] = False,
) -> None:
    """检查安装，说明哪里不对、怎么修 · Check the installation and say how to mend what is wrong."""
    from quanyu.cli.doctor import examine

    findings = examine(_settings(data_dir))
    if as_json:
        out.print_json(json.dumps([finding.as_dict() for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            out.print(f"{'[green]✓[/]' if finding.ok else '[red]✗[/]'} {finding.title}")
            if not finding.ok:
                out.print(f"    {finding.remedy}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(3)


@app.command()
def migrate(
    data_dir: DataDir = None,
    check: Annotated[bool, typer.Option("--check", help="只检查，不改动 · Only check")] = False,
) -> None:
    """把状态库升级到当前版本 · Bring the state store to this version."""
    from quanyu.storage import migrate as migrations
    from quanyu.storage.state import State

    state = State(_settings(data_dir).state_url)
    if check:
        at, wanted = migrations.current(state), migrations.head()
        out.print(f"{at or '-'} → {wanted}")
        raise typer.Exit(0 if at == wanted else 3)
    if migrations.current(state) not in (None, migrations.head()):
        out.print("正在升级，数据多时需要几分钟，请勿中断 · Upgrading: minutes with much data; let it finish …")
    done = migrations.upgrade(state)
    out.print("已升级 · Upgraded" if done else "已是最新 · Already up to date")


@app.command()
def openapi(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="写入文件 · Write to a file")] = None,
) -> None:
    """输出 OpenAPI 3.1 文档 · Print the OpenAPI 3.1 document."""
    from quanyu.cli.processes import openapi_document

    text = json.dumps(openapi_document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


def main() -> None:
    """Run the command line; an expected failure prints what to do and exits with 1."""
    try:
        app()
    except QuanyuError as error:
        err.print(f"[red]{error.title.zh} · {error.title.en}[/]")
        if error.detail:
            err.print(f"{error.detail.zh}\n{error.detail.en}", highlight=False)
        raise SystemExit(1) from None
