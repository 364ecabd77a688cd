"""A database that cannot be read: which one, what kind of failure and how to mend it, in the reader's language."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from quanyu.plugins.connectors.database.failures import failed
from quanyu.plugins.connectors.database.place import Database, DatabaseConfig
from quanyu.sdk import Problem
from quanyu.sdk.place import PlaceFailed, Surroundings


def problem(url: str, query: str = "select 1 as id", key: str = "id") -> Problem:
    config = DatabaseConfig.model_validate({"url": url, "query": query, "key": key})
    with pytest.raises(PlaceFailed) as caught:
        Database(config, Surroundings(allow_private=True)).rows(None, 10)
    return caught.value.problem


@contextmanager
def refusing(code: str, words: str) -> Iterator[int]:
    """A port where whoever connects as to PostgreSQL is sent away with an error."""
    body = b"".join(part.encode() + b"\0" for part in ("SFATAL", "VFATAL", f"C{code}", f"M{words}")) + b"\0"

    def serve() -> None:
        taken, _ = door.accept()
        with taken:
            taken.recv(65536)
            taken.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve)
        thread.start()
        yield door.getsockname()[1]
        thread.join(30)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "why", "remedy"),
    [
        ("select id from no_such", "没有这张表（UndefinedTable 42P01 ", "表名"),
        ("select wrong as id from pg_class", "没有这一列（UndefinedColumn 42703 ", "列名"),
        ("select 1 as other", "没有这一列（UndefinedColumn 42703 ", "递增列"),
        ("select 1 as id from from", "查询语句有误（SyntaxError 42601 ", "先在数据库里运行"),
        ("select 1 as id, pg_sleep(9)", "查询超时（QueryCanceled 57014 ", "索引"),
    ],
)
def test_what_a_database_says_of_a_query_is_said_in_words(postgres_url: str, query: str, why: str, remedy: str) -> None:
    url = sa.make_url(postgres_url).update_query_dict({"options": "-c statement_timeout=300"})
    told = problem(url.render_as_string(hide_password=False), query)
    assert told.title.zh.startswith(f"读不到数据库 {url.query['host']}/{url.database}：{why}")
    assert remedy in told.remedy.zh


@pytest.mark.postgres
def test_a_value_that_the_query_cannot_read_is_not_repeated(postgres_url: str) -> None:
    told = problem(postgres_url, "select cast('x13800000001' as int) as id")
    assert "有的值无法按查询转换（InvalidTextRepresentation 22P02 " in told.title.zh
    assert "13800000001" not in told.title.zh + told.title.en


def test_a_wrong_password_is_called_that_and_not_repeated() -> None:
    with refusing("28P01", 'password authentication failed for user "reader" (tried s3cret-word)') as port:
        told = problem(f"postgresql://reader:s3cret-word@127.0.0.1:{port}/shop?sslmode=disable")
    assert told.title.zh.startswith(f"读不到数据库 127.0.0.1:{port}/shop：账号或密码不对（OperationalError ")
    assert told.title.en.startswith(
        f"The database 127.0.0.1:{port}/shop cannot be read: the account or its password is"
    )
    assert "s3cret-word" not in told.title.zh + told.title.en
    assert told.remedy.zh == "请在连接地址里改正账号和密码"


def test_a_chinese_server_that_refuses_is_not_called_out_of_reach() -> None:
    with refusing("28P01", '用户 "reader" Password 认证失败') as port:
        assert "账号或密码不对" in problem(f"postgresql://reader:x@127.0.0.1:{port}/shop?sslmode=disable").title.zh


def test_an_address_where_nobody_listens_cannot_be_reached() -> None:
    told = problem("postgresql://reader:s3cret@127.0.0.1:1/shop")
    assert told.title.zh.startswith("读不到数据库 127.0.0.1:1/shop：连接不上这个地址（OperationalError ")
    assert "防火墙" in told.remedy.zh


def test_a_kind_without_a_driver_is_a_problem_and_no_crash() -> None:
    assert problem("nosql://u:p@db/shop").title.zh == "读不到数据库 db/shop：没有安装 nosql 的驱动"


def test_a_password_that_breaks_the_address_is_not_taken_for_the_host() -> None:
    told = problem("postgresql://u:first@second@db/shop")
    assert told.title.zh == "数据库连接的配置不对：密码里的 @ 要写成 %40"


@pytest.mark.parametrize(
    ("number", "words", "why"),
    [
        (1045, "Access denied for user 'u'@'h' (using password: YES)", "账号或密码不对"),
        (2003, "Can't connect to MySQL server on 'db'", "连接不上这个地址"),
        (1049, "Unknown database 'shop'", "没有这个库"),
        (1146, "Table 'shop.orders' doesn't exist", "没有这张表"),
        (1054, "Unknown column 'x' in 'field list'", "没有这一列"),
        (3024, "Query execution was interrupted", "查询超时"),
        (1142, "SELECT command denied to user", "账号没有读取权限"),
        (9999, "something else", "数据库报错"),
    ],
)
def test_numbers_of_mysql_are_understood(number: int, words: str, why: str) -> None:
    error = sa.exc.OperationalError("select 1", {}, Exception(number, words))
    assert f"：{why}（" in failed(sa.make_url("mysql://u:p@db/shop"), error).problem.title.zh
