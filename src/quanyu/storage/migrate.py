"""Brings the state store to today's tables and says how far it is."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from quanyu.storage.schema import metadata
from quanyu.storage.state import State

log = logging.getLogger(__name__)

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
    at, wanted = current(state), head()
    if at == wanted:
        return False
    if at is not None:  # with millions of people a new index takes a minute
        log.warning("upgrading_state", extra={"at": at, "to": wanted})
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
    """Write a new revision from the difference: for developers, after they changed a table.

    Ledgers among the new tables get the triggers that keep them append-only.
    """
    config = _config()
    with state.write() as tx:
        known = set(sa.inspect(tx).get_table_names())
        config.attributes["connection"] = tx
        script = command.revision(config, message=message, autogenerate=True, rev_id=revision)
    made = script[0] if isinstance(script, list) else script
    assert made is not None
    path = Path(made.path)
    text = path.read_text(encoding="utf-8")
    text = text.replace("quanyu.storage.schema.Instant", "Instant").replace(
        "from alembic import op\n", "from alembic import op\n\nfrom quanyu.storage.schema import Instant\n"
    )
    ledgers = [
        table.name for table in metadata.sorted_tables if table.info.get("append_only") and table.name not in known
    ]
    if ledgers:
        text = text.replace(
            "from quanyu.storage.schema import Instant\n",
            "from quanyu.storage.schema import Instant, append_only_statements\n",
        ).replace(
            "    # ### end Alembic commands ###\n",
            f"    for ledger in {tuple(ledgers)!r}:\n"
            "        for statement in append_only_statements(ledger, op.get_bind().dialect.name):\n"
            "            op.execute(sa.text(statement))\n",
            1,
        )
    path.write_text(_portable(text), encoding="utf-8")
    return path


def _portable(text: str) -> str:
    """A script written from SQLite, in words that PostgreSQL takes too: a boolean's default is no number there."""
    for number, word in (("0", "false"), ("1", "true")):
        text = re.sub(rf"(sa\.Boolean\(\), server_default=)sa\.text\(['\"]{number}['\"]\)", rf"\g<1>sa.{word}()", text)
    return text
