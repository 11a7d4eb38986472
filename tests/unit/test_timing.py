"""The measuring protocol, with queries that move a clock instead of working."""

import gc
from collections.abc import Iterator
from itertools import chain, repeat

import numpy as np
import pytest

from segbench.latency.timing import (
    Query,
    Timings,
    WarmUp,
    expected_rounds,
    measure_in_turns,
    warm_up,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fake(clock: Clock, seconds: Iterator[float], log: list[str], name: str = "a") -> Query:
    """A query that takes the given seconds, one after the other."""

    def issue() -> None:
        clock.now += next(seconds)
        log.append(name)

    return Query(issue, lambda: log.append("wait"))


def measure(queries: dict[str, Query], min_seconds: float, clock: Clock) -> dict[str, Timings]:
    warm = {name: warm_up(query, min_seconds, clock) for name, query in queries.items()}
    return measure_in_turns(queries, warm, min_seconds, clock=clock)


def test_slow_starters_are_warmed_up_before_the_first_sample() -> None:
    clock = Clock()
    slow_start = chain([9.0], np.linspace(2, 0.1, 30), repeat(0.1))
    timings = measure({"a": fake(clock, slow_start, [])}, 60, clock)["a"]
    assert timings.warm_up.first_call == 9
    assert timings.warm_up.steady
    assert timings.warm_up.typical == pytest.approx(0.1)
    assert timings.seconds.max() == pytest.approx(0.1)


def test_a_first_call_longer_than_the_limit_is_still_warmed_up() -> None:
    clock = Clock()
    warm = warm_up(fake(clock, chain([9.0], repeat(0.1)), []), 2, clock)
    assert warm == WarmUp(9.0, pytest.approx(0.1), steady=True)


def test_a_warm_up_that_never_settles_ends_in_time() -> None:
    clock = Clock()
    growing = fake(clock, (1.2**n for n in range(1000)), [])
    assert not warm_up(growing, 10, clock).steady


def test_queries_are_measured_in_turns() -> None:
    clock, log = Clock(), list[str]()
    queries = {
        "fast": fake(clock, repeat(0.01), log, "fast"),
        "slow": fake(clock, repeat(0.3), log, "slow"),
    }
    timings = measure(queries, 5, clock)
    assert len(timings["fast"].blocks) == len(timings["slow"].blocks) > 10
    names = [name for name in log if name != "wait"]
    turns = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    assert turns == ["fast", "slow"] * (len(turns) // 2)
    assert timings["fast"].seconds.sum() >= 5
    assert timings["slow"].seconds.sum() >= 5


def test_the_first_query_of_a_turn_finds_cold_caches_and_does_not_count() -> None:
    clock = Clock()

    def cold_after(other: str, mine: str) -> Query:
        def issue() -> None:
            clock.now += 0.3 if last[0] == other else 0.1
            last[0] = mine

        return Query(issue, lambda: None)

    last = ["none"]
    timings = measure({"a": cold_after("b", "a"), "b": cold_after("a", "b")}, 5, clock)
    assert timings["a"].seconds.max() == timings["b"].seconds.max() == pytest.approx(0.1)


def test_a_slow_query_is_measured_longer_to_reach_64_samples() -> None:
    clock = Clock()
    timings = measure({"a": fake(clock, repeat(0.5), [])}, 10, clock)["a"]
    assert len(timings.seconds) == 64


def test_a_very_slow_query_ends_at_six_times_the_duration() -> None:
    clock = Clock()
    timings = measure({"a": fake(clock, repeat(2.0), [])}, 10, clock)["a"]
    assert len(timings.seconds) == 30


def test_single_stream_waits_for_every_query_and_offline_for_a_group() -> None:
    clock, log = Clock(), list[str]()
    query = fake(clock, repeat(0.01), log)
    warm = {"a": WarmUp(first_call=1, typical=0.01, steady=True)}
    measure_in_turns({"a": query}, warm, 1, clock=clock)
    assert log[:4] == ["a", "wait", "a", "wait"]
    log.clear()
    timings = measure_in_turns({"a": query}, warm, 1, group_seconds=0.03, clock=clock)["a"]
    assert log[:8] == ["a", "a", "a", "wait"] * 2
    assert timings.group == 3
    assert timings.seconds == pytest.approx(0.01)
    assert len(timings.seconds) >= 64


def test_an_interrupt_keeps_what_every_query_has_been_measured_for() -> None:
    clock = Clock()

    def stopped_at(moment: float) -> Query:
        def issue() -> None:
            clock.now += 0.1
            if clock.now > moment:
                raise KeyboardInterrupt

        return Query(issue, lambda: None)

    warm = dict.fromkeys("ab", WarmUp(1, 0.1, True))
    calm = fake(clock, repeat(0.1), [])
    timings = measure_in_turns({"a": calm, "b": stopped_at(3)}, warm, 9, clock=clock)
    assert [len(each.blocks) for each in timings.values()] == [3, 2]
    assert not timings["a"].complete
    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt):
        measure_in_turns({"a": calm, "b": stopped_at(3)}, warm, 9, clock=clock)


def test_a_query_that_fails_leaves_the_others_measured() -> None:
    clock = Clock()
    warm = dict.fromkeys("abc", WarmUp(1, 0.1, True))
    queries = {
        "a": fake(clock, chain([0.1] * 20), []),  # then StopIteration
        "b": fake(clock, repeat(0.1), []),
        "c": fake(clock, chain(), []),
    }
    timings = measure_in_turns(queries, warm, 9, clock=clock)
    assert [name for name, found in timings.items() if isinstance(found, Exception)] == ["c", "a"]
    measured = timings["b"]
    assert isinstance(measured, Timings)
    assert measured.complete
    assert measured.seconds.sum() >= 9


def test_the_collector_is_off_while_measuring_and_on_again_after() -> None:
    clock, seen = Clock(), list[bool]()

    def issue() -> None:
        clock.now += 0.1
        seen.append(gc.isenabled())

    def failing() -> None:
        raise ZeroDivisionError

    measure({"a": Query(issue, lambda: None)}, 1, clock)
    assert not any(seen)
    with pytest.raises(ZeroDivisionError):
        measure({"a": Query(failing, lambda: None)}, 1, clock)
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("typical", "seconds", "rounds"), [(0.1, 10, 20), (1, 10, 60), (1, 20, 64)]
)
def test_the_rounds_to_come_are_foreseen(typical: float, seconds: float, rounds: int) -> None:
    clock, seen = Clock(), list[int]()
    warm = {"a": WarmUp(1, typical, True)}
    query = fake(clock, repeat(typical), [])
    measure_in_turns({"a": query}, warm, seconds, step=lambda: seen.append(1), clock=clock)
    assert expected_rounds(warm, seconds) == rounds
    assert len(seen) == pytest.approx(rounds, abs=2)


def test_the_raw_samples_keep_their_order_block_and_phases() -> None:
    blocks = (np.array([[3.0, 1, 2], [1.0, 0.5, 0.5]]), np.array([[2.0, 2, 0]]))
    arrays = Timings(WarmUp(1, 1, True), blocks, ("compute", "fetch")).arrays()
    assert arrays["seconds"].tolist() == [3, 1, 2]
    assert arrays["block"].tolist() == [0, 0, 1]
    assert arrays["compute"].tolist() == [1, 0.5, 2]
    assert arrays["fetch"].tolist() == [2, 0.5, 0]


def test_beside_a_fast_query_a_very_slow_one_still_ends_at_six_times_the_duration() -> None:
    clock = Clock()
    queries = {"fast": fake(clock, repeat(0.01), []), "slow": fake(clock, repeat(8.0), [])}
    timings = measure(queries, 10, clock)
    assert timings["slow"].seconds.sum() == pytest.approx(64)
    assert timings["fast"].seconds.sum() >= 10
