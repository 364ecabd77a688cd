"""`quanyu plan`: the tracking plan in and out as YAML, and its differences, for a repository and its checks.

The product is imported when a command runs, so that `quanyu --help` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from quanyu.kernel.errors import NotFound
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings

if TYPE_CHECKING:
    from quanyu.app import Product
    from quanyu.events.api import PlanChange

app = typer.Typer(name="plan", help="埋点方案 · The tracking plan as YAML.", no_args_is_help=True)
out = Console()

BREAKING = 3

DataDir = Annotated[str | None, typer.Option("--data-dir", help="数据目录 · Folder of all data", show_default=False)]
BrandKey = Annotated[str | None, typer.Option("--brand", help="品牌标识 · Brand key; the first if left out")]
Version = Annotated[int | None, typer.Option("--version", min=0, help="版本，缺省为最新 · Version; newest if left out")]


@app.command("export")
def export_plan(
    file: Annotated[
        Path | None, typer.Argument(help="写入的文件，缺省为标准输出 · File; standard output if left out")
    ] = None,
    data_dir: DataDir = None,
    brand: BrandKey = None,
    version: Version = None,
) -> None:
    """导出为 YAML · Write the plan as YAML."""
    from quanyu.events.api import dump_plan

    product, brand_id = _open(data_dir, brand)
    plan = product.events.plans.current(brand_id)[1] if version is None else product.events.plans.get(brand_id, version)
    if file is None:
        sys.stdout.write(dump_plan(plan))
    else:
        file.write_text(dump_plan(plan), encoding="utf-8")


@app.command("import")
def import_plan(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML 文件 · YAML file")],
    data_dir: DataDir = None,
    brand: BrandKey = None,
    note: Annotated[str, typer.Option(help="版本说明 · What this version is for")] = "",
    refuse_breaking: Annotated[
        bool, typer.Option("--refuse-breaking", help="有破坏性变更时不发布 · Publish nothing that breaks")
    ] = False,
) -> None:
    """从 YAML 发布新版本；没有变化则什么都不做 · Publish YAML as a new version; the same plan changes nothing."""
    from quanyu.access.contracts import system_caller
    from quanyu.events.api import diff_plans, load_plan

    product, brand_id = _open(data_dir, brand)
    plan = load_plan(file.read_text(encoding="utf-8"))
    version, before = product.events.plans.current(brand_id)
    changes = diff_plans(before, plan)
    _show(changes)
    if refuse_breaking and any(change.breaking for change in changes):
        raise typer.Exit(BREAKING)
    caller = system_caller(product.access.brands.by_id(brand_id).scope())
    with product.state.write() as tx:
        published = product.events.plans.publish(tx, caller, plan, note, after=version)
        product.access.audit.record(caller, "plan_published", f"plan/{published}", {"note": note}, tx=tx)
    if published == version:
        out.print("没有变化 · Nothing changed")
    else:
        out.print(f"已发布第 {published} 版 · Published version {published}")


@app.command("diff")
def diff_plan(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="YAML 文件 · YAML file")] = None,
    data_dir: DataDir = None,
    brand: BrandKey = None,
    before: Annotated[
        int | None, typer.Option(min=0, help="旧版本，缺省为最新 · Old version; newest if left out")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, help="新版本（不给文件时）· New version, without a file")] = None,
) -> None:
    """比较文件与当前版本，或两个版本；有破坏性变更时退出码为 3 · Compare; exits with 3 when a change breaks."""
    from quanyu.events.api import diff_plans, load_plan

    product, brand_id = _open(data_dir, brand)
    plans = product.events.plans
    newest, current = plans.current(brand_id)
    if file is None and after is None and before is None:
        before, after = max(newest - 1, 0), newest
    old = current if before is None else plans.get(brand_id, before)
    if file is not None:
        new = load_plan(file.read_text(encoding="utf-8"))
    else:
        new = current if after is None else plans.get(brand_id, after)
    changes = diff_plans(old, new)
    _show(changes)
    if any(change.breaking for change in changes):
        raise typer.Exit(BREAKING)


def _open(data_dir: str | None, brand: str | None) -> tuple[Product, int]:
    from quanyu.app import compose

    product = compose(Settings.load(overrides={"data_dir": data_dir}))
    brands = product.access.brands
    if not brand and not brands.list():
        raise NotFound(
            "no_brand",
            Label("还没有品牌", "There is no brand yet"),
            detail=Label("请先运行 quanyu init", "Run quanyu init first"),
        )
    return product, (brands.get(brand) if brand else brands.list()[0]).brand_id


def _show(changes: list[PlanChange]) -> None:
    if not changes:
        out.print("没有差异 · No difference")
    signs = {"added": "+", "removed": "-", "changed": "~"}
    for change in changes:
        mark = "  [red]破坏性 · breaking[/]" if change.breaking else ""
        out.print(f"{signs[change.kind]} {change.path}{mark}", highlight=False)
        if change.kind == "changed":
            out.print(f"    {change.before!r} → {change.after!r}", highlight=False, markup=False)
