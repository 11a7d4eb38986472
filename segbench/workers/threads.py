"""Work on one item after another, done side by side in threads, with its results in order.

Decoders, engines and encoders let go of Python's lock, so the slowest of them sets the pace.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from segbench.device.cpu import usable_cores

T = TypeVar("T")
R = TypeVar("R")

SPARE = 2
"""Results that may wait for whoever takes them, besides one for each thread."""


class Threads:
    """So many threads, by default one a core but from 2 to 8; they end with the ``with`` block."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count or max(2, min(8, usable_cores()))
        self._pool = ThreadPoolExecutor(self.count)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield ``work`` of each item in order, while the threads work on the next few.

        ``items`` are taken in the caller's thread, no more of them than the threads can do and a
        few that wait: they may come from another ``map``, of the same threads too. What ``work``
        raises is raised here, in its item's turn.
        """
        begun: deque[Future[R]] = deque()
        for item in items:
            begun.append(self._pool.submit(work, item))
            if begun[0].done() or len(begun) > self.count + SPARE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what runs; what has not begun is left."""
        self._pool.shutdown(cancel_futures=True)
