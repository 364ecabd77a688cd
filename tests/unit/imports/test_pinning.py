"""Databases are called at the very address that was checked: a name that then answers otherwise leads nowhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from quanyu.plugins.connectors.database.place import Database, DatabaseConfig
from quanyu.sdk.place import PlaceFailed, Surroundings

NAME = "storage.invalid"  # no resolver knows it: whoever looks it up again gets nowhere


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is public."""
    monkeypatch.setattr("quanyu.sdk.place.is_public", lambda address: address == "127.0.0.1")


@contextmanager
def relay(path: str) -> Iterator[int]:
    """A port of this machine that leads to a socket in the file system, where the tests' PostgreSQL listens."""

    def pump(one: socket.socket, other: socket.socket) -> None:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)

    def serve() -> None:
        taken, _ = door.accept()
        behind = socket.socket(socket.AF_UNIX)
        with taken, behind:
            behind.connect(path)
            back = threading.Thread(target=pump, args=(behind, taken))
            back.start()
            pump(taken, behind)
            back.join()

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve)
        thread.start()
        yield door.getsockname()[1]
        thread.join(30)


def database(url: str) -> Database:
    config = DatabaseConfig.model_validate({"url": url, "query": "select 1 as id", "key": "id"})
    return Database(config, Surroundings(resolver=lambda host, _: ["127.0.0.1"] if host == NAME else []))


@pytest.mark.usefixtures("known")
def test_a_database_is_called_at_the_checked_address(postgres_url: str) -> None:
    url = sa.make_url(postgres_url)
    with relay(f"{url.query['host']}/.s.PGSQL.5432") as port:
        given = sa.URL.create("postgresql", url.username, url.password, NAME, port, url.database)
        found = database(given.render_as_string(hide_password=False)).rows(None, 10)
    assert found.table.to_pylist() == [{"id": "1"}]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("more", ["host=127.0.0.1", "hostaddr=10.0.0.1", "service=x", "sslmode=disable&port=1"])
def test_an_address_that_leads_elsewhere_by_a_parameter_is_refused(more: str) -> None:
    with pytest.raises(PlaceFailed, match="database_query_wrong"):
        database(f"postgresql://u@{NAME}/db?{more}").rows(None, 10)


def test_drivers_without_a_way_to_pin_get_the_address_itself(known: None) -> None:
    url, more = database(f"mysql+pymysql://u@{NAME}/db?charset=utf8mb4")._address()
    assert (url.host, url.query, more) == ("127.0.0.1", {"charset": "utf8mb4"}, {})
