"""The engine: Ibis expressions over history, on DuckDB here (and on Spark where a cluster is configured).

Contexts see Ibis tables only: `events()` with today's people, and dimensions that they register themselves
(products, stores). The engine knows no predicate and no report. Expressions must stay in the portable part of
Ibis; times are integer microseconds because engines disagree on fractional epochs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb
import ibis
import numpy as np
import pyarrow as pa
from ibis import Table
from pyroaring import BitMap

from quanyu.storage.history import History

EVENTS = "events"
_KNOWN_TABLES = 32

# Spark's function, and the one way to read a JSON text that means the same on both engines: Ibis's own unwrapping
# of JSON strings does not run on Spark. `$['key']` may hold dots and spaces; DuckDB spells that `$."key"`.
_GET_JSON_OBJECT = """CREATE OR REPLACE MACRO get_json_object(document, path)
    AS json_extract_string(document, '$."' || path[4:-3] || '"')"""


@ibis.udf.scalar.builtin(name="get_json_object")  # type: ignore[untyped-decorator]
def _get_json_object(document: str, path: str) -> str:  # type: ignore[empty-body]
    """The scalar at `path` as text; NULL where there is none."""


def json_text(document: Any, key: str) -> Any:
    """The value of `key` in a column of JSON objects, as text (`x`, `3`, `true`); NULL where it has none.

    Raises ValueError for a key that a JSON path cannot hold.
    """
    if not key or set(key) & set("'\"?\\"):
        raise ValueError(f"{key!r} cannot be a property's name in a path")
    return _get_json_object(document, f"$['{key}']")


class Engine(Protocol):
    """What contexts may ask of history in bulk."""

    def events(self) -> Table:
        """All events, each with the person that its deciding identifier belongs to today."""
        ...

    def dimension(self, name: str) -> Table:
        """A registered dimension."""
        ...

    def run(self, expression: Any) -> pa.Table:
        """The rows of an expression."""
        ...

    def people(self, expression: Any) -> BitMap:
        """The set of `person_id` of an expression with that one column; nobody (0) is left out."""
        ...

    def watermark(self) -> str:
        """What the answers rest on: changes when events arrive, people move or a dimension changes."""
        ...


@dataclass(frozen=True, slots=True)
class Dimension:
    """A small table beside the events: how to read it, and a token that changes when it does."""

    read: Callable[[], pa.Table]
    token: Callable[[], str]


class DuckDBEngine:
    """DuckDB over the Delta files of the newest version. Thread-safe: a cursor per thread."""

    def __init__(
        self,
        history: History,
        schema: pa.Schema,
        *,
        moved: Dimension | None = None,
        threads: int | None = None,
        memory_limit: str | None = None,
        hot_rows: int = 2_000_000,
    ) -> None:
        """`hot_rows`: up to how many events the copy in memory is kept (some 0.5 kB each)."""
        self._history = history
        self._schema = schema
        self._dimensions: dict[str, Dimension] = {}
        self._moved = moved
        config: dict[str, Any] = {}
        if threads:
            config["threads"] = threads
        if memory_limit:
            config["memory_limit"] = memory_limit
        self._root = duckdb.connect(":memory:", config=config)
        self._root.execute("SET TimeZone = 'UTC'")
        self._root.execute(_GET_JSON_OBJECT)
        self._local = threading.local()
        self._lock = threading.RLock()
        self._loaded: dict[str, str] = {}
        self._hot_rows = hot_rows
        self._hot: frozenset[str] = frozenset()
        self._current = ""
        self._serial = 1

    def register(self, name: str, dimension: Dimension) -> None:
        """Offer a dimension under `name`."""
        self._dimensions[name] = dimension

    def events(self) -> Table:
        """All events, each with the person that its deciding identifier belongs to today."""
        with self._lock:
            name = self._events_view()
            moved = self._load("moved", self._moved) if self._moved else None
        table = self._table(name)
        if moved is None:
            return table
        moves = self._table(moved)
        joined = table.left_join(moves, table.anchor_id == moves.moved_anchor)
        person = ibis.coalesce(joined.moved_person, joined.person_id)
        return joined.mutate(person_id=person).drop("moved_anchor", "moved_person")

    def dimension(self, name: str) -> Table:
        """A registered dimension. Raises KeyError for an unknown name."""
        with self._lock:
            view = self._load(f"dim_{name}", self._dimensions[name], keep_empty=True)
        assert view is not None
        return self._table(view)

    def run(self, expression: Any) -> pa.Table:
        """The rows of an expression as an Arrow table."""
        return self._backend().to_pyarrow(expression)

    def people(self, expression: Any) -> BitMap:
        """The set of `person_id` of an expression with that one column; nobody (0) is left out."""
        column = self.run(expression).column(0)
        ids = column.to_numpy().astype(np.uint32, copy=False)
        found = BitMap(ids)
        found.discard(0)
        return found

    def watermark(self) -> str:
        """What the answers rest on."""
        parts = [str(self._history.version(EVENTS))]
        if self._moved:
            parts.append(self._moved.token())
        parts += [f"{name}={dimension.token()}" for name, dimension in sorted(self._dimensions.items())]
        return "|".join(parts)

    def _backend(self) -> Any:
        backend = getattr(self._local, "backend", None)
        if backend is None:
            backend = self._local.backend = ibis.duckdb.from_connection(self._root.cursor())
        return backend

    def _table(self, name: str) -> Table:
        """A table or view by name. Its columns are asked for once per thread: asking opens every file of a view."""
        known: dict[str, Table] | None = getattr(self._local, "tables", None)
        if known is None or len(known) > _KNOWN_TABLES:
            known = self._local.tables = {}
        if name not in known:
            known[name] = self._backend().table(name)
        return known[name]

    def _events_view(self) -> str:
        """The name of what holds the newest version's events: a copy in memory while that is small, else the files."""
        version = self._history.version(EVENTS)
        if self._loaded.get(EVENTS) == str(version):
            return self._current
        snapshot = self._history.snapshot(EVENTS)
        if snapshot.rows <= self._hot_rows:
            self._current = self._warm(frozenset(snapshot.files))
        else:
            self._current, self._hot = f"events_{snapshot.version}", frozenset()
            self._root.execute(f"CREATE OR REPLACE VIEW {self._current} AS {self._select(snapshot.files)}")
        self._loaded[EVENTS] = str(snapshot.version)
        return self._current

    def _warm(self, files: frozenset[str]) -> str:
        """Bring the copy in memory up to `files`: new ones are added, a rewritten history is copied anew.

        A cache of history, rebuilt from it at any time: thousands of small files cost more to open than to read.
        """
        if self._hot and self._hot <= files:
            name = self._current
            if files - self._hot:
                self._root.execute(f"INSERT INTO {name} {self._select(sorted(files - self._hot))}")
        else:
            self._serial += 1
            name = f"hot_events_{self._serial}"
            if files:
                self._root.execute(f"CREATE TABLE {name} AS {self._select(sorted(files))}")
            else:
                self._root.register("empty_events", self._schema.empty_table())
                self._root.execute(f"CREATE TABLE {name} AS SELECT * FROM empty_events")  # noqa: S608
                self._root.unregister("empty_events")
            self._root.execute(f"DROP TABLE IF EXISTS hot_events_{self._serial - 2}")
        self._hot = files
        return name

    def _select(self, files: Sequence[str]) -> str:
        names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        columns = ", ".join(f'"{field.name}"' for field in self._schema)
        return (
            f"SELECT {columns} FROM read_parquet([{names}], "  # noqa: S608 - names of ours, quoted
            "hive_partitioning = true, hive_types = {'day': VARCHAR}, union_by_name = true)"
        )

    def _load(self, name: str, dimension: Dimension, keep_empty: bool = False) -> str | None:
        token = dimension.token()
        known = self._loaded.get(name)
        serial = f"{name}:{token}"
        if known is None or known.split("\0")[0] != serial:
            data = dimension.read()
            view = f"{name}_{abs(hash(serial)) % 10**12}"
            self._root.register("incoming", data)
            self._root.execute(f'CREATE OR REPLACE TABLE "{view}" AS SELECT * FROM incoming')  # noqa: S608 - a name of ours
            self._root.unregister("incoming")
            self._loaded[name] = known = f"{serial}\0{view}\0{data.num_rows}"
        _, view, count = known.split("\0")
        return view if keep_empty or count != "0" else None
