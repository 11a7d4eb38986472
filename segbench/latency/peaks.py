"""The most operations a second that an engine reaches, as the roofline wants it.

Engines differ in the shapes that suit them, so a rate is the best over several convolutions, and
each is timed often enough that other work on the machine cannot spoil all runs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from segbench.types import Size

SECONDS = 0.2
LEAST_RUNS = 3


@dataclass(frozen=True)
class Convolution:
    """Two convolutions in a row with square kernels, from ``channels`` to as many, padded."""

    channels: int
    kernel: int
    size: Size

    @property
    def flop(self) -> int:
        """Operations of both, a multiply-add counting twice."""
        height, width = self.size
        return 4 * self.channels**2 * self.kernel**2 * height * width


CONVOLUTIONS = {
    "cpu": (
        Convolution(64, 3, (32, 64)),
        Convolution(128, 3, (32, 32)),
        Convolution(256, 3, (16, 32)),
        Convolution(512, 1, (32, 32)),
        Convolution(1024, 1, (16, 16)),
        Convolution(256, 3, (32, 64)),
    ),
    "cuda": (
        Convolution(256, 3, (256, 256)),
        Convolution(512, 3, (128, 128)),
        Convolution(1024, 1, (256, 256)),
    ),
}
"""The small ones end between two interruptions; the large one employs many cores."""


def best_rate(device: str, prepared: Callable[[Convolution], Callable[[], object]]) -> float:
    """Operations a second in the shape that suits best.

    ``prepared`` makes a call that does the convolutions and waits for their end. ``device`` is
    "cpu" or "cuda".
    """
    return max(each.flop / best_seconds(prepared(each)) for each in CONVOLUTIONS[device])


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest of all runs in 0.2 s, and of at least three."""
    times: list[float] = []
    ends = time.perf_counter() + SECONDS
    while len(times) < LEAST_RUNS or time.perf_counter() < ends:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)
