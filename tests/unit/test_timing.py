"""The measuring protocol, with queries that move a clock instead of working."""

import gc
from collections.abc import Iterator
from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segbench.timing import Timings, judge, measure, percentile, statistics


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """A query that takes the given seconds, one after the other."""

    def __init__(self, clock: Clock, seconds: Iterator[float], log: list[str], name: str) -> None:
        self.clock, self.seconds, self.log, self.name = clock, seconds, log, name

    def __call__(self) -> None:
        self.clock.now += next(self.seconds)
        self.log.append(self.name)


def steady(seconds: list[float]) -> Timings:
    return Timings(first_call=1.0, steady=True, blocks=(np.array(seconds),))


def test_a_steady_query_is_valid_and_its_figures_are_known() -> None:
    clock = Clock()
    query = Fake(clock, chain([3.0], repeat(0.1)), [], "a")
    figures = statistics(measure({"a": query}, 10, clock)["a"], batch_size=4)
    assert figures["first_call_ms"] == 3000
    assert figures["p50_ms"] == pytest.approx(100)
    assert figures["fps"] == pytest.approx(40)
    assert 100 <= figures["samples"] <= 110
    assert (figures["verdict"], figures["reasons"]) == ("VALID", [])


def test_slow_starters_are_warmed_up_before_the_first_sample() -> None:
    clock = Clock()
    slow_start = chain([9.0], np.linspace(2, 0.1, 30), repeat(0.1))
    timings = measure({"a": Fake(clock, slow_start, [], "a")}, 60, clock)["a"]
    assert timings.first_call == 9
    assert timings.steady
    assert timings.seconds.max() == pytest.approx(0.1)


def test_queries_are_measured_in_turns() -> None:
    clock, log = Clock(), list[str]()
    queries = {
        "fast": Fake(clock, repeat(0.01), log, "fast"),
        "slow": Fake(clock, repeat(0.3), log, "slow"),
    }
    timings = measure(queries, 5, clock)
    assert len(timings["fast"].blocks) == len(timings["slow"].blocks) > 10
    turns = [name for i, name in enumerate(log) if i == 0 or log[i - 1] != name]
    assert turns == ["fast", "slow"] * (len(turns) // 2)
    assert timings["fast"].seconds.sum() >= 5
    assert timings["slow"].seconds.sum() >= 5


def test_a_slow_query_is_measured_longer_to_reach_64_samples() -> None:
    clock = Clock()
    figures = statistics(measure({"a": Fake(clock, repeat(0.5), [], "a")}, 10, clock)["a"], 1)
    assert figures["samples"] == 64
    assert figures["verdict"] == "VALID"


def test_a_very_slow_query_ends_at_six_times_the_duration_as_invalid() -> None:
    clock = Clock()
    figures = statistics(measure({"a": Fake(clock, repeat(2.0), [], "a")}, 10, clock)["a"], 1)
    assert figures["samples"] == 30
    assert figures["p90_ms"] is figures["p99_ms"] is None
    assert figures["verdict"] == "INVALID"
    assert "30 samples, fewer than 64" in figures["reasons"]


def test_the_collector_is_off_while_measuring_and_on_again_after() -> None:
    clock, seen = Clock(), list[bool]()

    def query() -> None:
        clock.now += 0.1
        seen.append(gc.isenabled())

    def failing() -> None:
        raise ZeroDivisionError

    measure({"a": query}, 1, clock)
    assert not any(seen)
    with pytest.raises(ZeroDivisionError):
        measure({"a": failing}, 1, clock)
    assert gc.isenabled()


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
    figures = statistics(steady([0.1] * count), 1)
    assert (figures["p90_ms"] is not None, figures["p99_ms"] is not None) == (p90, p99)


@pytest.mark.parametrize(
    ("timings", "reason"),
    [
        (steady([0.1] * 40 + [0.11] * 40), "drifted +10%"),
        (steady([0.11] * 40 + [0.1] * 40), "drifted -9%"),
        (steady([0.1, 0.2] * 50), "spreads over"),
        (steady([0.1] * 63), "63 samples"),
        (Timings(1.0, False, (np.full(100, 0.1),)), "warm-up"),
    ],
)
def test_what_would_not_reproduce_is_invalid_and_says_why(timings: Timings, reason: str) -> None:
    verdict, reasons = judge(timings)
    assert verdict == "INVALID"
    assert any(reason in text for text in reasons)


def test_the_raw_samples_keep_their_order_and_block() -> None:
    arrays = Timings(1.0, True, (np.array([3.0, 1.0]), np.array([2.0]))).arrays()
    assert arrays["seconds"].tolist() == [3, 1, 2]
    assert arrays["block"].tolist() == [0, 0, 1]
