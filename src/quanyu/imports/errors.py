"""What can go wrong with imports, in words that say how to mend it."""

from __future__ import annotations

from collections.abc import Sequence

from quanyu.kernel.errors import Conflict, Denied, FieldError, Invalid, NotFound, TooLarge
from quanyu.kernel.label import Label, same


def mapping_invalid(problems: Sequence[tuple[str, Label]]) -> Invalid:
    """A document is no mapping: what is wrong at which place of it (`""`: with the whole)."""
    return Invalid(
        "mapping_invalid",
        Label("映射有错误", "The mapping has mistakes"),
        detail=_all_of(problems),
        fields=tuple(FieldError(field, why, same(field) if field else None) for field, why in problems),
    )


def _all_of(problems: Sequence[tuple[str, Label]]) -> Label:
    """The first problems, each with its field, as one text."""
    said = problems[:5]
    return Label(
        "；".join(f"{field}：{why.zh}" if field else why.zh for field, why in said),
        "; ".join(f"{field}: {why.en}" if field else why.en for field, why in said),
    )


def columns_missing(columns: Sequence[str], there: Sequence[str]) -> Invalid:
    """A mapping names columns that the table does not have."""
    return Invalid(
        "import_columns_missing",
        Label("文件缺少映射要用的列", "The file lacks columns that the mapping names"),
        detail=Label(
            f"缺少：{'、'.join(columns)}；文件里有：{'、'.join(there[:40])}",
            f"Missing: {', '.join(columns)}; the file has: {', '.join(there[:40])}",
        ),
        fields=tuple(
            FieldError(column, Label("文件里没有这一列", "The file has no such column"), same(column))
            for column in columns
        ),
    )


def file_unreadable(why: Label) -> Invalid:
    """The bytes cannot be read as a table."""
    return Invalid("import_file_unreadable", Label("文件无法读取", "The file cannot be read"), detail=why)


def file_too_large(limit: int) -> TooLarge:
    """The file is larger than is taken."""
    return TooLarge(
        "import_file_too_large",
        Label("文件过大", "The file is too large"),
        detail=Label(
            f"上限 {limit / 1_000_000:,.6g} MB；请拆成几个文件，或由管理员调大设置 max_import_bytes",
            f"At most {limit / 1_000_000:,.6g} MB; split it, or have the setting max_import_bytes raised",
        ),
    )


def file_not_found(file_id: str) -> NotFound:
    """No such file."""
    return NotFound(
        "import_file_not_found",
        Label("没有这个文件", "There is no such file"),
        detail=Label(
            f"{file_id} 不存在或已过期删除，请重新上传", f"{file_id} is not there or has expired; upload it again"
        ),
    )


def mapping_not_found(mapping_id: str) -> NotFound:
    """No such mapping."""
    return NotFound("mapping_not_found", Label("没有这个映射", "There is no such mapping"), detail=same(mapping_id))


def job_not_found(job_id: str) -> NotFound:
    """No such job."""
    return NotFound("import_not_found", Label("没有这次导入", "There is no such import"), detail=same(job_id))


def job_over(status: str) -> Conflict:
    """The job has ended."""
    return Conflict(
        "import_over",
        Label("这次导入已经结束", "This import has ended"),
        detail=Label(f"状态：{status}", f"Its state is {status}"),
    )


def mapping_stale(version: int) -> Conflict:
    """Somebody saved another version."""
    return Conflict(
        "mapping_stale",
        Label("映射已被他人修改", "Somebody else changed the mapping"),
        detail=Label(f"最新版本是 {version}，请刷新后再改", f"The newest version is {version}; reload it"),
    )


def too_many_bad_rows(bad: int, rows: int, limit: int) -> Invalid:
    """So many rows are refused that the mapping is the likely cause."""
    return Invalid(
        "import_too_many_bad_rows",
        Label("错误行过多，没有导入任何数据", "Too many rows are refused; nothing was imported"),
        detail=Label(
            f"{rows:,} 行里有 {bad:,} 行出错，上限 {limit:,} 行；请检查映射",
            f"{bad:,} of {rows:,} rows are refused, at most {limit:,} may be; check the mapping",
        ),
    )


def schedule_invalid(schedule: str) -> Invalid:
    """A schedule is neither an interval nor a cron line."""
    return Invalid(
        "schedule_invalid",
        Label("执行计划不对", "The schedule is not valid"),
        detail=Label(
            f"{schedule!r} 应为 every 15m 这样的间隔，或五段的 cron，例如 0 3 * * *",
            f"{schedule!r}: give an interval like every 15m, or five fields of cron like 0 3 * * *",
        ),
        fields=(
            FieldError(
                "schedule",
                Label("应为 every 15m 这样的间隔，或五段的 cron", "An interval like every 15m, or a cron line"),
            ),
        ),
    )


def connection_invalid(problems: Sequence[tuple[str, Label]]) -> Invalid:
    """The configuration of a connection is wrong: what at which of its fields."""
    return Invalid(
        "import_connection_invalid",
        Label("连接的配置有误", "The connection's configuration is wrong"),
        detail=_all_of(problems),
        fields=tuple(FieldError(f"config.{field}", why) for field, why in problems),
    )


def connection_not_found(connection_id: str) -> NotFound:
    """No such connection."""
    return NotFound(
        "import_connection_not_found", Label("没有这个连接", "There is no such connection"), detail=same(connection_id)
    )


def not_scheduled(connection_id: str) -> Conflict:
    """A webhook is called, it does not run."""
    return Conflict(
        "import_connection_not_scheduled",
        Label("Webhook 由对方调用，不能立即执行", "A webhook is called by others and cannot be run"),
        detail=same(connection_id),
    )


def webhook_not_found() -> NotFound:
    """No webhook has this address."""
    return NotFound(
        "webhook_not_found",
        Label("没有这个 Webhook 地址", "There is no webhook at this address"),
        detail=Label("地址错误，或该连接已停用、已删除", "It is wrong, or its connection was paused or deleted"),
    )


def signature_wrong() -> Denied:
    """The body is not signed with the webhook's secret."""
    return Denied(
        "webhook_signature_wrong",
        Label("签名不对", "The signature is wrong"),
        detail=Label(
            "请求头 X-Signature-256 应为 sha256= 加上用签名密钥对请求体算出的 HMAC-SHA256（十六进制）",
            "X-Signature-256 must be sha256= and the hexadecimal HMAC-SHA256 of the body with the signing secret",
        ),
    )
