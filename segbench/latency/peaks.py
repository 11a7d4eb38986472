"""An engine's peak operations per second, for the roofline.

Engines prefer different shapes, so the peak is the best over several convolutions, each timed often
enough that other work on the machine cannot disturb all runs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from segbench.types import Size

SECONDS = 0.2
LEAST_RUNS = 3


@dataclass(frozen=True)
class Convolution:
    """Two consecutive padded convolutions with square kernels and ``channels`` in and out."""

    channels: int
    kernel: int
    size: Size

    @property
    def flop(self) -> int:
        """Operations of both; a multiply-add counts as two."""
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
        Convolution(512, 3, (32, 64)),
    ),
    "cuda": (
        Convolution(256, 3, (256, 256)),
        Convolution(512, 3, (128, 128)),
        Convolution(1024, 1, (256, 256)),
    ),
}
"""Small ones finish between two interruptions; large ones use many cores, and in INT8 the
conversions at both ends take a smaller part of their time."""


def best_rate(device: str, prepared: Callable[[Convolution], Callable[[], object]]) -> float:
    """Operations per second in the best shape.

    ``prepared`` returns a function that runs the convolutions and waits for them. ``device`` is
    "cpu" or "cuda".
    """
    return max(each.flop / best_seconds(prepared(each)) for each in CONVOLUTIONS[device])


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest run within 0.2 s, of at least three."""
    times: list[float] = []
    ends = time.perf_counter() + SECONDS
    while len(times) < LEAST_RUNS or time.perf_counter() < ends:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)
