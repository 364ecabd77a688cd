"""Audience questions: behaviour, trait and consent together, through the product's evaluator and its own stores.

Compared with chDB (ClickHouse's engine in the process): MergeTree ordered by (name, day, person_id), which suits these
questions best, and one wide table of people; the same data, the same run, both warm, in turn. Both must count the same.
`warm` keeps what the product keeps between questions (sets of traits and consent until state changes, what it derived
from history); `cold` is the first time a question is asked of a process that has kept nothing.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from chdb.session import Session

from benchmarks.audience_data import AT, CONSENT, DAYS, FIRST, LEVELS, Data, column_table
from benchmarks.audience_stores import BRAND, build
from benchmarks.result import Result, Say, Scale
from quanyu.audiences.api import group, parse_tree, rule

SIZES = {"small": Data(500_000, 5_000_000, 7), "full": Data(10_000_000, 100_000_000, 7)}
ROUNDS = 3


def did(event: str, days: int | None = None, times: int = 1, **more: Any) -> dict[str, Any]:
    """A `performed` rule."""
    return rule("performed", event=event, times=times, within_days=days, **more)


def _since(days: int) -> int:
    return DAYS - days


def _who(having: str = "", **where: Any) -> str:
    name, days = where.get("name"), where.get("days")
    conditions = [f"name = '{name}'"] if name else []
    if days is not None:
        conditions.append(f"day >= {_since(days)}")
    if "category" in where:
        conditions.append(f"category = '{where['category']}'")
    text = " WHERE " + " AND ".join(conditions) if conditions else ""
    if not having:
        return f"SELECT DISTINCT person_id FROM events{text}"
    return f"SELECT person_id FROM events{text} GROUP BY person_id HAVING {having}"


def _people(where: str) -> str:
    return f"SELECT count() FROM people WHERE {where}"


def _count(inner: str) -> str:
    return f"SELECT count() FROM ({inner})"


gold = rule("trait", trait="level", operator="eq", value="gold")
high = rule("trait", trait="level", operator="in", value=["gold", "diamond"])
sms, wecom = rule("has_consent", channel="sms"), rule("has_consent", channel="wecom")
cat3 = {"property": "category", "operator": "eq", "value": "cat_03"}

QUESTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "viewed_30d": (did("product_viewed", 30), _count(_who(name="product_viewed", days=30))),
    "not_opened_30d": (
        rule("not_performed", event="mini_program_opened", within_days=30),
        _people(f"person_id NOT IN ({_who(name='mini_program_opened', days=30)})"),
    ),
    "bought_twice_90d": (did("order_paid", 90, 2), _count(_who("count() >= 2", name="order_paid", days=90))),
    "spent_90d": (
        rule("spent", at_least=30_000, within_days=90),
        _count(_who("sum(amount) >= 30000", name="order_paid", days=90)),
    ),
    "viewed_category_60d": (
        did("product_viewed", 60, 2, where=[cat3]),
        _count(_who("count() >= 2", name="product_viewed", days=60, category="cat_03")),
    ),
    "last_order_31_60d": (
        rule("recency", event="order_paid", min_days=31, max_days=60),
        _count(_who(f"max(day) BETWEEN {DAYS - 1 - 60} AND {DAYS - 1 - 31}", name="order_paid")),
    ),
    "active_10_days_of_30": (did("*", 30, 10, counted="days"), _count(_who("uniqExact(day) >= 10", days=30))),
    "cart_no_order_30d": (
        group("and", did("product_added_to_cart", 30), rule("not_performed", event="order_paid", within_days=30)),
        _count(
            _who(name="product_added_to_cart", days=30) + f" AND person_id NOT IN ({_who(name='order_paid', days=30)})"
        ),
    ),
    "gold_reachable_viewers": (
        group(
            "and",
            did("product_viewed", 30, 2),
            gold,
            sms,
            rule("not_performed", event="mini_program_opened", within_days=30),
        ),
        _people(
            "level = 'gold' AND sms = 'granted'"
            f" AND person_id IN ({_who('count() >= 2', name='product_viewed', days=30)})"
            f" AND person_id NOT IN ({_who(name='mini_program_opened', days=30)})"
        ),
    ),
    "either_and_either_not": (
        group(
            "and",
            group("or", did("order_paid", 30), did("product_added_to_cart", 7)),
            group("or", sms, wecom),
            group("not", did("coupon_redeemed", 90)),
        ),
        _people(
            "(sms = 'granted' OR wecom = 'granted')"
            f" AND person_id IN (SELECT person_id FROM events WHERE (name = 'order_paid' AND day >= {_since(30)})"
            f" OR (name = 'product_added_to_cart' AND day >= {_since(7)}))"
            f" AND person_id NOT IN ({_who(name='coupon_redeemed', days=90)})"
        ),
    ),
    "high_level_sleeping": (
        group("and", high, wecom, rule("recency", event="*", min_days=30)),
        _people(
            "level IN ('gold', 'diamond') AND wecom = 'granted'"
            f" AND person_id IN ({_who(f'max(day) <= {DAYS - 1 - 30}')})"
        ),
    ),
    "searched_7d_reader_ever": (
        group("and", did("products_searched", 7), did("message_read")),
        _count(_who(name="products_searched", days=7) + f" AND person_id IN ({_who(name='message_read')})"),
    ),
}


def run(scale: Scale, work: Path, say: Say) -> Result:
    """Build both, ask both, compare."""
    data = SIZES[scale]
    say(f"{data.people:,} people, {data.events:,} events over {DAYS} days from {FIRST}")
    door = build(data, work, say)
    session = Session(str(work / "chdb"))
    _fill_chdb(session, data, work, say)
    trees = {name: parse_tree(tree) for name, (tree, _) in QUESTIONS.items()}
    ours: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    theirs: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    cold: dict[str, float] = {}
    counts: dict[str, int] = {}
    for number in range(ROUNDS + 1):
        for name, (_, sql) in QUESTIONS.items():
            mine, took = _timed(lambda tree=trees[name]: len(door.evaluate(tree, AT, BRAND)))
            other, their_time = _timed(lambda text=sql: int(str(session.query(text, "CSV")).strip()))
            assert mine == other, f"{name}: ours {mine}, chDB {other}"
            counts[name] = mine
            if number == 0:
                cold[name] = took
            else:
                ours[name].append(took)
                theirs[name].append(their_time)
        say(f"round {number} of {ROUNDS}: equal counts")
    session.close()
    figures: dict[str, float] = {}
    each: dict[str, float] = {}
    for name in QUESTIONS:
        mine_ms, their_ms = 1000 * statistics.median(ours[name]), 1000 * statistics.median(theirs[name])
        figures |= {f"{name}_ms": mine_ms, f"{name}_chdb_ms": their_ms, f"{name}_cold_ms": 1000 * cold[name]}
        each[name] = their_ms / mine_ms
    ratios = {"vs_chdb": _geomean(list(each.values()))}
    ratios |= {"vs_chdb_worst": min(each.values()), "vs_chdb_best": max(each.values())}
    ratios |= {f"vs_chdb_{name}": ratio for name, ratio in each.items()}
    return Result(
        figures,
        ratios,
        ("quanyu", "chdb", "duckdb", "ibis-framework", "numpy", "numba", "pyroaring", "pyarrow"),
        (
            "warm: medians of 3 after one discarded round, in turn; both with all cores",
            "people sets of traits and consent are kept between questions (as the product does); chDB's table is wide",
            f"counts equal for {len(QUESTIONS)} questions",
        ),
        {"counts": counts, "people": data.people, "events": data.events},
    )


def _fill_chdb(session: Any, data: Data, work: Path, say: Say) -> None:
    session.query(
        "CREATE TABLE events (name LowCardinality(String), day UInt16, person_id UInt32, occurred_at Int64, "
        "amount UInt32, category LowCardinality(String)) ENGINE = MergeTree ORDER BY (name, day, person_id)"
    )
    part = work / "part.parquet"
    for day in data.days():
        pq.write_table(column_table(day), part, compression="lz4")
        session.query(f"INSERT INTO events SELECT * FROM file('{part}', Parquet)")
    session.query("OPTIMIZE TABLE events FINAL")
    attributes = data.attributes()
    level, consent = (", ".join(f"'{word}'" for word in words) for words in (LEVELS, CONSENT))
    ids = pa.array(range(1, data.people + 1), pa.uint32())
    pq.write_table(pa.table({"person_id": ids, **{k: pa.array(v + 1) for k, v in attributes.items()}}), part)
    session.query(
        "CREATE TABLE people (person_id UInt32, level LowCardinality(String), sms LowCardinality(String), "
        "wecom LowCardinality(String)) ENGINE = MergeTree ORDER BY person_id"
    )
    session.query(
        f"INSERT INTO people SELECT person_id, [{level}][level], [{consent}][sms], [{consent}][wecom] "
        f"FROM file('{part}', Parquet)"
    )
    session.query("OPTIMIZE TABLE people FINAL")
    say("chDB loaded")


def _timed(call: Callable[[], int]) -> tuple[int, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def _geomean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))
