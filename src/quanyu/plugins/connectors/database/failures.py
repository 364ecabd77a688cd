"""Why a database could not be read, in both languages: which one, what kind of failure, how to mend it.

Drivers speak English and their own codes; what they said follows as a detail, without what is secret or personal.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from quanyu.sdk import Label, Problem
from quanyu.sdk.place import PlaceFailed

_LONGEST = 200
_NUMBERS = re.compile(r"\d{7,}")  # a phone in a value that the query could not read

# What a driver says, as "SQLSTATE or number, words" -> the fact, and how to mend it. The first that fits.
_KINDS: tuple[tuple[str, Label, Label], ...] = (
    (
        r"^(57014|3024|1969) |statement timeout|max_statement_time|maximum execution time",
        Label("查询超时", "the query took too long"),
        Label(
            "请给递增列建索引，或缩小查询的范围",
            "Have an index made on the increasing column, or let the query read less",
        ),
    ),
    (
        r"^(28P01|28000|1045|1698|18456) |authentication failed|认证失败|no password supplied|Access denied for user",
        Label("账号或密码不对", "the account or its password is wrong"),
        Label("请在连接地址里改正账号和密码", "Correct account and password in the connection's address"),
    ),
    (
        r"^(3D000|1049) |database .* does not exist|数据库.*不存在|Unknown database",
        Label("没有这个库", "there is no such database"),
        Label("请改正连接地址末尾的库名", "Correct the name of the database at the end of the address"),
    ),
    (
        r"^1130 |pg_hba\.conf",
        Label("数据库不允许从本机连接", "the database lets nobody in from this machine"),
        Label(
            "请在数据库放行本机的地址（pg_hba.conf 或授权）",
            "Have the database admit this machine (pg_hba.conf, or a grant)",
        ),
    ),
    (
        r"^(42501|1142|1143|1044) |permission denied|command denied",
        Label("账号没有读取权限", "the account may not read this"),
        Label("请给账号授予这些表的 SELECT 权限", "Have the account granted SELECT on these tables"),
    ),
    (
        r"^(42P01|1146|3F000) ",
        Label("没有这张表", "there is no such table"),
        Label(
            "请改正查询里的表名，或在前面加上所在的 schema",
            "Correct the table's name in the query, or put its schema before it",
        ),
    ),
    (
        r"^(42703|1054) ",
        Label("没有这一列", "there is no such column"),
        Label("请改正查询里的列名，以及递增列", "Correct the column's name in the query, or the increasing column"),
    ),
    (
        r"^(42\w{3}|1064) ",
        Label("查询语句有误", "the query is not valid"),
        Label("请先在数据库里运行这条查询，改好后再填", "Run the query in the database, and mend it there first"),
    ),
    (
        r"^22\w{3} ",
        Label("有的值无法按查询转换", "the query cannot convert a value"),
        Label(
            "请检查查询里的类型转换，以及递增列的类型",
            "Check the casts of the query, and the type of the increasing column",
        ),
    ),
    (
        r"^(53300|1040|1203) |too many (clients|connections)",
        Label("数据库的连接数已满", "the database has no connection left"),
        Label("请调大数据库的连接数上限；稍后会自动再试", "Have it take more connections; it is tried again by itself"),
    ),
    (
        (
            r"^(2003|2005|2013|2006|08\w{3}|57P\w\w) |could not translate host|failed to resolve|not known|refused"
            r"|timeout expired|timed out|unreachable|No route|closed the connection|connection failed(?!.*(FATAL|致命))"
        ),
        Label("连接不上这个地址", "the address cannot be reached"),
        Label(
            "请检查主机名、端口、防火墙与数据库是否在运行；稍后会自动再试",
            "Check host, port, firewall and that the database runs; it is tried again by itself",
        ),
    ),
)
_OTHER = (
    Label("数据库报错", "the database gave an error"),
    Label("请检查地址、账号权限与查询语句", "Check the address, the account's rights and the query"),
)


def failed(url: sa.URL, error: Exception) -> PlaceFailed:
    """The failure of a reading from `url`, by what the driver said."""
    # The database's own words, not SQLAlchemy's: those repeat the query's parameters.
    cause = getattr(error, "orig", None) or error
    number = getattr(cause, "sqlstate", None) or next((one for one in cause.args if isinstance(one, int)), "")
    words = str(cause) if cause is not error or isinstance(error, OSError) else ""
    said = f"{number} {words}"
    what, remedy = next(
        ((fact, mend) for known, fact, mend in _KINDS if re.search(known, said, re.IGNORECASE | re.DOTALL)), _OTHER
    )
    return PlaceFailed(_problem(url, what, remedy, f"{type(cause).__name__} {_harmless(url, said)}".strip()))


def no_driver(url: sa.URL) -> PlaceFailed:
    """No library here speaks the protocol that `url` asks for."""
    name = url.drivername
    return PlaceFailed(
        _problem(
            url,
            Label(f"没有安装 {name} 的驱动", f"no driver for {name} is installed"),
            Label(
                "请改正连接地址开头的类型，或由管理员安装该驱动",
                "Correct the kind at the start of the address, or have the driver installed",
            ),
            "",
        )
    )


def _problem(url: sa.URL, what: Label, remedy: Label, said: str) -> Problem:
    host = url.host or url.query.get("host", "")
    place = f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    more = Label(f"（{said}）", f" ({said})") if said else Label("", "")
    return Problem(
        "database_failed",
        Label(f"读不到数据库 {place}：{what.zh}{more.zh}", f"The database {place} cannot be read: {what.en}{more.en}"),
        remedy,
    )


def _harmless(url: sa.URL, said: str) -> str:
    first = next(iter(said.strip().splitlines()), "")[:_LONGEST]
    for secret in (url.password, *(value for key, value in url.query.items() if "pass" in key)):
        if secret:
            first = first.replace(str(secret), "***")
    return _NUMBERS.sub("***", first).strip()
