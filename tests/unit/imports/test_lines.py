"""What is wrong is said with the line of the file on which its row begins, whatever stands before it."""

from __future__ import annotations

import csv
import io
import random

import pytest

from quanyu.imports.looking import preview
from quanyu.imports.mapping import Reading, parse
from quanyu.imports.reading import Read, read
from quanyu.imports.running import make

MAPPING = parse(
    {"target": "events", "key": ["id"], "name": {"const": "x"}, "occurred_at": "at", "amount": {"column": "amount"}}
)


def refused(found: Read) -> dict[int, str]:
    """Line -> reason, as the console shows it."""
    return {row.row: row.reason for row in preview(make(MAPPING, found, time_zone="UTC", now=0)).bad_rows}


def test_ragged_rows_blank_lines_and_cells_of_several_lines_shift_nothing() -> None:
    text = (
        "id,at,amount,note\n"  # 1
        "1,2026-01-01,1.00,a\n"  # 2
        "2,2026-01-01\n"  # 3: too few
        "\n"  # 4
        '3,2026-01-01,1.00,"two\nlines"\n'  # 5 and 6
        "4,2026-01-01,1.00,a,b,c\n"  # 7: too many
        ", , ,\n"  # 8: nothing in it
        '5,2026-01-01,nine,"and\nthree\nlines"\n'  # 9 to 11
        '6,2026-01-01,ten,5" pipe\n'  # 12: a quote that quotes nothing
        "7,never,1.00,a\n"  # 13
    )
    found = read(text.encode(), "x.csv")
    assert refused(found) == {
        3: "row_ragged",
        7: "row_ragged",
        8: "row_key_missing",
        9: "row_money_unreadable",
        12: "row_money_unreadable",
        13: "row_time_unreadable",
    }
    assert refused(read(text.replace("\n", "\r\n").encode("utf-16"), "x.csv")) == refused(found)


def test_lines_before_the_header_count() -> None:
    text = "Report of today\n,,,\nid,at,amount\n1,2026-01-01,1\n2,never,1\n3\n4,never,1\n"
    found = read(text.encode(), "x.csv", Reading(header_row=3))
    assert refused(found) == {5: "row_time_unreadable", 6: "row_ragged", 7: "row_time_unreadable"}


def test_lines_of_ndjson_are_counted_from_the_first() -> None:
    good, bad = '{"id":"1","at":"2026-01-01","amount":1}\n', '{"id":"2","at":"never","amount":1}\n'
    assert refused(read((good + bad).encode(), "x.ndjson")) == {2: "row_time_unreadable"}
    assert refused(read((good + "\n" + bad).encode(), "x.ndjson")) == {3: "row_time_unreadable"}
    assert refused(read((good + "no json\n\n" + bad).encode(), "x.ndjson")) == {
        2: "row_ragged",
        4: "row_time_unreadable",
    }


@pytest.mark.parametrize("seed", range(30))
def test_every_row_of_a_file_of_any_shape_has_its_line(seed: int) -> None:
    chance = random.Random(seed)
    cells = ["a", "", "x,y", 'say "so"', "two\nlines", "a\n\n\nb", " "]
    out = io.StringIO()
    lines: list[int] = []
    wrong: list[int] = []
    out.write("id,one,two\n")
    for number in range(chance.randint(0, 40)):
        line = out.getvalue().count("\n") + 1
        shape = chance.random()
        if shape < 0.1:
            out.write("\n")
            continue
        width = 2 if shape > 0.3 else chance.choice([1, 3, 4])
        (lines if width == 2 else wrong).append(line)
        row = [f"r{number}", *(chance.choice(cells) for _ in range(width))]
        csv.writer(out, lineterminator="\n").writerow(row)
    found = read(out.getvalue().encode(), "x.csv", Reading(delimiter=","))
    assert [found.line(row) for row in range(found.table.num_rows)] == lines
    assert [line for line, _ in found.ragged] == wrong
    assert found.table.num_rows == len(lines)
