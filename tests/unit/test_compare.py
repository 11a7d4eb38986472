"""Differences worked by hand, what is within noise, and what cannot be compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segbench.analysis.difference import Difference
from segbench.errors import SegbenchError
from segbench.records.arrays import ScoredFrames
from segbench.records.record import Record, read_record, write_record
from segbench_plugins.commands.compare.records import (
    Latencies,
    Scores,
    compare,
    compare_frames,
    differing_config,
    differing_provenance,
)

CONFIG = {"backbone": "tiny", "runtime": "eager", "height": 2, "width": 4, "dataset": "tiny"}
CLASSES = ("road", "sky")
GOOD = [[4, 0, 0], [0, 4, 0]]
POOR = [[3, 1, 0], [1, 3, 0]]
WORSE = [[2, 2, 0], [2, 2, 0]]


def frames(*matrices: Any, first: int = 0) -> ScoredFrames:
    ids = tuple(f"f{first + index}" for index in range(len(matrices)))
    return ScoredFrames(ids, CLASSES, np.array(matrices, np.int64))


def scored(folder: Path, *matrices: Any, kind: str = "run", **config: Any) -> Record:
    found = frames(*matrices)
    record = Record(
        kind,
        CONFIG | config,
        {"score": 0.5, "score_name": "MaxF"},
        {},
        per_class={"iou": dict.fromkeys(CLASSES, 0.5)},
    )
    beside = {"confusion": found.confusions, "frames": np.array(found.ids)}
    return read_record(write_record(record, folder, beside))


def timed(folder: Path, seconds: list[float], **config: Any) -> Record:
    record = Record("latency", CONFIG | config, {"verdict": "VALID"}, {})
    turns = np.repeat(np.arange(len(seconds) // 2), 2)
    return read_record(write_record(record, folder, {"seconds": np.array(seconds), "block": turns}))


def test_frames_that_agree_leave_no_doubt() -> None:
    found = compare_frames(frames(POOR, POOR), frames(GOOD, GOOD))
    assert [row.name for row in found.classes] == ["road", "sky"]
    for row in (*found.classes, found.miou):
        assert (row.a, row.b) == pytest.approx((0.6, 1.0))
        assert row.difference == pytest.approx(0.4)
        assert row.interval == pytest.approx((0.4, 0.4))
        assert row.within_noise is False


def test_one_frame_says_nothing_of_noise() -> None:
    found = compare_frames(frames(POOR), frames(GOOD))
    for row in (*found.classes, found.miou):
        assert row.difference == pytest.approx(0.4)
        assert row.interval is None
        assert row.within_noise is None


def test_a_gain_in_one_frame_and_a_loss_in_the_other_is_within_noise() -> None:
    found = compare_frames(frames(GOOD, POOR), frames(POOR, GOOD))
    assert found.miou.difference == 0
    assert found.miou.interval == pytest.approx((-0.4, 0.4))
    assert found.miou.within_noise is True


def test_frames_are_paired_by_name_and_only_shared_ones_count() -> None:
    a, b = frames(POOR, GOOD, WORSE), frames(GOOD, POOR, first=1)
    found = compare_frames(a, b)
    assert found.frames == 2
    assert found.miou.a == pytest.approx(6 / 10)
    assert found.miou.b == pytest.approx(7 / 9)
    assert found.notes == ("Compared on the 2 frames in both, of 3 in A and 2 in B.",)


def test_a_class_that_nowhere_occurs_has_no_difference() -> None:
    road = [[4, 0, 0], [0, 0, 0]]
    absent = compare_frames(frames(road), frames(road)).classes[1]
    assert (absent.a, absent.b, absent.difference, absent.within_noise) == (None,) * 4


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (frames(GOOD), frames(GOOD, first=5), "no frame in common"),
        (
            frames(GOOD),
            frames([[8, 0, 0], [0, 4, 0]]),
            "ground truth of 1 frames differs, first f0",
        ),
        (frames(GOOD), ScoredFrames(("f0",), ("a", "b"), np.array([GOOD])), "classes road, sky"),
    ],
)
def test_what_cannot_be_compared_is_refused(a: ScoredFrames, b: ScoredFrames, why: str) -> None:
    with pytest.raises(SegbenchError, match=why):
        compare_frames(a, b)


MATRICES = arrays(np.int64, (5, 2, 3), elements=st.integers(0, 9))


@given(MATRICES)
def test_a_record_and_itself_are_equal_and_within_noise(matrices: np.ndarray) -> None:
    same = compare_frames(frames(*matrices), frames(*matrices))
    for row in (*same.classes, same.miou):
        if row.a is not None:
            assert (row.difference, row.interval, row.within_noise) == (0, (0, 0), True)


@given(MATRICES, st.permutations([0, 1, 2]))
def test_exchanging_a_and_b_turns_every_sign(matrices: np.ndarray, order: list[int]) -> None:
    one, other = frames(*matrices), frames(*matrices[..., order])
    for there, back in zip(
        compare_frames(one, other).classes, compare_frames(other, one).classes, strict=True
    ):
        assert there.within_noise == back.within_noise
        if there.difference is not None and there.interval is not None:
            assert there.difference == -back.difference
            assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_the_benchmarks_own_measure_is_there_without_an_interval(tmp_path: Path) -> None:
    found = compare(scored(tmp_path, GOOD), scored(tmp_path, POOR, kind="evaluate"))
    assert isinstance(found, Scores)
    assert found.headline is not None
    assert (found.headline.name, found.headline.within_noise) == ("MaxF", None)
    fewer = compare(scored(tmp_path, GOOD), scored(tmp_path, POOR, POOR))
    assert isinstance(fewer, Scores)
    assert fewer.headline is None


@pytest.mark.parametrize(
    ("config", "why"),
    [({"dataset": "other"}, "dataset tiny in A, but other in B"), ({"label_scale": 2}, "1 in A")],
)
def test_other_data_or_pixels_are_refused(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    with pytest.raises(SegbenchError, match=why):
        compare(scored(tmp_path, GOOD), scored(tmp_path, GOOD, **config))


def test_turns_of_one_session_are_compared_round_by_round(tmp_path: Path) -> None:
    drifting = [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]
    a = timed(tmp_path, [1.0 * time for time in drifting], session="s", runtime="eager")
    b = timed(tmp_path, [0.5 * time for time in drifting], session="s", runtime="onnx")
    found = compare(a, b)
    assert isinstance(found, Latencies)
    assert (found.a, found.b) == (4000, 2000)
    assert (found.ratio, found.interval, found.within_noise) == (0.5, (0.5, 0.5), False)
    assert found.notes == ()
    isolated = compare(a, timed(tmp_path, [8.0] * 10, session="s", isolated=True))
    assert isinstance(isolated, Latencies)
    assert isolated.ratio == 2
    assert isolated.within_noise is True
    assert "Measured separately" in isolated.notes[0]


def test_latencies_exchanged_are_reciprocal(tmp_path: Path) -> None:
    a, b = timed(tmp_path, [1.0] * 10), timed(tmp_path, [3.0] * 10)
    there, back = compare(a, b), compare(b, a)
    assert isinstance(there, Latencies)
    assert isinstance(back, Latencies)
    assert (there.ratio, back.ratio) == pytest.approx((3, 1 / 3))
    assert (there.within_noise, back.within_noise) == (False, False)


def test_few_turns_have_no_interval_and_other_scopes_no_ratio(tmp_path: Path) -> None:
    short = timed(tmp_path, [1.0] * 8)
    found = compare(short, short)
    assert isinstance(found, Latencies)
    assert (found.ratio, found.interval, found.within_noise) == (1, None, None)
    with pytest.raises(SegbenchError, match="scope None in A, but labels in B"):
        compare(short, timed(tmp_path, [1.0] * 8, scope="labels"))
    with pytest.raises(SegbenchError, match="two scores"):
        compare(short, scored(tmp_path, GOOD))


def test_settings_that_differ_are_named() -> None:
    origin = {"commit": "a", "started_at": "now", "versions": {"torch": "2", "onnx": "1"}}
    a = Record("run", CONFIG | {"training": {"lr": 0.1}, "session": "s"}, {}, origin)
    b = Record(
        "run",
        CONFIG | {"training": {"lr": 0.2}, "limit": None},
        {},
        {"commit": "a", "started_at": "then", "versions": {"torch": "3"}},
    )
    config = [(row.name, row.a, row.b) for row in differing_config(a, b)]
    assert config == [("training.lr", 0.1, 0.2)]
    origins = [(row.name, row.a, row.b) for row in differing_provenance(a, b)]
    assert origins == [("versions.torch", "2", "3"), ("versions.onnx", "1", None)]


def test_fields_that_only_an_evaluation_has_do_not_count_as_differing() -> None:
    run = Record("run", CONFIG, {}, {"dataset_fingerprint": "train a, test b"})
    again = Record("evaluate", CONFIG | {"epoch": 3}, {}, {"dataset_fingerprint": "b"})
    assert differing_config(run, again) == differing_provenance(run, again) == []
    kept = Record("evaluate", CONFIG | {"keep_float": ["conv"]}, {}, {})
    assert [row.name for row in differing_config(run, kept)] == ["keep_float"]


def test_a_difference_that_no_digit_shows_is_noise() -> None:
    assert Difference("mean", 0.67021, 0.67022, (1e-6, 2e-5)).within_noise is True
    assert Difference("mean", 0.6702, 0.6704, (1e-4, 3e-4)).within_noise is False
    assert Difference("mean", 0.6702, 0.6704).within_noise is None
