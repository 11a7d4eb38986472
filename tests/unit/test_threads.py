"""Work done ahead in threads: in order, within bounds, and over when something fails."""

import threading
import time
from collections.abc import Iterator

import pytest

from segbench.errors import SegbenchError
from segbench.workers.threads import SPARE, Threads


def counted(taken: list[int]) -> Iterator[int]:
    for number in range(1000):
        taken.append(number)
        yield number


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    def slower_at_first(number: int) -> int:
        time.sleep((50 - number) / 50_000)
        return 2 * number

    with Threads(count) as threads:
        doubled = threads.map(slower_at_first, range(50))
        assert list(threads.map(str, doubled)) == [str(2 * n) for n in range(50)]
        assert list(threads.map(str, [])) == []


@pytest.mark.parametrize("count", [1, 3])
def test_only_a_few_items_are_under_way(count: int) -> None:
    taken: list[int] = []
    go_on = threading.Event()
    with Threads(count) as threads:
        results = threads.map(lambda number: go_on.wait() and number, counted(taken))
        threading.Timer(0.1, go_on.set).start()
        assert next(results) == 0
        assert len(taken) == count + SPARE + 1
        assert next(results) == 1
        assert len(taken) <= count + SPARE + 2


def test_threads_work_while_the_caller_does() -> None:
    taken: list[int] = []
    with Threads(2) as threads:
        results = threads.map(lambda number: time.sleep(0.01) or number, counted(taken))
        assert next(results) == 0
        waiting = list(taken)
        time.sleep(0.1)
        begun = time.perf_counter()
        assert [next(results) for _ in waiting[1:]] == waiting[1:]
        assert len(taken) > len(waiting)
        assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("at", ["items", "first", "last"])
def test_an_error_is_raised_in_its_turn_and_every_thread_ends(at: str) -> None:
    before = threading.active_count()

    def fail_at(stage: str, number: int) -> int:
        if stage == at and number == 20:
            raise SegbenchError("enough")
        return number

    with Threads(3) as threads:
        items = (fail_at("items", number) for number in range(1000))
        first = threads.map(lambda number: fail_at("first", number), items)
        last = threads.map(lambda number: fail_at("last", number), first)
        with pytest.raises(SegbenchError, match="enough"):
            list(last)
    assert threading.active_count() == before


def test_of_two_errors_the_first_item_s_is_raised() -> None:
    def fail(number: int) -> int:
        time.sleep(0.05 if number == 3 else 0)
        if number >= 3:
            raise SegbenchError(f"number {number}")
        return number

    with Threads(4) as threads:
        results = threads.map(fail, range(10))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(SegbenchError, match="number 3"):
            next(results)


def test_what_has_not_begun_is_left_when_the_block_ends() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.05)
        return number

    with Threads(1) as threads:
        assert next(threads.map(work, range(100))) == 0
    assert len(begun) <= 3
