"""Brings the state store to today's tables and says how far it is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from quanyu.storage.schema import metadata
from quanyu.storage.state import State

_FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def head() -> str:
    """The newest revision that this version of the product has."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    return found or ""


def current(state: State) -> str | None:
    """The revision that the store is at; None for an empty one."""
    with state.read() as tx:
        return MigrationContext.configure(tx).get_current_revision()


def upgrade(state: State) -> bool:
    """Bring the store to `head`; whether anything was done. Safe to call from several processes at once."""
    if current(state) == head():
        return False
    config = _config()
    with state.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.exec_driver_sql("SELECT pg_advisory_xact_lock(5715780)")
        before = MigrationContext.configure(tx).get_current_revision()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
        return before != head()


def drift(state: State) -> list[str]:
    """What differs between the store and the declared tables: empty when the migrations are complete."""
    with state.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": False, "compare_server_default": False})
        return [str(item) for item in compare_metadata(context, metadata)]


def revise(state: State, message: str, revision: str) -> Path:
    """Write a new revision from the difference: for developers, after they changed a table."""
    config = _config()
    with state.write() as tx:
        config.attributes["connection"] = tx
        script = command.revision(config, message=message, autogenerate=True, rev_id=revision)
    assert script is not None
    made = script if not isinstance(script, list) else script[0]
    assert made is not None
    return Path(made.path)
