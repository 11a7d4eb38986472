"""Scores and latencies meet in rows, and only what may be compared is ranked together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segbench.analysis.columns import epochs
from segbench.analysis.fields import FIELDS
from segbench.analysis.rank import leaderboard, ranking, tables_of
from segbench.analysis.select import select
from segbench.records.frame import frame_of, load_records
from segbench.records.record import Record, read_record, write_record
from segbench_plugins.commands.leaderboard.formats import (
    FORMATS,
    as_csv,
    as_markdown,
)
from tests.board import CAMVID, ON_CPU, column, external, scored, timed


def test_scores_over_other_frames_are_never_ranked_together() -> None:
    few = scored(0.9, "b")
    tables = leaderboard([scored(0.5, "a"), replace(few, metrics=few.metrics | {"frames": 1})])
    assert [column(rows, "rank", "score") for rows in tables.values()] == [[(1, 0.9)], [(1, 0.5)]]


def test_the_best_score_is_first() -> None:
    tables = leaderboard([scored(0.5, "a"), scored(0.7, "b"), scored(0.6, "c")])

    assert list(tables) == [CAMVID]
    assert column(tables[CAMVID], "rank", "score") == [(1, 0.7), (2, 0.6), (3, 0.5)]


def test_another_system_is_ranked_by_its_score_and_has_no_latency() -> None:
    theirs = external("Theirs", 0.65, stated_ms=1.0, stated_on="a GPU")
    records = [scored(0.6, "a"), timed(9.0, "a"), scored(0.7, "b"), timed(8.0, "b"), theirs]
    (rows,) = leaderboard(records).values()
    names = ("rank", "score", "p50_ms", "stated_ms")
    assert column(rows, *names) == [
        (1, 0.7, 8.0, None),
        (2, 0.65, None, 1.0),
        (3, 0.6, 9.0, None),
    ]
    assert select(ranking(frame_of(records)), max_ms=2).empty


def test_the_accuracy_and_the_latency_of_an_int8_engine_share_a_row() -> None:
    faster = {"baseline": "eager", "speedup": 3.0, "speedup_low": 2.9, "speedup_high": 3.1}
    latency = timed(2.0, "a", runtime="trt-int8")
    records = [
        scored(0.60, "a"),
        scored(0.58, "a", kind="evaluate", runtime="trt-int8", device="cuda"),
        timed(6.0, "a"),
        replace(latency, metrics=latency.metrics | faster),
    ]
    [rows] = leaderboard(records).values()
    names = ("runtime", "score", "p50_ms", "speedup_low", "speedup", "speedup_high")
    assert column(rows, *names) == [
        ("eager", 0.60, 6.0, None, None, None),
        ("trt-int8", 0.58, 2.0, 2.9, 3.0, 3.1),
    ]
    assert "speedup_low,speedup_high" in as_csv(ranking(frame_of(records)))
    assert "3.00x (2.90 to 3.10) |" in as_markdown({"t": rows})
    assert "3.00x over onnx (2.90" in as_markdown(
        {"t": [row | {"baseline": "onnx"} for row in rows]}
    )


def test_the_front_does_not_depend_on_digits_that_are_not_shown() -> None:
    records = [
        scored(0.654101, "a"),
        scored(0.654102, "a", runtime="onnx"),
        timed(9.0, "a", runtime="onnx"),
        timed(5.0, "a"),
    ]
    assert list(select(ranking(frame_of(records)), pareto=True)["runtime"]) == ["eager"]


def test_the_scored_epoch_stands_beside_the_planned_ones() -> None:
    curve = [{"epoch": n, "val_miou": miou} for n, miou in ((1, 0.3), (2, 0.5), (3, 0.5))]
    best = replace(scored(0.5, "a", epochs=3), curve=curve)
    unvalidated = [entry | {"val_miou": None} for entry in curve]
    last = replace(scored(0.6, "b", epochs=3), curve=unvalidated)
    asked = scored(0.4, "c", kind="evaluate", epochs=3, epoch=1)
    assert [record.epoch for record in (best, last, asked)] == [2, 3, 1]
    tables = leaderboard([best, last, asked, timed(9.0, "a", runtime="onnx")])
    assert [[epochs(row) for row in rows] for rows in tables.values()] == [
        ["2 of 3"],
        ["3", "2 of 3", "1 of 3"],
    ]


def test_a_network_with_layers_in_float_is_another_one_and_says_so() -> None:
    whole = scored(0.6, "aa", runtime="onnx-int8")
    kept = scored(0.7, "aa", runtime="onnx-int8", keep_float=["stem", "head"])
    (rows,) = leaderboard([whole, kept]).values()
    assert [(row["rank"], row["score"], row["keep_float"]) for row in rows] == [
        (1, 0.7, "head; stem"),
        (2, 0.6, None),
    ]
    assert "| head; stem |" in as_markdown(leaderboard([whole, kept]))


def test_a_latency_joins_the_score_of_its_checkpoint_runtime_and_size() -> None:
    records = [
        scored(0.6, "a"),
        timed(9.0, "a"),
        scored(0.7, "b", device="cuda"),
        timed(8.0, "b"),
        timed(1.0, "c"),
        timed(2.0, "a", runtime="eager-bf16"),
        timed(3.0, "a", height=176),
    ]

    tables = leaderboard(records)

    rows = tables[f"{CAMVID}, {ON_CPU}"]
    assert column(rows, "score", "p50_ms") == [(0.7, 8.0), (0.6, 9.0)]
    unscored = tables[f"camvid: {ON_CPU}, not scored"]
    assert column(unscored, "rank", "p50_ms") == [(None, 1.0), (None, 2.0), (None, 3.0)]
    assert len(tables) == 2


def test_every_runtime_has_the_score_that_was_measured_with_it() -> None:
    records = [
        scored(0.60, "a"),
        scored(0.59, "a", kind="evaluate", runtime="trt-int8"),
        timed(9.0, "a"),
        timed(1.0, "a", runtime="trt-int8"),
    ]

    (rows,) = leaderboard(records).values()

    assert column(rows, "runtime", "score", "p50_ms") == [
        ("eager", 0.60, 9.0),
        ("trt-int8", 0.59, 1.0),
    ]
    assert column(rows, "parameters") == [2_500_000, 2_500_000]


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"label_scale": 4}, "camvid test: mIoU on labels [::4, ::4], 233 frames"),
        ({"split": "val"}, "camvid val: mIoU at full label size, 233 frames"),
        ({"dataset": "streets"}, "streets test: mIoU at full label size, 233 frames"),
    ],
)
def test_what_cannot_be_compared_stands_in_a_table_of_its_own(
    change: dict[str, Any], title: str
) -> None:
    tables = leaderboard([scored(0.5, "a"), scored(0.9, "b", **change)])
    assert set(tables) == {CAMVID, title}
    assert all(column(rows, "rank") == [1] for rows in tables.values())


def test_latencies_of_two_devices_are_never_ranked_together() -> None:
    records = [scored(0.6, "a"), timed(9.0, "a"), scored(0.7, "b"), timed(1.0, "b", device="cuda")]

    tables = leaderboard(records)

    assert list(tables) == [f"{CAMVID}, latency on A Card", f"{CAMVID}, {ON_CPU}"]
    assert [column(rows, "rank", "p50_ms") for rows in tables.values()] == [[(1, 1.0)], [(1, 9.0)]]


def test_a_row_without_a_latency_stands_in_the_largest_table() -> None:
    records = [
        scored(0.6, "a"),
        timed(9.0, "a"),
        timed(1.0, "a", device="cuda"),
        scored(0.5, "b"),
        timed(8.0, "b"),
        scored(0.7, "c"),
    ]

    tables = leaderboard(records)

    on_cpu = tables[f"{CAMVID}, {ON_CPU}"]
    assert column(on_cpu, "rank", "p50_ms") == [(1, None), (2, 9.0), (3, 8.0)]
    assert column(tables[f"{CAMVID}, latency on A Card"], "rank", "p50_ms") == [(1, 1.0)]


def test_ways_of_timing_one_network_are_rows_that_share_its_rank() -> None:
    records = [
        scored(0.7, "a"),
        timed(9.0, "a"),
        timed(50.0, "a", batch_size=8),
        timed(12.0, "a", scope="end-to-end"),
        scored(0.6, "b"),
    ]

    (rows,) = leaderboard(records).values()

    assert column(rows, "rank", "p50_ms") == [(1, 9.0), (1, 12.0), (1, 50.0), (2, None)]


def test_equal_scores_share_a_rank() -> None:
    scores = [0.7, 0.7, 0.6]
    (rows,) = leaderboard(scored(s, str(n)) for n, s in enumerate(scores)).values()
    assert column(rows, "rank") == [1, 1, 3]


def test_of_two_measurements_of_the_same_the_newer_counts() -> None:
    records = [
        scored(0.5, "a"),
        timed(9.0, "a"),
        scored(0.6, "a", kind="evaluate"),
        timed(8.0, "a"),
    ]
    (rows,) = leaderboard(records).values()
    assert column(rows, "score", "p50_ms") == [(0.6, 8.0)]


def test_an_invalid_latency_does_not_replace_a_valid_one() -> None:
    older, valid, newer = (timed(p50_ms, "a") for p50_ms in (7.0, 8.0, 9.0))
    for record in (older, newer):
        record.metrics["verdict"] = "INVALID"
    for records, counts in (((older, newer), 9.0), ((older, valid, newer), 8.0)):
        (rows,) = leaderboard(records).values()
        assert column(rows, "p50_ms") == [counts]


def test_a_limited_run_and_one_without_a_score_are_shown_last_without_a_rank() -> None:
    records = [scored(0.9, "a", limit=233), scored(None, "b"), scored(0.5, "c")]
    (rows,) = leaderboard(records).values()
    assert column(rows, "rank", "score") == [(1, 0.5), (None, 0.9), (None, None)]
    assert str(rows[0]["rank"]) == "1"
    assert "0.9000 (limit 233)" in as_markdown({"t": rows})


def test_runs_that_differ_only_in_the_seed_show_mean_and_deviation() -> None:
    records = [scored(0.5, "a", seed=0), scored(0.7, "b", seed=1), scored(0.9, "c", epochs=9)]

    (rows,) = leaderboard(records).values()

    assert column(rows, "seeds") == [None, 2, 2]
    assert rows[1]["seeds_mean"] == pytest.approx(0.6)
    assert rows[1]["seeds_std"] == pytest.approx(0.02**0.5)
    assert "0.6000 ± 0.1414 (2)" in as_markdown({"t": rows})
    assert " seed " in as_markdown({"t": rows})
    assert " seed " not in as_markdown({"t": rows[:1]})


def test_a_seed_that_was_evaluated_again_is_still_one_of_the_seeds() -> None:
    again = scored(0.6, "b", kind="evaluate", seed=1, convention={"padding": "same"})
    records = [scored(0.5, "a", seed=0), scored(0.7, "b", seed=1), again]

    (rows,) = leaderboard(records).values()

    assert column(rows, "score", "seeds") == [(0.6, 2), (0.5, 2)]


def test_a_latency_says_how_its_checkpoint_was_trained() -> None:
    trained = scored(0.5, "a", epochs=12, crop="192x256", precision="bf16")
    tables = leaderboard([trained, timed(9.0, "a", runtime="onnx")])
    (unscored,) = next(rows for title, rows in tables.items() if "not scored" in title)
    assert column([unscored], "epochs", "crop", "precision") == [(12, "192x256", "bf16")]


def test_fresh_weights_have_latencies_of_their_own() -> None:
    records = [
        timed(9.0, None, dataset=None),
        timed(30.0, None, dataset=None, backbone="vgg16"),
        scored(0.5, "a"),
    ]
    tables = leaderboard(records)
    rows = tables[f"no dataset: {ON_CPU}, not scored"]
    assert column(rows, "backbone", "p50_ms") == [("mobilenet", 9.0), ("vgg16", 30.0)]


def test_a_score_without_a_name_is_not_lost_among_the_unscored() -> None:
    nameless = scored(0.5, "a")
    nameless.metrics["score_name"] = None
    tables = leaderboard([nameless, timed(9.0, "a"), timed(8.0, "b")])
    assert sorted(len(rows) for rows in tables.values()) == [1, 1]


def test_a_network_trained_elsewhere_is_ranked_apart_and_says_so() -> None:
    tables = leaderboard([scored(0.5, "a"), scored(0.9, "b", trained_on="streets")])
    assert list(tables) == [CAMVID, f"{CAMVID}, trained on streets"]
    assert all(column(rows, "rank") == [1] for rows in tables.values())
    assert "| streets |" in as_markdown(tables)


def with_frames(folder: Path, correct: Sequence[int], p50_ms: float) -> list[Record]:
    """A score over frames of 100 pixels a class, of which so many are right, and its latency."""
    matrices = np.array([[[n, 100 - n, 0], [100 - n, n, 0]] for n in correct])
    total = matrices.sum(0)
    score = total[0, 0] / (2 * total.sum(1)[0] - total[0, 0])
    name = f"{p50_ms:064g}"
    record = scored(float(score), name)
    record = replace(record, per_class={"iou": {"one": float(score), "two": float(score)}})
    ids = [f"frame {n}" for n in range(len(correct))]
    path = write_record(record, folder, {"confusion": matrices, "frames": ids})
    return [read_record(path), timed(p50_ms, name)]


def test_networks_within_noise_share_a_rank_and_the_faster_is_first(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(70, 90, 40)
    swapped = frames + np.tile([2, -3], 20)
    slow = with_frames(tmp_path, frames, p50_ms=9.0)
    fast = with_frames(tmp_path, swapped, p50_ms=3.0)
    worse = with_frames(tmp_path, frames - 1, p50_ms=1.0)
    (rows,) = leaderboard([*slow, *fast, *worse]).values()
    assert column(rows, "rank", "p50_ms") == [(1, 3.0), (1, 9.0), (3, 1.0)]
    (rows,) = leaderboard([worse[0], fast[0], slow[0]]).values()
    assert column(rows, "rank") == [1, 1, 3]
    assert column(rows, "score") == sorted(column(rows, "score"), reverse=True)


def test_without_its_arrays_a_score_ties_with_equal_ones_only(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(70, 90, 40)
    records = [
        *with_frames(tmp_path, frames, p50_ms=9.0),
        *with_frames(tmp_path, frames + np.tile([2, -3], 20), p50_ms=3.0),
    ]
    for arrays in tmp_path.rglob("*.npz"):
        arrays.unlink()
    (rows,) = leaderboard(records).values()
    assert column(rows, "rank") == [1, 2]


def test_records_are_a_frame_with_a_row_each(tmp_path: Path) -> None:
    path = write_record(scored(0.5, "ab" * 32, epochs=3), tmp_path)
    path.with_name("odd.json").write_text("{}")
    with pytest.warns(UserWarning, match="odd.json is not a segbench record"):
        frame = load_records(tmp_path)
    (row,) = frame.to_dict("records")
    assert (row["kind"], row["score"], row["epochs"], row["p50_ms"]) == ("run", 0.5, 3, None)
    assert row["device_name"] == "A Processor, AVX2, 2 cores"
    assert row["record"] == f"run/{path.name}"


SMALL = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from([None, 0.25, 0.5, 1.0]),
        st.sampled_from("abc"),
        st.sampled_from(["cpu", "cuda"]),
        st.sampled_from([None, 4]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(SMALL)
def test_whatever_the_records_each_table_is_ranked_and_of_one_device(
    drawn: list[tuple[bool, float | None, str, str, int | None]],
) -> None:
    records = [
        timed(2.0, checkpoint, device=device)
        if is_latency
        else scored(score, checkpoint, label_scale=scale or 1, limit=scale)
        for is_latency, score, checkpoint, device, scale in drawn
    ]
    board = ranking(frame_of(records))
    tables = tables_of(board)

    for rows in tables.values():
        assert all(tuple(row) == FIELDS for row in rows)
        assert len({row["device"] for row in rows} - {None}) <= 1
        assert len(set(column(rows, "dataset", "split", "label_scale"))) == 1
        ranked = [row for row in rows if row["rank"] is not None]
        assert rows[: len(ranked)] == ranked
        assert column(ranked, "score") == sorted(column(ranked, "score"), reverse=True)
        assert all(row["limit"] is None for row in ranked)
    for form in FORMATS.values():
        assert isinstance(form(board), str)


def test_a_network_is_named_and_an_older_record_is_of_fcn8s() -> None:
    whole = titled(scored(0.6, "b", network="enet", backbone=None, decoder=None), "ENet")
    own = titled(scored(0.4, "c", backbone="timm/resnet18"), "ResNet-18")
    wide = scored(0.3, "d", backbone="vgg16", decoder="wide")
    (rows,) = leaderboard([scored(0.5, "a", backbone="vgg16"), whole, own, wide]).values()
    names = ["ENet", "FCN8s VGG16", "FCN8s ResNet-18", "FCN8s VGG16 wide"]
    assert column(rows, "network") == names


def titled(record: Record, title: str) -> Record:
    return replace(record, provenance=record.provenance | {"title": title})


def test_a_row_without_a_latency_is_the_last_of_its_rank() -> None:
    records = [
        scored(0.5, "a", kind="evaluate", runtime="eager"),
        scored(0.5, "a", kind="evaluate", runtime="onnx"),
        timed(9.0, "a", runtime="onnx"),
    ]
    doubted = replace(records[2], metrics=records[2].metrics | {"verdict": "INVALID"})
    for latency in (records[2], doubted):
        (rows,) = leaderboard([*records[:2], latency]).values()
        assert column(rows, "runtime") == ["onnx", "eager"]


def test_the_best_score_counts_whatever_its_latency() -> None:
    slow = timed(9.0, "a")
    records = [
        scored(0.9, "a"),
        replace(slow, metrics=slow.metrics | {"verdict": "INVALID"}),
        scored(0.5, "b"),
        timed(8.0, "b"),
    ]
    rows = ranking(frame_of(records))
    assert list(select(rows, best=True)["score"]) == [0.9]
    assert list(select(rows, best=True, max_ms=20)["score"]) == [0.5]
