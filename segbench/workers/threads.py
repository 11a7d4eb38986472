"""Work on a stream of items in parallel threads, with results in order.

Decoders, engines and encoders release the GIL, so throughput is that of the slowest.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from segbench.device.cpu import usable_cores

T = TypeVar("T")
R = TypeVar("R")

SPARE = 2
"""Finished results that may wait to be taken, besides one per thread."""


class Threads:
    """``count`` threads, by default one per core but 2 to 8; they end with the ``with`` block."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count or max(2, min(8, usable_cores()))
        self._pool = ThreadPoolExecutor(self.count)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield ``work`` of each item in order, while the threads work on the next few.

        ``items`` are taken in the caller's thread, only as many as the threads can process plus a
        few that wait: they may come from another ``map``, even of the same threads. What ``work``
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
        """Wait for running work and cancel the rest."""
        self._pool.shutdown(cancel_futures=True)
