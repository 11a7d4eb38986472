"""Figures worked by hand, and what makes them doubtful."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segbench.latency.statistics import (
    block_medians,
    figures,
    percentile,
    phase_shares,
    speedup,
    supported_percents,
    timing_doubts,
)
from segbench.latency.timing import Timings, WarmUp
from segbench_plugins.commands.report.figures import percentiles_over_time

STEADY = WarmUp(first_call=3.0, typical=0.1, steady=True)


def timed(seconds: list[float], warm: WarmUp = STEADY, complete: bool = True) -> Timings:
    return Timings(warm, (np.array(seconds)[:, None],), complete=complete)


def test_a_steady_query_has_no_doubts_and_its_figures_are_known() -> None:
    timings = timed([0.1] * 100)
    found = figures(timings, batch_size=4)
    assert found["first_call_ms"] == 3000
    assert found["p50_ms"] == found["p90_ms"] == found["min_ms"] == pytest.approx(100)
    assert found["fps"] == pytest.approx(40)
    assert found["samples"] == 100
    assert timing_doubts(timings) == []


@pytest.mark.parametrize(
    ("count", "percent", "expected"), [(100, 50, 51), (100, 99, 100), (10, 90, 10), (1, 99, 1)]
)
def test_percentile_is_the_sample_at_floor_n_p(count: int, percent: int, expected: int) -> None:
    assert percentile(np.arange(count, 0.0, -1), percent) == expected


@given(st.lists(st.floats(1e-6, 10), min_size=1), st.integers(0, 99))
def test_a_percentile_is_a_sample_with_that_share_below(seconds: list[float], p: int) -> None:
    value = percentile(np.array(seconds), p)
    assert value in seconds
    assert sum(s < value for s in seconds) * 100 <= p * len(seconds)
    assert sum(s <= value for s in seconds) * 100 > p * len(seconds)


@pytest.mark.parametrize(
    ("count", "p90", "p99"), [(63, False, False), (64, True, False), (662, True, True)]
)
def test_percentiles_need_their_minimum_counts(count: int, p90: bool, p99: bool) -> None:
    found = figures(timed([0.1] * count), 1)
    assert (found["p90_ms"] is not None, found["p99_ms"] is not None) == (p90, p99)


@pytest.mark.parametrize(
    ("timings", "reason"),
    [
        (timed([0.1] * 40 + [0.11] * 40), "drifted +10%"),
        (timed([0.11] * 40 + [0.1] * 40), "drifted -9%"),
        (timed([0.1, 0.2] * 60), "interquartile range"),
        (timed([0.1] * 63), "63 samples, fewer than 64"),
        (timed([0.1] * 99, WarmUp(1, 0.1, steady=False)), "warm-up"),
        (timed([0.1] * 99, complete=False), "interrupted"),
    ],
)
def test_what_would_not_reproduce_says_why(timings: Timings, reason: str) -> None:
    [doubt] = timing_doubts(timings)
    assert reason in doubt


def test_phases_are_mean_shares_of_their_sample() -> None:
    samples = np.array([[1.0, 0.1, 0.8, 0.1], [2.0, 0.6, 1.2, 0.2]])
    timings = Timings(STEADY, (samples,), ("prepare", "compute", "fetch"))
    assert phase_shares(timings) == pytest.approx({"prepare": 0.2, "compute": 0.7, "fetch": 0.1})
    assert phase_shares(timed([1.0])) is None


def test_a_block_stands_for_its_median() -> None:
    arrays = {"seconds": np.array([1.0, 9, 2, 5]), "block": np.array([0, 0, 0, 1])}
    assert block_medians(arrays).tolist() == [2, 5]


def test_drift_that_hits_both_leaves_a_paired_speedup_alone() -> None:
    drift = np.array([1.0, 2, 4, 8, 16])
    assert speedup(2 * drift, drift, paired=True) == {
        "speedup": 2,
        "speedup_low": 2,
        "speedup_high": 2,
    }
    apart = speedup(2 * drift, drift, paired=False)
    assert apart["speedup"] == 2
    assert apart["speedup_low"] is not None
    assert apart["speedup_high"] is not None
    assert apart["speedup_low"] <= 0.5
    assert apart["speedup_high"] >= 8


def test_too_few_blocks_have_no_interval_and_odd_ones_are_left_out() -> None:
    found = speedup(np.array([4.0, 4, 4, 4, 999]), np.array([2.0, 2, 2, 2]), paired=True)
    assert found == {"speedup": 2, "speedup_low": None, "speedup_high": None}


@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=5), st.booleans())
def test_the_interval_holds_within_the_extremes(
    blocks: list[tuple[float, float]], paired: bool
) -> None:
    baseline, other = np.array(blocks).T
    found = speedup(baseline, other, paired)
    low, high = found["speedup_low"], found["speedup_high"]
    assert low is not None
    assert high is not None
    assert baseline.min() / other.max() <= low <= high <= baseline.max() / other.min()


def test_percentiles_over_time_show_a_step() -> None:
    seconds = np.array([1.0] * 18 + [3.0] * 2 + [2.0] * 20)
    edges, values = percentiles_over_time(seconds, (50, 90))
    assert edges.tolist() == [0, 20, 40]
    assert values.tolist() == [[1, 3], [2, 2]]


@given(st.integers(1, 2000))
def test_stretches_cover_every_query_once_and_are_long_enough(count: int) -> None:
    edges, values = percentiles_over_time(np.ones(count), (50,))
    assert (edges[0], edges[-1]) == (0, count)
    assert len(values) == len(edges) - 1 <= 24
    assert len(values) == 1 or np.diff(edges).min() >= 20


def test_percents_need_their_samples() -> None:
    counts = (1, 63, 64, 661, 662)
    expected = [(50,), (50,), (50, 90), (50, 90), (50, 90, 99)]
    assert [supported_percents(count) for count in counts] == expected
