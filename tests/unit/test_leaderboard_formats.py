"""A leaderboard as a table for a terminal, Markdown, CSV and JSON."""

import csv
import io
import json

import click
import pytest
from pandas import DataFrame

from segbench.analysis.fields import FIELDS, Tables
from segbench.analysis.rank import leaderboard, ranking, tables_of
from segbench.records.frame import frame_of
from segbench_plugins.commands.leaderboard.formats import (
    as_csv,
    as_json,
    as_markdown,
    as_table,
)
from tests.board import CAMVID, ON_CPU, scored, timed


@pytest.fixture
def board() -> DataFrame:
    odd = scored(0.5, "b", backbone="a|b\n[red]<i>", decoder="transposed")
    return ranking(frame_of([scored(0.625, "a"), odd, timed(12.5, "a")]))


@pytest.fixture
def tables(board: DataFrame) -> Tables:
    return tables_of(board)


def test_markdown_is_a_pipe_table_that_no_name_can_break(tables: Tables) -> None:
    title, _, above, _, header, rule, first, second = as_markdown(tables).splitlines()

    assert title == f"### {CAMVID}, {ON_CPU}"
    assert above == "weights imagenet; size 352x480; timed model, batch 1, 2 threads"
    assert header.startswith("| rank | network | runtime | score | p50 ms |")
    assert "speed-up" not in header
    assert rule.startswith("| ---: | :--- |")
    assert first == (
        "| 1 | FCN8s MobileNetV2 | eager | 0.6250 | 12.50 | VALID | 80.0 | 2.50 M | 0123456 |"
    )
    assert second.startswith(r"| 2 | FCN8s a\|b \[red\]&lt;i> transposed | eager | 0.5000 |")


def test_the_terminal_table_is_aligned(tables: Tables) -> None:
    title, shared, header, rule, first, second = click.unstyle(as_table(tables)).splitlines()

    assert CAMVID in title
    assert "size 352x480" in shared
    assert header.split()[:4] == ["rank", "network", "runtime", "score"]
    for word, line in (("FCN8s Mobile", first), ("FCN8s a|b [red]<i>", second), ("────", rule)):
        assert line[header.index("network") :].startswith(word)


def test_a_long_name_is_cut_in_the_terminal_only() -> None:
    tables = leaderboard([scored(0.5, "a", weights="w" * 60)])
    assert "w" * 31 + "…" in as_table(tables)
    assert "w" * 60 in as_markdown(tables)


def test_csv_and_json_have_every_column(board: DataFrame) -> None:
    parsed = list(csv.DictReader(io.StringIO(as_csv(board))))
    objects = json.loads(as_json(board))

    assert len(parsed) == len(objects) == 2
    assert tuple(parsed[0]) == tuple(objects[0]) == FIELDS
    assert parsed[0]["score"] == "0.625"
    assert parsed[1]["backbone"] == objects[1]["backbone"] == "a|b\n[red]<i>"
    assert objects[1]["p50_ms"] is None
    assert parsed[1]["p50_ms"] == ""


def test_reasons_of_a_verdict_are_kept() -> None:
    record = timed(1.0, "a")
    record.metrics.update(verdict="INVALID", reasons=["drift of 20%", "few samples"])
    board = ranking(frame_of([scored(0.5, "a"), record]))
    assert "drift of 20%; few samples" in as_csv(board)
    assert "INVALID" in as_table(tables_of(board))


def test_a_dirty_commit_is_marked() -> None:
    record = scored(0.5, "a")
    record.provenance["dirty"] = True
    assert "0123456 dirty" in as_markdown(leaderboard([record]))
