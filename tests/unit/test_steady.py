"""Measuring again while the machine is not steady, with turns that are given."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from segbench.latency import steady
from segbench.latency.machine import Watch
from segbench.latency.steady import Attempt, measure_until_steady
from segbench.latency.timing import Query, Timings, WarmUp
from segbench.progress import Reporter

QUERY = Query(lambda: None, lambda: None)
WARM = WarmUp(first_call=3.0, typical=0.1, steady=True)
FLAT = [0.1] * 90
SLOWER = [0.2] * 90
DRIFTING = [0.1] * 45 + [0.2] * 45
SPREAD_TOO = [*np.linspace(0.1, 0.2, 90)]
"""A drift and an interquartile range that are too large."""


def measured(
    turns: Sequence[Any],
    attempts: int,
    monkeypatch: pytest.MonkeyPatch,
    warm: WarmUp = WARM,
    reporter: Reporter | None = None,
) -> tuple[Attempt, int]:
    """What comes of measurements with these samples of each query, or an error to raise."""
    given = iter(turns)

    def take_turns(queries: Any, warm: Any, *rest: object, **options: object) -> Any:
        turn = next(given)
        if isinstance(turn, BaseException):
            raise turn
        return {
            name: each
            if isinstance(each, Exception)
            else Timings(warm[name], (np.array(each)[:, None],), complete="stop" not in turn)
            for name, each in turn.items()
            if name in queries
        }

    monkeypatch.setattr(steady, "measure_in_turns", take_turns)
    monkeypatch.setattr(Watch, "doubts", lambda self: [])
    queries = {"a": QUERY, "b": QUERY}
    reporter = reporter or Reporter(quiet=True)
    found = measure_until_steady(
        queries, dict.fromkeys(queries, warm), torch.device("cpu"), 1, 0, attempts, reporter
    )
    assert not list(given), "fewer attempts than expected"
    return found


def samples(attempt: Attempt) -> dict[str, list[float]]:
    return {name: list(each.seconds) for name, each in attempt.timed.items()}


@pytest.mark.parametrize(
    ("turns", "attempts", "kept"),
    [
        ([{"a": FLAT, "b": FLAT}], 3, 0),
        ([{"a": DRIFTING, "b": FLAT}], 1, 0),
        ([{"a": FLAT, "b": DRIFTING}, {"a": SLOWER, "b": FLAT}], 5, 1),
        ([{"a": DRIFTING, "b": FLAT}, {"a": DRIFTING, "b": DRIFTING}], 2, 0),
        ([{"a": SPREAD_TOO, "b": FLAT}, {"a": DRIFTING, "b": SLOWER}], 2, 1),
    ],
    ids=[
        "steady at once",
        "one attempt only",
        "the first steady one, though slower",
        "the one with fewer doubts",
        "the later one of two that are not steady, with fewer doubts",
    ],
)
def test_the_steadiest_attempt_is_kept(
    turns: Sequence[dict[str, list[float]]],
    attempts: int,
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt, made = measured(turns, attempts, monkeypatch)
    assert made == len(turns)
    assert samples(attempt) == turns[kept]
    assert attempt.complete


def test_each_attempt_says_what_was_not_steady(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"a": DRIFTING, "b": FLAT}, {"a": FLAT, "b": SPREAD_TOO}, {"a": FLAT, "b": FLAT}]
    measured(turns, 3, monkeypatch, reporter=Reporter())
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Attempt")]
    assert [line.partition("(")[2][0] for line in said] == ["a", "b"]


def test_a_query_that_was_measured_once_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    cold = WarmUp(first_call=3.0, typical=0.1, steady=False)
    attempt, made = measured([{"a": FLAT, "b": FLAT}] * 2, 4, monkeypatch, warm=cold)
    assert made == 2
    assert {each.warm_up for each in attempt.timed.values()} == {WARM}


@pytest.mark.parametrize(
    "second", [KeyboardInterrupt(), {"a": FLAT[:2], "b": FLAT[:2], "stop": ()}]
)
def test_an_interrupt_leaves_what_was_measured_before(
    second: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"a": DRIFTING, "b": FLAT}
    attempt, _ = measured([first, second], 9, monkeypatch)
    assert samples(attempt) == first
    assert not attempt.complete


def test_a_failure_in_a_later_attempt_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"a": DRIFTING, "b": FLAT}
    attempt, made = measured([first, {"a": FLAT, "b": OSError("full")}], 9, monkeypatch)
    assert made == 2
    assert samples(attempt) == first


def test_what_failed_at_first_is_left_out_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError("full")
    turns = [{"a": error, "b": DRIFTING}, {"a": FLAT, "b": FLAT}]
    attempt, _ = measured(turns, 9, monkeypatch)
    assert attempt.timings["a"] is error
    assert samples(attempt) == {"b": FLAT}
