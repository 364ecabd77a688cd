"""Sets as parameters, on both databases."""

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from quanyu.kernel.clock import from_micros
from quanyu.storage import bulk
from quanyu.storage.schema import Instant, outbox_cursor
from quanyu.storage.state import State

ROW = st.tuples(
    st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    st.one_of(st.none(), st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)))),
    st.one_of(st.none(), st.integers(0, 2**50)),
)


@given(values=st.lists(ROW, max_size=20))
def test_rows_come_back_as_they_were_given(state: State, values: list[tuple[int | None, str | None, int | None]]):
    with state.read() as tx:
        table = bulk.rows(tx, {"number": sa.BigInteger, "word": sa.Text, "at": Instant}, values)
        found = tx.execute(sa.select(table)).all()
    expected = [(a, b, None if c is None else from_micros(c)) for a, b, c in values]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_insert_ignore_counts_only_new_rows(state: State):
    with state.write() as tx:
        assert bulk.insert_ignore(tx, outbox_cursor, [{"consumer": "a", "seq": 1}]) == 1
        rows = [{"consumer": "a", "seq": 9}, {"consumer": "b", "seq": 2}]
        assert bulk.insert_ignore(tx, outbox_cursor, rows) == 1
        assert dict(tx.execute(sa.select(outbox_cursor)).all()) == {"a": 1, "b": 2}


def test_upsert_sets_only_where_it_may(state: State):
    with state.write() as tx:
        bulk.upsert(tx, outbox_cursor, [{"consumer": "a", "seq": 5}], ["consumer"], ["seq"])
        newer = outbox_cursor.c.seq < 4
        bulk.upsert(
            tx, outbox_cursor, [{"consumer": "a", "seq": 9}, {"consumer": "b", "seq": 1}], ["consumer"], ["seq"], newer
        )
        assert dict(tx.execute(sa.select(outbox_cursor)).all()) == {"a": 5, "b": 1}
