"""Learning rates and early stops, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segbench.training.optimizer import improvements, rate, should_stop


def test_constant_is_constant() -> None:
    assert rate("constant", 0.9, [0.5, 0.1, 0.1]) == 1


def test_plateau_halves_after_each_epoch_without_improvement() -> None:
    assert rate("plateau", 0.5, []) == 1
    assert rate("plateau", 0.5, [0.1, 0.2, 0.15, 0.3, 0.3]) == 0.25


def test_one_cycle_warms_up_and_falls_to_zero() -> None:
    assert rate("one-cycle", 0.0, []) == pytest.approx(0.04)
    assert rate("one-cycle", 0.1, []) == 1
    assert rate("one-cycle", 0.55, []) == pytest.approx(0.5)
    assert rate("one-cycle", 1.0, []) == pytest.approx(0)


def test_poly_is_the_power_of_what_is_left() -> None:
    assert rate("poly", 0.5, []) == pytest.approx(0.5**0.9)


def test_early_stop_counts_epochs_since_the_best() -> None:
    assert not should_stop([0.5, 0.4, 0.4], patience=3)
    assert should_stop([0.5, 0.4, 0.4, 0.5], patience=3)
    assert not should_stop([0.5, 0.4, 0.4, 0.6], patience=3)
    assert not should_stop([0.5] * 100, patience=None)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_the_last_improvement_is_the_first_best(scores: list[float]) -> None:
    better = improvements(scores)
    last = max(index for index, is_better in enumerate(better) if is_better)
    assert last == scores.index(max(scores))


@given(st.sampled_from(["one-cycle", "poly"]), st.floats(0, 1))
def test_rates_lie_between_zero_and_one(schedule: str, progress: float) -> None:
    assert 0 <= rate(schedule, progress, []) <= 1
