"""The engine: Ibis expressions over history, on DuckDB here (and on Spark where a cluster is configured).

Contexts see Ibis tables only: `events()` with today's people, and dimensions that they register themselves
(products, stores). The engine knows no predicate and no report. Expressions must stay in the portable part of
Ibis; times are integer microseconds because engines disagree on fractional epochs.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
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
_REPLACED = "(source, event_id) IN (SELECT (source, event_id) FROM replaced_events)"

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

    def kept(self, expression: Any) -> AbstractContextManager[Table]:
        """The rows of an expression, computed once for the questions that are asked of them within the context."""
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
        replaced: Dimension | None = None,
        threads: int | None = None,
        memory_limit: str | None = None,
        hot_rows: int = 2_000_000,
    ) -> None:
        """`moved` says whose an identifier is today, `replaced` which events (`source`, `event_id`) nobody counts.

        `hot_rows`: up to how many events the copy in memory is kept (some 0.5 kB each).
        """
        self._history = history
        self._schema = schema
        self._dimensions: dict[str, Dimension] = {}
        self._moved = moved
        self._replaced = replaced
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
        self._cleared = ""  # the replaced events that the copy in memory lacks, by their token
        self._kept = itertools.count()
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

    @contextmanager
    def kept(self, expression: Any) -> Iterator[Table]:
        """The rows of an expression as a table of this thread, gone when the context ends."""
        backend = self._backend()
        # Ibis's own `cache()` cannot release on DuckDB: its DROP does not parse.
        name = f"kept_{next(self._kept)}"
        table = backend.create_table(name, expression, temp=True)
        try:
            yield table
        finally:
            backend.con.execute(f'DROP TABLE "{name}"')

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
        if self._replaced:
            parts.append(self._replaced.token())
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
        """The name of what holds the newest version's events: a copy in memory while that is small, else the files.

        Without those that others replace: what replaces an event and its absence are seen together.
        """
        stamp = self._stamp()
        if self._loaded.get(EVENTS) == stamp:
            return self._current
        snapshot, gone = self._history.snapshot(EVENTS), self._replaced.read() if self._replaced else None
        while stamp != (stamp := self._stamp()):  # something came in between: read both once more
            snapshot, gone = self._history.snapshot(EVENTS), self._replaced.read() if self._replaced else None
        if gone is not None:
            self._root.register("incoming", gone.select(["source", "event_id"]))
            self._root.execute("CREATE OR REPLACE TABLE replaced_events AS SELECT * FROM incoming")
            self._root.unregister("incoming")
        some = gone is not None and gone.num_rows > 0
        if snapshot.rows <= self._hot_rows:
            self._root.begin()  # whoever asks meanwhile sees the rows before or after, never both versions of one
            try:
                before, self._current = self._current, self._warm(frozenset(snapshot.files))
                # The token says when any event that is stored was replaced, also one that came after what replaces it.
                if some and (self._current != before or stamp.split("/", 1)[1] != self._cleared):
                    self._root.execute(f"DELETE FROM {self._current} WHERE {_REPLACED}")  # noqa: S608 - our name
                self._root.commit()
                self._cleared = stamp.split("/", 1)[1]
            except BaseException:
                self._root.rollback()
                self._hot = frozenset()
                raise
        else:
            self._current, self._hot = f"events_{stamp.replace('/', '_')}", frozenset()
            kept = f" WHERE NOT {_REPLACED}" if some else ""
            self._root.execute(f'CREATE OR REPLACE VIEW "{self._current}" AS {self._select(snapshot.files)}{kept}')
        self._loaded[EVENTS] = stamp
        return self._current

    def _stamp(self) -> str:
        return f"{self._history.version(EVENTS)}/{self._replaced.token() if self._replaced else ''}"

    def find(self, wanted: pa.Table) -> pa.Table:
        """Of the events named by `source` and `event_id`: those columns, `day` and `anchor_id`."""
        with self._lock:
            events = self._table(self._events_view())
        given = ibis.memtable(wanted.select(["source", "event_id"]))
        return self.run(
            events.semi_join(given, ["source", "event_id"]).select("source", "event_id", "day", "anchor_id")
        )

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
