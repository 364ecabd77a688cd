"""Places are called at the very address that was checked: a name that then answers otherwise leads nowhere."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from quanyu.plugins.connectors.database.place import Database, DatabaseConfig
from quanyu.plugins.connectors.s3.place import S3Config
from quanyu.sdk.place import PlaceFailed, Surroundings

NAME = "storage.invalid"  # no resolver knows it: whoever looks it up again gets nowhere


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """One check says that the name is this machine, and that this machine is public."""
    monkeypatch.setattr("quanyu.sdk.place.resolve", lambda host, _: ["127.0.0.1"] if host == NAME else [])
    monkeypatch.setattr("quanyu.sdk.place.is_public", lambda address: address == "127.0.0.1")


def database(url: str) -> Database:
    config = DatabaseConfig.model_validate({"url": url, "query": "select 1 as id", "key": "id"})
    return Database(config, Surroundings())


@pytest.mark.usefixtures("known")
def test_a_database_is_called_at_the_checked_address(postgres_url: str) -> None:
    url = sa.make_url(postgres_url)
    port = url.port or int(str(url.query.get("port", 5432)))
    given = sa.URL.create("postgresql", url.username, url.password, NAME, port, url.database)
    found = database(given.render_as_string(hide_password=False)).rows(None, 10)
    assert found.table.to_pylist() == [{"id": "1"}]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("more", ["host=127.0.0.1", "hostaddr=10.0.0.1", "service=x", "sslmode=disable&port=1"])
def test_an_address_that_leads_elsewhere_by_a_parameter_is_refused(more: str) -> None:
    with pytest.raises(PlaceFailed, match="database_query_wrong"):
        database(f"postgresql://u@{NAME}/db?{more}").rows(None, 10)


@pytest.mark.parametrize(
    "more", [{"region": "x.evil.example/"}, {"region": ""}, {"bucket": "10.0.0.1/b"}, {"bucket": "b@10.0.0.1"}]
)
def test_region_and_bucket_cannot_name_another_host(more: dict[str, str]) -> None:
    given = {"bucket": "orders", "secret_key": "x"}
    assert S3Config.model_validate(given).region == "us-east-1"
    with pytest.raises(ValidationError, match=next(iter(more))):
        S3Config.model_validate(given | more)


def test_drivers_without_a_way_to_pin_get_the_address_itself(known: None) -> None:
    url, more = database(f"mysql+pymysql://u@{NAME}/db?charset=utf8mb4")._address()
    assert (url.host, url.query, more) == ("127.0.0.1", {"charset": "utf8mb4"}, {})
