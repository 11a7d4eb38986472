"""How long a query takes: warm-up, turns, percentiles and the verdict, over any callable.

Terms are MLPerf's: in the scenario single-stream a query starts when the last has ended.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Query = Callable[[], object]
Clock = Callable[[], float]

SAMPLES_FOR_P90 = 64
SAMPLES_FOR_P99 = 662
BLOCK_SECONDS = 0.5
LONGEST = 6  # times min_seconds, when the samples are still too few
WARM_UP_WINDOW = 5
STEADY = 0.05
LARGEST_DRIFT = 0.05
LARGEST_SPREAD = 0.2


@dataclass(frozen=True)
class Timings:
    """Raw times of one query in seconds; ``blocks`` are its turns, in the order measured."""

    first_call: float
    steady: bool
    blocks: tuple[NDArray[np.float64], ...]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Every sample in the order measured."""
        return np.concatenate(self.blocks)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``seconds`` and the ``block`` of each, for the file beside the record."""
        lengths = [len(block) for block in self.blocks]
        return {"seconds": self.seconds, "block": np.repeat(np.arange(len(lengths)), lengths)}


def measure(
    queries: Mapping[str, Query], min_seconds: float = 10.0, clock: Clock = time.perf_counter
) -> dict[str, Timings]:
    """Time each query in turns, block by block, so that a drifting machine hits all alike.

    Each is warmed up first, then measured for at least ``min_seconds`` and 64 samples, though
    never for more than six times ``min_seconds``. A query returns when its work is done.
    """
    with _collector_off():
        warm = {name: _warm_up(query, min_seconds, clock) for name, query in queries.items()}
        blocks: dict[str, list[NDArray[np.float64]]] = {name: [] for name in queries}
        while not all(_enough(taken, min_seconds) for taken in blocks.values()):
            for name, query in queries.items():
                blocks[name].append(_block(query, clock))
    return {name: Timings(*warm[name], tuple(taken)) for name, taken in blocks.items()}


def percentile(seconds: NDArray[np.float64], percent: int) -> float:
    """MLPerf's: the sample at index floor(n * percent / 100) of the sorted ones."""
    return float(np.sort(seconds)[len(seconds) * percent // 100])


def statistics(timings: Timings, batch_size: int) -> dict[str, Any]:
    """The record's figures; a percentile is None where the samples do not support it."""
    seconds = timings.seconds
    verdict, reasons = judge(timings)
    return {
        "p50_ms": 1e3 * percentile(seconds, 50),
        "p90_ms": 1e3 * percentile(seconds, 90) if len(seconds) >= SAMPLES_FOR_P90 else None,
        "p99_ms": 1e3 * percentile(seconds, 99) if len(seconds) >= SAMPLES_FOR_P99 else None,
        "mean_ms": 1e3 * float(seconds.mean()),
        "min_ms": 1e3 * float(seconds.min()),
        "fps": batch_size * len(seconds) / float(seconds.sum()),
        "samples": len(seconds),
        "first_call_ms": 1e3 * timings.first_call,
        "verdict": verdict,
        "reasons": reasons,
    }


def judge(timings: Timings) -> tuple[str, list[str]]:
    """VALID, or INVALID with the reasons why the figures would not reproduce."""
    seconds, reasons = timings.seconds, []
    if not timings.steady:
        reasons.append("the warm-up did not become steady")
    if len(seconds) < SAMPLES_FOR_P90:
        reasons.append(f"{len(seconds)} samples, fewer than {SAMPLES_FOR_P90}")
    third = max(1, len(seconds) // 3)
    drift = float(np.median(seconds[-third:]) / np.median(seconds[:third]) - 1)
    if abs(drift) > LARGEST_DRIFT:
        reasons.append(f"the median drifted {drift:+.0%} from the first third to the last")
    spread = (percentile(seconds, 75) - percentile(seconds, 25)) / percentile(seconds, 50)
    if spread > LARGEST_SPREAD:
        reasons.append(f"the middle half of the samples spreads over {spread:.0%} of the median")
    return ("INVALID" if reasons else "VALID"), reasons


def _warm_up(query: Query, limit: float, clock: Clock) -> tuple[float, bool]:
    """The first call's seconds, and whether two windows in a row agreed within ``limit``."""
    started = clock()
    first_call = _timed(query, clock)
    previous = float("inf")
    while clock() - started < limit:
        current = float(np.median([_timed(query, clock) for _ in range(WARM_UP_WINDOW)]))
        if abs(current - previous) <= STEADY * current:
            return first_call, True
        previous = current
    return first_call, False


def _enough(blocks: Sequence[NDArray[np.float64]], min_seconds: float) -> bool:
    spent = sum(float(block.sum()) for block in blocks)
    samples = sum(len(block) for block in blocks)
    return spent >= min_seconds * (1 if samples >= SAMPLES_FOR_P90 else LONGEST)


def _block(query: Query, clock: Clock) -> NDArray[np.float64]:
    started = clock()
    samples: list[float] = []
    while not samples or clock() - started < BLOCK_SECONDS:
        samples.append(_timed(query, clock))
    return np.array(samples)


def _timed(query: Query, clock: Clock) -> float:
    started = clock()
    query()
    return clock() - started


@contextmanager
def _collector_off() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
