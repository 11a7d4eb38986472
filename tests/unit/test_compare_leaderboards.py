"""Which rows of two leaderboards are matched, and files that are no leaderboard."""

from pathlib import Path
from typing import Any

import pytest
from pandas import DataFrame

from segbench.analysis.fields import FIELDS
from segbench.errors import SegbenchError
from segbench_plugins.commands.compare.leaderboards import (
    match_latencies,
    match_scores,
    read_leaderboard,
)
from segbench_plugins.commands.leaderboard.formats import as_csv, as_json

NETWORK = {"backbone": "tiny", "runtime": "eager", "height": 2, "width": 4, "dataset": "tiny"}


def row(**values: Any) -> dict[str, Any]:
    return dict.fromkeys(FIELDS) | NETWORK | values


def test_a_network_trained_again_is_matched_and_another_runtime_is_not() -> None:
    before = [row(score=0.5, checkpoint_sha256="a"), row(score=0.4, runtime="onnx")]
    after = [row(score=0.6, checkpoint_sha256="b"), row(score=0.3, runtime="trt")]
    found = match_scores(before, after)
    assert [(a["score"], b["score"]) for a, b in found.pairs] == [(0.5, 0.6)]
    assert [a["runtime"] for a in found.only_a] == ["onnx"]
    assert [b["runtime"] for b in found.only_b] == ["trt"]


def test_equal_checkpoints_find_each_other_first() -> None:
    before = [row(score=0.5, checkpoint_sha256="a"), row(score=0.4, checkpoint_sha256="b")]
    after = [row(score=0.3, checkpoint_sha256="b"), row(score=0.2, checkpoint_sha256="c")]
    found = match_scores(before, after)
    assert [(a["score"], b["score"]) for a, b in found.pairs] == [(0.4, 0.3), (0.5, 0.2)]


def test_a_score_counts_once_and_a_latency_belongs_to_its_device() -> None:
    before = [row(score=0.5, p50_ms=1.0, device="card"), row(score=0.5, p50_ms=9.0, device="cpu")]
    after = [row(score=0.5, p50_ms=2.0, device="card")]
    assert len(match_scores(before, after).pairs) == 1
    found = match_latencies(before, after)
    assert [(a["p50_ms"], b["p50_ms"]) for a, b in found.pairs] == [(1.0, 2.0)]
    assert [a["device"] for a in found.only_a] == ["cpu"]


@pytest.mark.parametrize(("name", "form"), [("board.csv", as_csv), ("board.json", as_json)])
def test_a_written_leaderboard_is_matched_with_its_rows(
    tmp_path: Path, name: str, form: Any
) -> None:
    rows = [row(score=0.5, epochs=3, keep_float="a; b"), row(p50_ms=1.5, query_batch_size=2)]
    (tmp_path / name).write_text(form(DataFrame(rows, columns=FIELDS, dtype=object)))
    read = read_leaderboard(tmp_path / name)
    assert len(match_scores(read, rows).pairs) == len(match_latencies(read, rows).pairs) == 1
    assert match_scores(read, rows).only_a == match_latencies(read, rows).only_b == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "backbone,runtime\ntiny,eager\n"),
        ("b.json", "[3]"),
        ("c.json", "[{"),
        ("d.csv", ",".join(FIELDS) + "\n" + ",".join(["tall"] * len(FIELDS)) + "\n"),
        ("e.csv", "\0"),
    ],
)
def test_any_other_file_is_refused_in_a_sentence(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SegbenchError):
        read_leaderboard(tmp_path / name)
