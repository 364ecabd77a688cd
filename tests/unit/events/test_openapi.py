"""The collector's addresses are said in the OpenAPI document: all of them, each operation under a name of its own."""

from quanyu.events.api import Events
from quanyu.events.openapi import paths
from tests.unit.events.conftest import World


def test_every_address_of_the_collector_is_said_and_no_other(world: World) -> None:
    table = world.events.collector()._table()
    said = {path.rstrip("/").replace("{write_key}", "*") for path in Events.openapi_paths()}
    assert said == {path.rstrip("/") for path in table}


def test_operations_have_names_of_their_own_and_answers() -> None:
    operations = [operation for item in paths().values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all("200" in operation["responses"] and operation["summary"] for operation in operations)
